package gguf

import (
	"fmt"
	"math"
)

// A ValueType is the type of a metadata value.
type ValueType uint32

// Value types of GGUF.
const (
	ValueUint8   ValueType = 0
	ValueInt8    ValueType = 1
	ValueUint16  ValueType = 2
	ValueInt16   ValueType = 3
	ValueUint32  ValueType = 4
	ValueInt32   ValueType = 5
	ValueFloat32 ValueType = 6
	ValueBool    ValueType = 7
	ValueString  ValueType = 8
	ValueArray   ValueType = 9
	ValueUint64  ValueType = 10
	ValueInt64   ValueType = 11
	ValueFloat64 ValueType = 12
)

var valueTypeNames = [...]string{"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"}

// String returns the short name of t, as in "u32".
func (t ValueType) String() string {
	if int(t) < len(valueTypeNames) {
		return valueTypeNames[t]
	}
	return fmt.Sprintf("value type %d", uint32(t))
}

// Scalar lists the Go types that hold single metadata values.
type Scalar interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64 | bool | string
}

// A Value is one metadata value: a scalar, an array of scalars, or an array of
// arrays. The zero Value is invalid.
type Value struct {
	typ  ValueType
	elem ValueType // of an array
	v    any       // T, []T, or []Value for an array of arrays
}

// ValueOf returns v as a metadata value of the matching type.
func ValueOf[T Scalar](v T) Value { return Value{typ: valueType[T](), v: v} }

// ArrayOf returns v as a metadata array. The array is not copied.
func ArrayOf[T Scalar](v []T) Value {
	return Value{typ: ValueArray, elem: valueType[T](), v: v}
}

// ArrayOfArrays returns an array whose elements are arrays themselves, each
// with an element type of its own.
func ArrayOfArrays(v []Value) Value {
	return Value{typ: ValueArray, elem: ValueArray, v: v}
}

func valueType[T Scalar]() ValueType {
	var zero T
	switch any(zero).(type) {
	case uint8:
		return ValueUint8
	case int8:
		return ValueInt8
	case uint16:
		return ValueUint16
	case int16:
		return ValueInt16
	case uint32:
		return ValueUint32
	case int32:
		return ValueInt32
	case float32:
		return ValueFloat32
	case bool:
		return ValueBool
	case string:
		return ValueString
	case uint64:
		return ValueUint64
	case int64:
		return ValueInt64
	default:
		return ValueFloat64
	}
}

// Type returns the type of v.
func (v Value) Type() ValueType { return v.typ }

// Elem returns the element type of an array.
func (v Value) Elem() ValueType { return v.elem }

// Any returns the Go value: T for a scalar, []T for an array of scalars,
// []Value for an array of arrays, nil for the zero Value.
func (v Value) Any() any { return v.v }

// Len returns the length of an array, and 0 for a scalar.
func (v Value) Len() int {
	switch a := v.v.(type) {
	case []uint8:
		return len(a)
	case []int8:
		return len(a)
	case []uint16:
		return len(a)
	case []int16:
		return len(a)
	case []uint32:
		return len(a)
	case []int32:
		return len(a)
	case []uint64:
		return len(a)
	case []int64:
		return len(a)
	case []float32:
		return len(a)
	case []float64:
		return len(a)
	case []bool:
		return len(a)
	case []string:
		return len(a)
	case []Value:
		return len(a)
	}
	return 0
}

// Int returns an integer of any width as int64; ok is false for other types
// and for a u64 beyond int64.
func (v Value) Int() (n int64, ok bool) {
	switch x := v.v.(type) {
	case uint8:
		return int64(x), true
	case int8:
		return int64(x), true
	case uint16:
		return int64(x), true
	case int16:
		return int64(x), true
	case uint32:
		return int64(x), true
	case int32:
		return int64(x), true
	case int64:
		return x, true
	case uint64:
		return int64(x), x <= math.MaxInt64
	}
	return 0, false
}

// Float returns a float of either width; ok is false for other types.
func (v Value) Float() (f float64, ok bool) {
	switch x := v.v.(type) {
	case float32:
		return float64(x), true
	case float64:
		return x, true
	}
	return 0, false
}

// Text returns a string; ok is false for other types.
func (v Value) Text() (s string, ok bool) { s, ok = v.v.(string); return }

// Bool returns a boolean; ok is false for other types.
func (v Value) Bool() (b, ok bool) { b, ok = v.v.(bool); return }
