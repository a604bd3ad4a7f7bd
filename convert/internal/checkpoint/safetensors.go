package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/nlpodyssey/safetensors"

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
	if len(data) >= 8 {
		n, rest := binary.LittleEndian.Uint64(data), data[8:]
		if n <= uint64(len(rest)) && n <= jsonfile.MaxSize {
			if err := checkHeader(rest[:n], uint64(len(rest))-n); err != nil {
				return nil, err
			}
		}
	}
	n, metadata, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, damaged("", "not a valid safetensors file: %v", err)
	}
	infos := metadata.Tensors()
	tensors := make([]*Tensor, 0, len(infos))
	for _, name := range slices.Sorted(maps.Keys(infos)) {
		info := infos[name]
		t := &Tensor{Name: name, Shape: make([]int64, len(info.Shape)), data: data, offset: int64(8 + n + info.DataOffsets[0])}
		t.DType, _ = parseDType(info.DType.String())
		for i, d := range info.Shape {
			t.Shape[i] = int64(d)
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// checkHeader finds what the library does not, such as names that appear twice,
// and names the tensor where the library would not. That tensors cover the data
// without gaps or overlaps is left to it.
func checkHeader(header []byte, dataSize uint64) error {
	var raw map[string]json.RawMessage
	err := jsonfile.Unmarshal("", header, &raw)
	if err == nil {
		err = jsonfile.UniqueKeys("", header)
	}
	if f, ok := errors.AsType[*fault.FormatError](err); ok && f.Offset != fault.NoOffset {
		f.Offset += 8
	}
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if name == "__metadata__" {
			continue
		}
		var info struct {
			DType   string    `json:"dtype"`
			Shape   []int64   `json:"shape"`
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if err := jsonfile.Unmarshal("", raw[name], &info); err != nil {
			return damaged(name, "invalid entry: %v", err)
		}
		d, ok := parseDType(info.DType)
		if !ok && slices.Contains(otherDTypes, info.DType) {
			return fault.Unsupported("", quote(name), "convert the model in full precision",
				"elements of type %s are not supported", info.DType)
		}
		if !ok {
			return damaged(name, "there is no type %q of elements", info.DType)
		}
		n, ok := elements(info.Shape)
		start, end := info.Offsets[0], info.Offsets[1]
		if !ok || n > math.MaxInt64/d.Size() {
			return damaged(name, "its shape %v is impossible", info.Shape)
		}
		if start > end || end-start != uint64(n*d.Size()) {
			return damaged(name, "its data is from %d to %d, which are not the bytes of %v elements of type %s", start, end, info.Shape, d)
		}
		if end > dataSize {
			return damaged(name, "its data ends at %d of %d bytes", end, dataSize)
		}
	}
	return nil
}

func damaged(tensor, format string, args ...any) error {
	part := ""
	if tensor != "" {
		part = quote(tensor)
	}
	e := fault.Malformed("", part, format, args...)
	e.Hint = "the file is incomplete, or a pointer of Git LFS; download it again"
	return e
}
