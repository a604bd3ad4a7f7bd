package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestFloat8 compares the numbers of all codes with PyTorch's.
func TestFloat8(t *testing.T) {
	data, err := os.ReadFile("../../testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Numbers map[string]any
	}
	if err := json.Unmarshal(data, &rules); err != nil {
		t.Fatal(err)
	}
	codes := make([]byte, 256)
	for i := range codes {
		codes[i] = byte(i)
	}
	for d, key := range map[DType]string{F8E4M3: "e4m3 to f32", F8E5M2: "e5m2 to f32"} {
		floats := make([]float32, len(codes))
		d.Floats(floats, codes)
		if sum := sha256.Sum256(littleEndian(floats)); hex.EncodeToString(sum[:]) != rules.Numbers[key] {
			t.Errorf("%s differs from PyTorch", d)
		}
	}
	for _, c := range []struct {
		d    DType
		code byte
		want float32
	}{
		{F8E4M3, 0x7e, 448}, {F8E4M3, 0x01, 0x1p-9}, {F8E4M3, 0x08, 0x1p-6}, {F8E4M3, 0xb8, -1},
		{F8E5M2, 0x7b, 57344}, {F8E5M2, 0x01, 0x1p-16}, {F8E5M2, 0x04, 0x1p-14}, {F8E5M2, 0xbc, -1}, {F8E5M2, 0x7c, float32(math.Inf(1))},
	} {
		got := make([]float32, 1)
		if c.d.Floats(got, []byte{c.code}); got[0] != c.want {
			t.Errorf("%s %#x is %v, want %v", c.d, c.code, got[0], c.want)
		}
	}
}

func littleEndian(floats []float32) []byte {
	var data []byte
	for _, f := range floats {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
	}
	return data
}

// array returns a tensor of small whole numbers, the first of them from.
func array(name string, d DType, from int, shape ...int64) *Tensor {
	t := &Tensor{Name: name, DType: d, Shape: shape}
	for i := range int(t.Elements()) {
		if d == I8 {
			t.data = append(t.data, byte(from+i))
		} else {
			t.data = append(t.data, littleEndian([]float32{float32(from + i)})...)
		}
	}
	return t
}

// Each element is multiplied by its scale, whatever rows are asked for, and
// whether the memory for them is aligned or not.
func TestApplyScales(t *testing.T) {
	for _, c := range []struct {
		weight, scales, blocks []int64
		index                  func(i, j, k int64) int64 // of the scale of an element
	}{
		{[]int64{4, 6}, []int64{}, nil, func(i, j, k int64) int64 { return 0 }},
		{[]int64{4, 6}, []int64{1}, nil, func(i, j, k int64) int64 { return 0 }},
		{[]int64{4, 6}, []int64{1, 1}, nil, func(i, j, k int64) int64 { return 0 }},
		{[]int64{4, 6}, []int64{4}, nil, func(i, j, k int64) int64 { return j }},
		{[]int64{4, 6}, []int64{4, 1}, nil, func(i, j, k int64) int64 { return j }},
		{[]int64{4, 6}, []int64{1, 6}, nil, func(i, j, k int64) int64 { return k }},
		{[]int64{4, 6}, []int64{4, 6}, nil, func(i, j, k int64) int64 { return 6*j + k }},
		{[]int64{4, 6}, []int64{2, 2}, []int64{3, 4}, func(i, j, k int64) int64 { return 2*(j/3) + k/4 }},
		{[]int64{4, 6}, []int64{1, 1}, []int64{128, 128}, func(i, j, k int64) int64 { return 0 }},
		{[]int64{4, 6}, []int64{4, 1}, []int64{3, 4}, func(i, j, k int64) int64 { return j }}, // no blocks after all
		{[]int64{4, 6}, []int64{4, 2}, []int64{3}, func(i, j, k int64) int64 { return 2*j + k/3 }},
		{[]int64{3, 4, 6}, []int64{3, 2, 2}, []int64{2, 5}, func(i, j, k int64) int64 { return 4*i + 2*(j/2) + k/5 }},
		{[]int64{3, 4, 6}, []int64{3, 1, 1}, nil, func(i, j, k int64) int64 { return i }},
		{[]int64{3, 4, 6}, []int64{1, 2, 2}, []int64{2, 5}, func(i, j, k int64) int64 { return 2*(j/2) + k/5 }},
		{[]int64{6}, []int64{1}, nil, func(i, j, k int64) int64 { return 0 }},
		{[]int64{6}, []int64{6}, nil, func(i, j, k int64) int64 { return k }},
		{[]int64{}, []int64{}, nil, func(i, j, k int64) int64 { return 0 }},
	} {
		const name = "x.weight"
		weight, scales := array(name, I8, -9, c.weight...), array(name+"_scale", F32, 3, c.scales...)
		ck := &Checkpoint{Tensors: []*Tensor{array("a", I8, 0, 1), weight, scales, array("x.input_scale", F32, 0)}}
		unused, err := ck.ApplyScales(c.blocks, true)
		if err != nil {
			t.Errorf("%v by %v: %v", c.weight, c.scales, err)
			continue
		}
		if len(ck.Tensors) != 2 || !slices.Equal(unused, []string{"x.input_scale"}) {
			t.Errorf("%d tensors are left, %q are unused", len(ck.Tensors), unused)
		}
		x := ck.Tensors[1]
		if x.Name != name || x.DType != F32 || !slices.Equal(x.Shape, c.weight) {
			t.Errorf("%v by %v is %s of %s %v", c.weight, c.scales, x.Name, x.DType, x.Shape)
		}
		shape := append(slices.Repeat([]int64{1}, 3-len(c.weight)), c.weight...)
		var want []float32
		for i := range shape[0] {
			for j := range shape[1] {
				for k := range shape[2] {
					at := int64(len(want))
					want = append(want, float32(int8(-9+at))*float32(3+c.index(i, j, k)))
				}
			}
		}
		for from := range x.Rows() + 1 {
			for to := from; to <= x.Rows(); to++ {
				for shift := range 2 {
					buf := make([]byte, 1000)[shift:]
					if got, want := x.Data(from, to, &buf), littleEndian(want[from*x.RowLen():to*x.RowLen()]); !slices.Equal(got, want) {
						t.Fatalf("%v by %v in %v: rows %d to %d are % x, want % x", c.weight, c.scales, c.blocks, from, to, got, want)
					}
				}
			}
		}
	}
}

func TestScaleErrors(t *testing.T) {
	for _, c := range []struct {
		tensors []*Tensor
		blocks  []int64
		want    string
	}{
		{[]*Tensor{array("a.weight", F8E4M3, 0, 2)}, nil, "its elements are F8_E4M3, but it has no scale"},
		{[]*Tensor{array("a.weight_scale", F32, 0, 2)}, nil, `the scale of "a.weight", which is missing`},
		{[]*Tensor{array("a.weight", I8, 0, 2), array("a.weight_scale", F32, 0, 3)}, nil, "its shape [3] fits no weight of shape [2]"},
		{[]*Tensor{array("a.weight", I8, 0), array("a.weight_scale", F32, 0, 1)}, nil, "its shape [1] fits no weight of shape []"},
		{[]*Tensor{array("a.weight", I8, 0, 4, 4), array("a.weight_scale_inv", F32, 0, 3, 2)}, []int64{2, 2}, "in blocks of [2 2]"},
		{[]*Tensor{array("a.weight", I8, 0, 2), array("a.weight_scale", F32, 0), array("a.weight_scale_inv", F32, 0)}, nil, "has another scale"},
	} {
		ck := &Checkpoint{Tensors: c.tensors}
		if _, err := ck.ApplyScales(c.blocks, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	plain := &Checkpoint{Tensors: []*Tensor{array("a.weight", I8, 0, 2)}}
	plain.Tensors[0].DType = F8E5M2
	if _, err := plain.ApplyScales(nil, false); err != nil {
		t.Errorf("8-bit floats without scales: %v", err)
	}
}

// Scales of any shape, from anywhere, do not lead outside of what there is.
func FuzzScales(f *testing.F) {
	f.Add(int64(4), int64(6), int64(2), int64(2), int64(3), int64(4), true)
	f.Add(int64(4), int64(6), int64(4), int64(1), int64(128), int64(128), true)
	f.Add(int64(4), int64(6), int64(1), int64(6), int64(0), int64(0), false)
	f.Add(int64(0), int64(6), int64(0), int64(1), int64(1<<62), int64(1), true)
	f.Fuzz(func(t *testing.T, rows, columns, scaleRows, scaleColumns, blockRows, blockColumns int64, inBlocks bool) {
		for _, n := range []int64{rows, columns, scaleRows, scaleColumns} {
			if n < 0 || n > 40 {
				return
			}
		}
		var blocks []int64
		if inBlocks {
			blocks = []int64{max(blockRows, 1), max(blockColumns, 1)}
		}
		ck := &Checkpoint{Tensors: []*Tensor{array("a.weight", I8, 1, rows, columns), array("a.weight_scale", F32, 1, scaleRows, scaleColumns)}}
		if _, err := ck.ApplyScales(blocks, true); err != nil {
			return
		}
		var buf []byte
		if got := ck.Tensors[0].Data(0, rows, &buf); int64(len(got)) != 4*rows*columns {
			t.Errorf("%d bytes of %d numbers", len(got), rows*columns)
		}
	})
}

func BenchmarkScaled(b *testing.B) {
	const rows, columns = 256, 4096
	for name, blocks := range map[string][]int64{"blocks": {128, 128}, "rows": nil} {
		b.Run(name, func(b *testing.B) {
			weight := &Tensor{Name: "a.weight", DType: F8E4M3, Shape: []int64{rows, columns}, data: make([]byte, rows*columns)}
			for i := range weight.data {
				weight.data[i] = byte(i * 7 % 127)
			}
			scales := array("a.weight_scale", F32, 1, rows, 1)
			if blocks != nil {
				scales = array("a.weight_scale", F32, 1, rows/128, columns/128)
			}
			ck := &Checkpoint{Tensors: []*Tensor{weight, scales}}
			if _, err := ck.ApplyScales(blocks, true); err != nil {
				b.Fatal(err)
			}
			var buf []byte
			b.SetBytes(rows * columns)
			for b.Loop() {
				ck.Tensors[0].Data(0, rows, &buf)
			}
		})
	}
}
