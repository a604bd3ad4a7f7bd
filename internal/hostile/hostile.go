// Package hostile makes GGUF files that are damaged, malicious or merely odd,
// for the tests of everything that opens one.
package hostile

import (
	"encoding/binary"
	"os"
	"path/filepath"
)

// A Kind is what must come of opening a file.
type Kind int

const (
	Malformed   Kind = iota // a FormatError
	Unsupported             // an UnsupportedError
	Missing                 // an error that wraps fs.ErrNotExist
	Valid                   // success: the file is odd but legal
)

// A Case is one model. Other packages than gguf may refuse a Valid one in an
// orderly way: what it holds makes no sense as a model.
type Case struct {
	Name string
	Kind Kind
	Want string // a part of the error

	open  string            // the file to open
	files map[string][]byte // by name, with the siblings of open
}

// Write writes the files of c into the folder dir and returns the path to open.
func (c Case) Write(dir string) (path string, err error) {
	for name, data := range c.files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, c.open), nil
}

// Bytes returns the content of the file to open.
func (c Case) Bytes() []byte { return c.files[c.open] }

// A model is a GGUF file before it is written, with room for lies.
type model struct {
	version uint32
	order   binary.ByteOrder
	keys    []pair
	tensors []tensor
	align   int // of the data
	data    int // bytes

	rawKey, rawTensor     []any  // written behind the others as they are
	keyCount, tensorCount uint64 // added to the true ones
}

type pair struct {
	name  string
	value []any // type and what follows it
}

type tensor struct {
	name   string
	dims   []uint64
	typ    uint32
	offset uint64
}

// Value types.
const (
	u8     uint32 = 0
	u32    uint32 = 4
	i32    uint32 = 5
	flag   uint32 = 7
	text   uint32 = 8
	array  uint32 = 9
	u64    uint32 = 10
	absent uint32 = 13
)

// Tensor types.
const (
	f32  = 0
	q4_0 = 2
	i8   = 24
)

// base returns a valid model.
func base() *model {
	return &model{
		version: 3, order: binary.LittleEndian, align: 32,
		keys: []pair{
			{"general.architecture", []any{text, "test"}},
			{"n", []any{u32, uint32(7)}},
			{"list", []any{array, i32, uint64(3), []int32{1, 2, 3}}},
			{"words", []any{array, text, uint64(2), "a", "b"}},
			{"flag", []any{flag, uint8(1)}},
		},
		tensors: []tensor{
			{"t.0", []uint64{4, 2}, f32, 0},
			{"t.1", []uint64{32}, q4_0, 32},
			{"t.2", []uint64{5}, i8, 64},
		},
		data: 96,
	}
}

// add appends a key.
func (m *model) add(name string, value ...any) { m.keys = append(m.keys, pair{name, value}) }

// bytes writes the file.
func (m *model) bytes() []byte {
	w := &writer{order: m.order}
	w.b = append(w.b, "GGUF"...)
	w.put(m.version, uint64(len(m.tensors))+m.tensorCount, uint64(len(m.keys))+m.keyCount)
	for _, k := range m.keys {
		w.put(k.name)
		w.put(k.value...)
	}
	w.put(m.rawKey...)
	for _, t := range m.tensors {
		w.put(t.name, uint32(len(t.dims)), t.dims, t.typ, t.offset)
	}
	w.put(m.rawTensor...)
	if m.data > 0 {
		for len(w.b)%m.align != 0 {
			w.b = append(w.b, 0)
		}
	}
	for i := range m.data {
		w.b = append(w.b, byte(i))
	}
	return w.b
}

type writer struct {
	b     []byte
	order binary.ByteOrder
}

// put appends numbers and strings; a raw string comes without its length.
func (w *writer) put(values ...any) {
	for _, v := range values {
		switch s := v.(type) {
		case string:
			w.put(uint64(len(s)), raw(s))
		case raw:
			w.b = append(w.b, s...)
		default:
			b, err := binary.Append(w.b, w.order, v)
			if err != nil {
				panic(err) // a mistake in the table of cases
			}
			w.b = b
		}
	}
}

type raw string
