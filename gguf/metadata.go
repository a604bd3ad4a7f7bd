package gguf

import (
	"iter"
	"slices"
)

// Keys that this package gives a meaning to.
const (
	KeyAlignment           = "general.alignment"
	KeyArchitecture        = "general.architecture"
	KeyQuantizationVersion = "general.quantization_version" // QuantizationVersion
	KeySplitNo             = "split.no"
	KeySplitCount          = "split.count"
	KeySplitTensors        = "split.tensors.count"
)

// QuantizationVersion is the version of the block layouts (GGML_QNT_VERSION).
const QuantizationVersion uint32 = 2

// DefaultAlignment is the alignment of tensor data where general.alignment is absent.
const DefaultAlignment = 32

// Metadata is the ordered list of a file's key-value pairs. The zero value is
// empty and ready to use.
type Metadata struct {
	keys   []string
	values map[string]Value
}

// Len returns the number of keys.
func (m *Metadata) Len() int { return len(m.keys) }

// All yields the pairs in file order.
func (m *Metadata) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, k := range m.keys {
			if !yield(k, m.values[k]) {
				return
			}
		}
	}
}

// Lookup returns the value of key.
func (m *Metadata) Lookup(key string) (Value, bool) {
	v, ok := m.values[key]
	return v, ok
}

// Set gives key a value: in place when the key exists, at the end otherwise.
func (m *Metadata) Set(key string, v Value) {
	if _, ok := m.values[key]; !ok {
		m.keys = append(m.keys, key)
	}
	if m.values == nil {
		m.values = make(map[string]Value)
	}
	m.values[key] = v
}

// Delete removes key and reports whether it was there.
func (m *Metadata) Delete(key string) bool {
	if _, ok := m.values[key]; !ok {
		return false
	}
	delete(m.values, key)
	m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == key })
	return true
}

// Clone returns a copy that can be changed without changing m. Arrays are shared.
func (m *Metadata) Clone() *Metadata {
	c := &Metadata{keys: slices.Clone(m.keys), values: make(map[string]Value, len(m.values))}
	for k, v := range m.values {
		c.values[k] = v
	}
	return c
}

// Text returns the string at key, or "" when it is absent or no string.
func (m *Metadata) Text(key string) string { s, _ := m.values[key].Text(); return s }

// Int returns the integer at key; ok is false when it is absent or no integer.
func (m *Metadata) Int(key string) (n int64, ok bool) { return m.values[key].Int() }

// Float returns the float at key; ok is false when it is absent or no float.
func (m *Metadata) Float(key string) (f float64, ok bool) { return m.values[key].Float() }

// Bool returns the boolean at key; ok is false when it is absent or no boolean.
func (m *Metadata) Bool(key string) (b, ok bool) { return m.values[key].Bool() }

// Architecture returns general.architecture, or "".
func (m *Metadata) Architecture() string { return m.Text(KeyArchitecture) }

// Array returns the array of T at key, which must not be changed; ok is false
// when it is absent or of another type.
func Array[T Scalar](m *Metadata, key string) (a []T, ok bool) {
	a, ok = m.values[key].v.([]T)
	return
}
