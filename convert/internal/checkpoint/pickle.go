package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"

	"github.com/gguftool/gguftool/internal/fault"
)

// maxPickle bounds the memory that unpickling takes. The state dict of a model
// with ten thousand tensors has two megabytes.
const maxPickle = 16 << 20

// readStateDict unpickles the state dict that torch.save wrote: an ordered
// dictionary from names to tensors. find returns the storage called key.
//
// A pickle is a program that may name any Python function and have it called.
// Here a name is only data: those of allowedGlobals build tensors of this
// package, and every other one is refused before anything runs.
func readStateDict(data []byte, find func(key string, d DType, count int64) (*storage, error)) (tensors []*Tensor, err error) {
	if err := scanPickle(data); err != nil {
		return nil, err
	}
	// The unpickler trusts its input in places, as in popping from a list that
	// is empty; a pickle that makes it panic is malformed.
	defer func() {
		if r := recover(); r != nil {
			tensors, err = nil, malformedPickle(fmt.Errorf("%v", r))
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = func(module, name string) (any, error) { return allowedGlobals[module+"."+name], nil }
	u.PersistentLoad = func(id any) (any, error) { return loadStorage(id, find) }
	value, err := u.Load()
	if err != nil {
		return nil, malformedPickle(err)
	}
	return stateTensors(value)
}

// allowedGlobals are the names that a state dict of tensors consists of.
var allowedGlobals = func() map[string]any {
	m := map[string]any{
		"collections.OrderedDict":         nil, // the unpickler has its own
		"torch._utils._rebuild_tensor_v2": rebuildTensor{},
		"torch._utils._rebuild_parameter": rebuildParameter{},
	}
	for d := range dtypes {
		if class := dtypes[d].storage; class != "" {
			m["torch."+class] = DType(d)
		}
	}
	return m
}()

// Opcodes of protocol 2 that torch.save writes for a state dict, by the form of
// their argument. See Python's Lib/pickletools.py.
const (
	opcodesPlain  = "(.N)]}tRbsuaeQ\x85\x86\x87\x88\x89" // none
	opcodesByte   = "\x80Khq"                            // one byte
	opcodesShort  = "M"                                  // two bytes
	opcodesWord   = "Jjr"                                // four bytes
	opcodesDouble = "G"                                  // eight bytes
	opcodesText1  = "U\x8a"                              // a byte n, n bytes
	opcodesText4  = "XT"                                 // a u32 n, n bytes
	opcodeGlobal  = 'c'                                  // a module and a name, a line each
	opcodeStop    = '.'
)

// scanPickle walks over the opcodes and refuses those that a state dict does
// not need, arguments that run past the end, and names that are not allowed.
func scanPickle(data []byte) error {
	for at := 0; at < len(data); {
		op, rest := data[at], data[at+1:]
		var size uint64
		switch {
		case strings.IndexByte(opcodesPlain, op) >= 0:
		case strings.IndexByte(opcodesByte, op) >= 0:
			size = 1
		case strings.IndexByte(opcodesShort, op) >= 0:
			size = 2
		case strings.IndexByte(opcodesWord, op) >= 0:
			size = 4
		case strings.IndexByte(opcodesDouble, op) >= 0:
			size = 8
		case strings.IndexByte(opcodesText1, op) >= 0 && len(rest) >= 1:
			size = 1 + uint64(rest[0])
		case strings.IndexByte(opcodesText4, op) >= 0 && len(rest) >= 4:
			size = 4 + uint64(binary.LittleEndian.Uint32(rest))
		case op == opcodeGlobal:
			module, afterModule, ok1 := bytes.Cut(rest, []byte("\n"))
			name, _, ok2 := bytes.Cut(afterModule, []byte("\n"))
			if !ok1 || !ok2 {
				return pickleError(at, "a name is not ended")
			}
			global := string(module) + "." + string(name)
			if _, ok := allowedGlobals[global]; !ok {
				return forbidden(global)
			}
			size = uint64(len(module) + 1 + len(name) + 1)
		default:
			return pickleError(at, "opcode %#02x is no part of a state dict of tensors", op)
		}
		if size > uint64(len(rest)) {
			return pickleError(at, "the argument of opcode %q runs past the end", op)
		}
		if op == opcodeStop {
			return nil
		}
		at += 1 + int(size)
	}
	return pickleError(len(data), "it has no end")
}

func pickleError(at int, format string, args ...any) error {
	e := fault.Malformed("", "data.pkl", format, args...)
	e.Offset = int64(at)
	return e
}

func forbidden(global string) error {
	return fault.Unsupported("", "data.pkl", saveHint,
		"it asks for the Python object %s; only tensors are read and no code is run", global)
}

// malformedPickle keeps the errors of this package and explains all others.
func malformedPickle(err error) error {
	if _, ok := errors.AsType[*fault.FormatError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*fault.UnsupportedError](err); ok {
		return err
	}
	return fault.Malformed("", "data.pkl", "not a valid pickle: %v", err)
}

// loadStorage resolves a persistent id, ("storage", class, key, device, count).
func loadStorage(id any, find func(key string, d DType, count int64) (*storage, error)) (*storage, error) {
	if t, ok := id.(*types.Tuple); ok && t.Len() >= 5 && t.Get(0) == "storage" {
		dtype, ok1 := t.Get(1).(DType)
		key, ok2 := t.Get(2).(string)
		count, ok3 := t.Get(4).(int)
		if ok1 && ok2 && ok3 {
			return find(key, dtype, int64(count))
		}
	}
	return nil, fault.Malformed("", "data.pkl", "a storage is not described as (\"storage\", class, key, device, count)")
}

// rebuildTensor is torch._utils._rebuild_tensor_v2, which makes a view of a
// storage: (storage, offset, shape, strides, requires_grad, hooks).
type rebuildTensor struct{}

// Call implements types.Callable.
func (rebuildTensor) Call(args ...any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("_rebuild_tensor_v2 has %d arguments", len(args))
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, ok3 := integers(args[2])
	strides, ok4 := integers(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(strides) {
		return nil, errors.New("_rebuild_tensor_v2 has arguments of the wrong types")
	}
	if err := s.holds(int64(offset), shape, strides); err != nil {
		return nil, err
	}
	t := &Tensor{DType: s.dtype, Shape: shape, offset: s.offset + int64(offset)*s.dtype.Size()}
	if !contiguous(shape, strides) {
		t.strides = strides
	}
	return t, nil
}

// rebuildParameter is torch._utils._rebuild_parameter: (tensor, requires_grad, hooks).
type rebuildParameter struct{}

// Call implements types.Callable.
func (rebuildParameter) Call(args ...any) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*Tensor); ok {
			return t, nil
		}
	}
	return nil, errors.New("_rebuild_parameter has no tensor")
}

// holds checks that a view lies inside s and does not have more elements than it.
func (s *storage) holds(offset int64, shape, strides []int64) error {
	outside := fault.Malformed("", "data.pkl", "a tensor of shape %v with strides %v at element %d does not fit its storage of %d elements",
		shape, strides, offset, s.count)
	n, ok := elements(shape)
	if !ok || n > s.count || offset < 0 || offset > s.count-min(n, 1) {
		return outside
	}
	if n == 0 {
		return nil
	}
	last := offset
	for i, d := range shape {
		// No product overflows: the division bounds it by the room left.
		if strides[i] < 0 || d > 1 && strides[i] > (s.count-1-last)/(d-1) {
			return outside
		}
		last += (d - 1) * strides[i]
	}
	return nil
}

// contiguous reports whether the elements of a tensor follow each other.
func contiguous(shape, strides []int64) bool {
	next := int64(1)
	for i, d := range slices.Backward(shape) {
		if d == 0 {
			return true
		}
		if d != 1 && strides[i] != next {
			return false
		}
		next *= d
	}
	return true
}

func integers(v any) ([]int64, bool) {
	t, ok := v.(*types.Tuple)
	if !ok {
		return nil, false
	}
	ints := make([]int64, t.Len())
	for i := range ints {
		n, ok := t.Get(i).(int)
		if !ok {
			return nil, false
		}
		ints[i] = int64(n)
	}
	return ints, true
}

// stateTensors returns the tensors of a state dict in its order.
func stateTensors(value any) ([]*Tensor, error) {
	var tensors []*Tensor
	add := func(key, value any) error {
		name, ok := key.(string)
		if !ok {
			return fault.Malformed("", "data.pkl", "a key of the state dict is no string")
		}
		t, ok := value.(*Tensor)
		if !ok {
			return fault.Unsupported("", "data.pkl", saveHint, "entry %q is no tensor, so this is more than the state dict of a model", name)
		}
		// Two names may share one tensor.
		named := *t
		named.Name = name
		tensors = append(tensors, &named)
		return nil
	}
	switch dict := value.(type) {
	case *types.OrderedDict:
		for e := dict.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	case *types.Dict:
		for _, entry := range *dict {
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fault.Unsupported("", "data.pkl", saveHint, "it holds no state dict")
	}
	return tensors, nil
}
