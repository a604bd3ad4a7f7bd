package block

import (
	"slices"
	"testing"
)

func TestViewF32(t *testing.T) {
	want := []float32{1, -2, 0.5}
	src := make([]byte, 12)
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
	if view, ok := ViewF32(nil); !ok || len(view) != 0 {
		t.Errorf("no bytes give %v, %v", view, ok)
	}
}
