package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// An encoder appends what a cursor reads.
type encoder struct {
	b     []byte
	order binary.ByteOrder
}

// Files have tens of thousands of strings, each with its length, so the two
// integers that are needed most have a short way.

func (e *encoder) uint32(v uint32) {
	e.b = append(e.b, 0, 0, 0, 0)
	e.order.PutUint32(e.b[len(e.b)-4:], v)
}

func (e *encoder) uint64(v uint64) {
	e.b = append(e.b, 0, 0, 0, 0, 0, 0, 0, 0)
	e.order.PutUint64(e.b[len(e.b)-8:], v)
}

// number appends a number or boolean, or a slice of them.
func (e *encoder) number(v any) {
	b, err := binary.Append(e.b, e.order, v)
	if err != nil {
		panic(err) // a type of fixed size cannot fail
	}
	e.b = b
}

func (e *encoder) text(s string) {
	e.uint64(uint64(len(s)))
	e.b = append(e.b, s...)
}

// pair appends a key and its value.
func (e *encoder) pair(key string, v Value) error {
	if key == "" {
		return errors.New("name is empty")
	}
	if problem := checkIdentifier(key, maxKey); problem != "" {
		return fmt.Errorf("name %s", problem)
	}
	e.text(key)
	e.uint32(uint32(v.typ))
	return e.value(v, 0)
}

// value appends what follows the type of a value; depth counts the arrays around it.
func (e *encoder) value(v Value, depth int) error {
	if v.v == nil {
		return errors.New("has no value")
	}
	if v.typ == ValueArray {
		if depth == maxDepth {
			return fmt.Errorf("arrays are nested deeper than %d", maxDepth)
		}
		e.uint32(uint32(v.elem))
		e.uint64(uint64(v.Len()))
	}
	switch x := v.v.(type) {
	case string:
		e.text(x)
	case []string:
		for _, s := range x {
			e.text(s)
		}
	case []Value:
		for i, a := range x {
			if a.typ != ValueArray {
				return fmt.Errorf("element %d is a %s, not an array", i, a.typ)
			}
			if err := e.value(a, depth+1); err != nil {
				return err
			}
		}
	default:
		e.number(x)
	}
	return nil
}

// tensor appends a line of the tensor table.
func (e *encoder) tensor(t TensorInfo, offset int64) {
	e.text(t.Name)
	e.uint32(uint32(len(t.Shape)))
	e.number(t.Shape)
	e.uint32(uint32(t.Type))
	e.uint64(uint64(offset))
}
