package gguf

import (
	"encoding/binary"
	"math"
)

// Limits of a file. Where llama.cpp has the limit too it is the same.
const (
	maxKey       = 1<<16 - 1
	maxName      = 63 // bytes of a tensor name
	maxDims      = 4
	maxDepth     = 8       // arrays in arrays
	maxAlignment = 1 << 21 // a huge page; every tensor of a rewritten file may waste this much
)

// The least bytes that things take in a file.
const (
	minKey    = 8 + 1 + 4 + 1 // length, one letter, type, value
	minTensor = 8 + 4 + 4 + 8 // length of an empty name, dimensions, type, offset
	minString = 8
	minArray  = 4 + 8
)

// number lists the scalars that are stored as they are.
type number interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64
}

// A decoder reads one type of value: a single one, or an array of n of them.
type decoder struct {
	one  func(c *cursor) Value
	many func(c *cursor) Value
}

var decoders = map[ValueType]decoder{
	ValueUint8:   {one[uint8], many[uint8]},
	ValueInt8:    {one[int8], many[int8]},
	ValueUint16:  {one[uint16], many[uint16]},
	ValueInt16:   {one[int16], many[int16]},
	ValueUint32:  {one[uint32], many[uint32]},
	ValueInt32:   {one[int32], many[int32]},
	ValueFloat32: {one[float32], many[float32]},
	ValueBool:    {oneBool, manyBools},
	ValueString:  {oneString, manyStrings},
	ValueUint64:  {one[uint64], many[uint64]},
	ValueInt64:   {one[int64], many[int64]},
	ValueFloat64: {one[float64], many[float64]},
}

// value reads a value of any type. depth counts the arrays around it.
func (c *cursor) value(depth int) Value {
	at := c.pos
	t := ValueType(c.uint32("value type"))
	if t == ValueArray {
		return c.array(depth + 1)
	}
	d, ok := decoders[t]
	if !ok {
		c.fail(at, "%s does not exist", t)
		return Value{}
	}
	return d.one(c)
}

// array reads what follows the type of an array: element type, length, elements.
func (c *cursor) array(depth int) Value {
	at := c.pos
	if depth > maxDepth {
		c.fail(at, "arrays are nested deeper than %d", maxDepth)
		return Value{}
	}
	t := ValueType(c.uint32("element type"))
	if t == ValueArray {
		// Grown as elements arrive: lengths at eight depths could each claim all
		// the bytes that are left.
		a := []Value{}
		for n := c.length(minArray); len(a) < n; {
			v := c.array(depth + 1)
			if c.err != nil {
				return Value{}
			}
			a = append(a, v)
		}
		return ArrayOfArrays(a)
	}
	d, ok := decoders[t]
	if !ok {
		c.fail(at, "%s of array elements does not exist", t)
		return Value{}
	}
	return d.many(c)
}

// length reads the length of an array of elements that take at least width bytes.
func (c *cursor) length(width int) int { return c.count(uint64(width), "array elements") }

func one[T number](c *cursor) Value {
	var v T
	if p := c.take(uint64(binary.Size(v)), "value"); p != nil {
		binary.Decode(p, c.order, &v)
	}
	return ValueOf(v)
}

func many[T number](c *cursor) Value {
	var v T
	width := binary.Size(v)
	n := c.length(width)
	a := make([]T, n)
	if p := c.take(uint64(n)*uint64(width), "array"); p != nil {
		binary.Decode(p, c.order, a)
	}
	return ArrayOf(a)
}

// bools reads n booleans. Bytes other than 0 and 1 are refused: what they mean
// is a matter of the reader, and they would not survive rewriting.
func (c *cursor) bools(n int) []bool {
	a := make([]bool, n)
	at := c.pos
	for i, x := range c.take(uint64(n), "booleans") {
		if x > 1 {
			c.fail(at+i, "boolean is %d, neither 0 nor 1", x)
			break
		}
		a[i] = x == 1
	}
	return a
}

func oneBool(c *cursor) Value   { return ValueOf(c.bools(1)[0]) }
func manyBools(c *cursor) Value { return ArrayOf(c.bools(c.length(1))) }

func oneString(c *cursor) Value { return ValueOf(string(c.text("string"))) }

// manyStrings copies the whole array once and cuts the strings out of the copy:
// a vocabulary has hundreds of thousands of them.
func manyStrings(c *cursor) Value {
	a := make([]string, c.length(minString))
	start := c.pos
	for range a {
		if c.text("string"); c.err != nil {
			return Value{}
		}
	}
	region := string(c.b[start:c.pos])
	at := 0
	for i := range a {
		n := int(c.order.Uint64(c.b[start+at:]))
		at += 8
		a[i] = region[at : at+n]
		at += n
	}
	return ArrayOf(a)
}

// shape reads the shape of a tensor. Like llama.cpp it takes a tensor without
// dimensions for one of a single element.
func (c *cursor) shape() (shape []int64) {
	at := c.pos
	n := c.uint32("number of dimensions")
	if n > maxDims {
		c.fail(at, "has %d dimensions, more than %d", n, maxDims)
		return nil
	}
	shape = make([]int64, n, maxDims)
	for i := range shape {
		d := c.uint64("dimension")
		if d > math.MaxInt64 {
			c.fail(at, "dimension %d is %d, more than fits into 63 bits", i, d)
			return nil
		}
		shape[i] = int64(d)
	}
	if n == 0 {
		shape = append(shape, 1)
	}
	return shape
}
