package block

import (
	"slices"
	"testing"
)

func TestViewF32(t *testing.T) {
	want := []float32{1, -2, 0.5, 3, 1e-20, -7}
	src := make([]byte, 4*len(want))
	encodeF32(src, want, nil, 0)
	view, ok := ViewF32(src)
	if !ok {
		t.Skip("this machine is big-endian")
	}
	if !slices.Equal(view, want) {
		t.Errorf("view is %v, want %v", view, want)
	}
	if _, ok := ViewF32(src[1:]); ok {
		t.Error("bytes that are not aligned have a view")
	}
	// Copied byte by byte, then.
	unaligned, got := make([]byte, 4*len(want)+1), make([]float32, len(want))
	encodeF32(unaligned[1:], want, nil, 0)
	decodeF32(got, unaligned[1:])
	if !slices.Equal(got, want) {
		t.Errorf("%v comes back as %v", want, got)
	}
	if view, ok := ViewF32(nil); !ok || len(view) != 0 {
		t.Errorf("no bytes give %v, %v", view, ok)
	}
}
