package checkpoint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/internal/fault"
)

// parseSafetensors returns the tensors of a safetensors file, sorted by name:
//
//	0    length n of the header, u64
//	8    header: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {...}}
//	8+n  data, which the tensors cover without gaps or overlaps
//
// See https://github.com/huggingface/safetensors#format.
func parseSafetensors(data []byte) ([]*Tensor, error) {
	if len(data) < 8 {
		return nil, notSafetensors("it has %d bytes, not even the length of a header", len(data))
	}
	n, rest := binary.LittleEndian.Uint64(data), data[8:]
	switch {
	case n > jsonfile.MaxSize:
		return nil, notSafetensors("its header would have %d bytes, more than the %d that are read", n, jsonfile.MaxSize)
	case n > uint64(len(rest)):
		return nil, notSafetensors("its header would have %d bytes, but only %d follow", n, len(rest))
	}
	header, dataAt := rest[:n], int64(8+n)
	var entries map[string]json.RawMessage
	err := jsonfile.Unmarshal("", header, &entries)
	if err == nil {
		err = jsonfile.UniqueKeys("", header)
	}
	if f, ok := errors.AsType[*fault.FormatError](err); ok && f.Offset != fault.NoOffset {
		f.Offset += 8
	}
	if err != nil {
		return nil, err
	}
	tensors := make([]*Tensor, 0, len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name == "__metadata__" {
			continue
		}
		t, err := parseEntry(name, entries[name], int64(len(data))-dataAt)
		if err != nil {
			return nil, err
		}
		t.data = data
		t.offset += dataAt
		tensors = append(tensors, t)
	}
	return tensors, checkCover(tensors, dataAt, int64(len(data)))
}

func notSafetensors(format string, args ...any) error {
	return damaged("", "not a valid safetensors file: "+format, args...)
}

// parseEntry parses the entry of a tensor in a header that dataSize bytes follow.
// The offset of the result counts from the first of them.
func parseEntry(name string, entry json.RawMessage, dataSize int64) (*Tensor, error) {
	var fields map[string]json.RawMessage
	if err := jsonfile.Unmarshal("", entry, &fields); err != nil {
		return nil, damaged(name, "invalid entry: %v", err)
	}
	for field := range fields {
		if !slices.Contains([]string{"dtype", "shape", "data_offsets"}, field) {
			return nil, damaged(name, "invalid entry: there is no field %q", field)
		}
	}
	var info struct {
		DType   string    `json:"dtype"`
		Shape   []int64   `json:"shape"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := jsonfile.Unmarshal("", entry, &info); err != nil {
		return nil, damaged(name, "invalid entry: %v", err)
	}
	d, ok := parseDType(info.DType)
	if !ok && slices.Contains(otherDTypes, info.DType) {
		return nil, fault.Unsupported("", quote(name), "convert the model in full precision",
			"elements of type %s are not supported", info.DType)
	}
	if !ok {
		return nil, damaged(name, "there is no type %q of elements", info.DType)
	}
	n, ok := elements(info.Shape)
	start, end := info.Offsets[0], info.Offsets[1]
	if !ok || n > math.MaxInt64/d.Size() {
		return nil, damaged(name, "its shape %v is impossible", info.Shape)
	}
	if start > end || end-start != uint64(n*d.Size()) {
		return nil, damaged(name, "its data is from %d to %d, which are not the bytes of %v elements of type %s", start, end, info.Shape, d)
	}
	if end > uint64(dataSize) {
		return nil, damaged(name, "its data ends at %d of %d bytes", end, dataSize)
	}
	return &Tensor{Name: name, DType: d, Shape: append([]int64{}, info.Shape...), offset: int64(start)}, nil
}

// checkCover checks that tensors cover the bytes of a file from start to end,
// each of them once.
func checkCover(tensors []*Tensor, start, end int64) error {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b *Tensor) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.bytes(), b.bytes()))
	})
	at := start
	for _, t := range sorted {
		if t.offset != at {
			return damaged(t.Name, "its data begins at %d, but that of the tensors before it ends at %d", t.offset-start, at-start)
		}
		at += t.bytes()
	}
	if at != end {
		return notSafetensors("%d bytes of data belong to no tensor", end-at)
	}
	return nil
}

// bytes returns the size of a tensor's elements.
func (t *Tensor) bytes() int64 { return t.Elements() * t.DType.Size() }

func damaged(tensor, format string, args ...any) error {
	part := ""
	if tensor != "" {
		part = quote(tensor)
	}
	e := fault.Malformed("", part, format, args...)
	e.Hint = "the file is incomplete, or a pointer of Git LFS; download it again"
	return e
}
