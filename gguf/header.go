package gguf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// A header is everything before the data of one file.
type header struct {
	version   uint32
	order     binary.ByteOrder
	alignment int64
	metadata  *Metadata
	tensors   []*Tensor // offsets from the start of the file
	dataAt    int64
}

// parse reads and validates the header of the file whose content is b. It
// touches nothing behind the tensor table.
func parse(file string, b []byte) (*header, error) {
	c := &cursor{file: file, part: "header", b: b[:min(len(b), maxHead)], order: binary.LittleEndian}
	h := &header{metadata: &Metadata{}, alignment: DefaultAlignment}
	h.readVersion(c)
	tensors := c.count(minTensor, "tensors")
	keys := c.count(minKey, "keys")
	h.readMetadata(c, keys)
	entries := h.readTensors(c, tensors)
	if c.err == nil {
		h.placeTensors(c, entries, int64(len(b)))
	}
	if c.err != nil {
		return nil, c.err
	}
	return h, nil
}

// Formats before GGUF, by the first four bytes.
var legacy = map[string]string{"lmgg": "GGML", "fmgg": "GGMF", "tjgg": "GGJT", "algg": "GGLA"}

func (h *header) readVersion(c *cursor) {
	const again = "convert the original model again"
	magic := string(c.take(4, "magic"))
	switch {
	case magic == "GGUF":
	case legacy[magic] != "":
		c.unsupported(again, "%s, a format before GGUF, is not read", legacy[magic])
	case bytes.HasPrefix(c.b, []byte("version https://git-lfs")):
		c.failHint(0, "fetch the model with: git lfs pull", "this is a Git LFS pointer and not the model itself")
	default:
		c.failHint(0, "name a GGUF file", "the file begins with %q, not with %q", magic, "GGUF")
	}
	at := c.pos
	v := c.uint32("version")
	// A version has few bits, so that one of the other byte order ends in zeros.
	if v != 0 && v&0xffff == 0 {
		v = bits.ReverseBytes32(v)
		c.order = binary.BigEndian
	}
	h.version, h.order = v, c.order
	switch {
	case c.err != nil:
	case v == 0:
		c.fail(at, "version is 0")
	case v == 1:
		c.unsupported(again, "GGUF version 1 is not read, only 2 and 3")
	case v == 2 && c.order == binary.BigEndian:
		c.unsupported(again, "big-endian GGUF version 2 is not read: big-endian files begin with version 3")
	case v > 3:
		c.unsupported("a newer gguftool may read it", "GGUF version %d is not read, only 2 and 3", v)
	}
}

func (h *header) readMetadata(c *cursor, n int) {
	c.part = "key"
	for range n {
		at := c.pos
		c.name = ""
		key := c.identifier(maxKey)
		c.name = key
		if c.err == nil && key == "" {
			c.fail(at, "name is empty")
		}
		if _, dup := h.metadata.Lookup(key); dup {
			c.fail(at, "occurs twice")
		}
		at = c.pos
		v := c.value(0)
		if c.err != nil {
			return
		}
		h.metadata.Set(key, v)
		if key == KeyAlignment {
			a, problem := alignment(v)
			if problem != "" {
				c.fail(at, "%s", problem)
				return
			}
			h.alignment = a
		}
	}
}

// alignment returns the value of general.alignment, or what is wrong with it.
func alignment(v Value) (n int64, problem string) {
	a, ok := v.Any().(uint32)
	switch {
	case !ok:
		return 0, "must be u32 but is " + v.Type().String()
	case bits.OnesCount32(a) != 1:
		return 0, fmt.Sprintf("is %d, not a power of two", a)
	case a > maxAlignment:
		return 0, fmt.Sprintf("is %d, more than %d", a, maxAlignment)
	}
	return int64(a), ""
}

// An entry is a line of the tensor table with its place in the file.
type entry struct {
	*Tensor
	at int
}

func (h *header) readTensors(c *cursor, n int) []entry {
	c.part = "tensor"
	var entries []entry
	seen := map[string]bool{}
	for range n {
		at := c.pos
		c.name = ""
		t := &Tensor{Name: c.identifier(maxName)}
		c.name = t.Name
		if seen[t.Name] {
			c.fail(at, "occurs twice")
		}
		seen[t.Name] = true
		t.Shape = c.shape()
		typeAt := c.pos
		t.Type = Type(c.uint32("type"))
		offset := c.uint64("offset")
		if c.err == nil {
			t.measure(c, at, typeAt, offset, h.alignment)
		}
		if c.err != nil {
			return nil
		}
		h.tensors = append(h.tensors, t)
		entries = append(entries, entry{t, at})
	}
	return entries
}

// measure checks what can be checked of a tensor on its own and sets its size,
// or unknownSize.
func (t *Tensor) measure(c *cursor, at, typeAt int, offset uint64, alignment int64) {
	if t.Type.row() == nil {
		c.unsupported("a newer gguftool may know it", "type %d is not known", uint32(t.Type))
		return
	}
	size, problem := sizeOf(t.Type, t.Shape)
	switch {
	case problem != "":
		c.fail(typeAt, "%s", problem)
	case offset > math.MaxInt64:
		c.fail(at, "offset %d does not fit into 63 bits", offset)
	case offset%uint64(alignment) != 0:
		c.fail(at, "offset %d is not a multiple of the alignment %d", offset, alignment)
	}
	t.Size, t.Offset = size, int64(offset)
}

// placeTensors turns offsets into positions in the file and checks that every
// tensor has its bytes to itself. The table may be in any order and may leave
// gaps.
func (h *header) placeTensors(c *cursor, entries []entry, size int64) {
	h.dataAt = align(int64(c.pos), h.alignment)
	if len(entries) == 0 {
		h.dataAt = min(h.dataAt, size)
		return
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		// An empty tensor shares its offset with the one behind it.
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(min(a.Elements(), 1), min(b.Elements(), 1)))
	})
	room := size - h.dataAt
	for i, t := range entries {
		c.name = t.Name
		end := room
		if i+1 < len(entries) {
			end = min(end, entries[i+1].Offset)
		}
		if t.Size == unknownSize {
			t.Size = max(end-t.Offset, 0)
			if t.Size == 0 && t.Elements() > 0 {
				c.fail(t.at, "has no bytes between its offset %d and the next tensor", t.Offset)
			}
		}
		switch {
		case t.Offset > room || t.Size > room-t.Offset:
			c.failHint(t.at, hintTruncated, "needs %d bytes at %d of the data, which has %d", t.Size, t.Offset, max(room, 0))
		case t.Offset+t.Size > end:
			c.fail(t.at, "overlaps tensor %q", entries[i+1].Name)
		}
		t.Offset += h.dataAt
	}
}
