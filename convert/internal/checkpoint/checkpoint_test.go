package checkpoint

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/hostilecheckpoint"
)

const checkpoints = "../../testdata/checkpoints"

// A PyTorch file may hold views: a transposed matrix, two halves of one array.
func TestTorchViews(t *testing.T) {
	c, err := Open(filepath.Join(checkpoints, "bert_base_uncased"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	strided, shifted := 0, 0
	seen := map[int64]bool{}
	for _, x := range c.Tensors {
		if x.strides != nil {
			strided++
			if want := []int64{1, x.Shape[1]}; !slices.Equal(x.strides, want) {
				t.Errorf("%s has strides %v, want %v", x.Name, x.strides, want)
			}
		}
		if strings.HasSuffix(x.Name, "self.value.bias") && seen[x.offset-x.Elements()*x.DType.Size()] {
			shifted++
		}
		seen[x.offset] = true
	}
	if strided != 1 || shifted != 1 {
		t.Errorf("%d strided and %d shifted tensors, want one of each", strided, shifted)
	}
}

func TestGather(t *testing.T) {
	// Numbers 0 to 23 as [2 3 4], seen as [4 3 2] from behind.
	x := &Tensor{DType: I8, Shape: []int64{4, 3, 2}, strides: []int64{1, 4, 12}}
	for i := range 24 {
		x.data = append(x.data, byte(i))
	}
	var want []byte
	for i := range 4 {
		for j := range 3 {
			for k := range 2 {
				want = append(want, byte(i+4*j+12*k))
			}
		}
	}
	var buf []byte
	for from := range x.Rows() + 1 {
		for to := from; to <= x.Rows(); to++ {
			if got := x.Data(from, to, &buf); !bytes.Equal(got, want[2*from:2*to]) {
				t.Fatalf("rows %d to %d are %v, want %v", from, to, got, want[2*from:2*to])
			}
		}
	}
}

func TestFloats(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		d    DType
		src  string
		want []float32
	}{
		{F32, "\x00\x00\x80\x3f\x01\x00\x00\x80", []float32{1, -math.SmallestNonzeroFloat32}},
		{F16, "\x00\x3c\x00\xfc\x01\x00\xff\x7b", []float32{1, -inf, 0x1p-24, 65504}},
		{BF16, "\x80\x3f\x80\xff", []float32{1, -inf}},
		{F64, "\x00\x00\x00\x10\x00\x00\xf0\x3f\x01\x00\x00\x10\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\xf0\x7e", []float32{1, 1 + 0x1p-23, inf}},
		{I64, "\x01\x00\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", []float32{1 << 24, -1}},
		{I32, "\x03\x00\x00\x01\xff\xff\xff\xff", []float32{1<<24 + 4, -1}},
		{I16, "\xff\x7f\x00\x80", []float32{32767, -32768}},
		{I8, "\x7f\x80", []float32{127, -128}},
		{U8, "\x7f\x80", []float32{127, 128}},
		{Bool, "\x00\x01\x02", []float32{0, 1, 1}},
	} {
		got := make([]float32, len(c.want))
		c.d.Floats(got, []byte(c.src))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.d, got, c.want)
		}
	}
}

// checkTensors reads the first and the last row of each tensor.
func checkTensors(t *testing.T, tensors []*Tensor) {
	var buf []byte
	for _, x := range tensors {
		if x.Elements() == 0 {
			continue
		}
		rowBytes := x.RowLen() * x.DType.Size()
		for _, row := range []int64{0, x.Rows() - 1} {
			if got := x.Data(row, row+1, &buf); int64(len(got)) != rowBytes {
				t.Errorf("%s: row %d has %d bytes, want %d", x.Name, row, len(got), rowBytes)
			}
		}
	}
}

// addSeeds adds the files called name of the hostile checkpoints, which are as
// small as the fuzzer likes them.
func addSeeds(f *testing.F, name string) {
	seeds := 0
	for _, c := range hostilecheckpoint.Cases() {
		if data, ok := c.Files()[name]; ok {
			f.Add(data)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
}

func FuzzSafetensors(f *testing.F) {
	addSeeds(f, "model.safetensors")
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := parseSafetensors(data)
		if err == nil {
			checkTensors(t, tensors)
		}
	})
}

func FuzzTorch(f *testing.F) {
	addSeeds(f, "pytorch_model.bin")
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := parseTorch(data)
		if err == nil {
			checkTensors(t, tensors)
		}
	})
}

func FuzzPickle(f *testing.F) {
	for _, path := range []string{"bert_base_uncased/pytorch_model.bin", "gte-small-30K-instruct/pytorch_model-00001-of-00002.bin"} {
		data, err := os.ReadFile(filepath.Join(checkpoints, path))
		if err != nil {
			f.Fatal(err)
		}
		a, err := openArchive(data)
		if err != nil {
			f.Fatal(err)
		}
		pickle, err := a.content("data.pkl", maxPickle)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pickle)
	}
	for _, c := range hostilecheckpoint.Cases() {
		a, err := openArchive(c.Files()["pytorch_model.bin"])
		if err != nil {
			continue
		}
		if pickle, err := a.content("data.pkl", maxPickle); err == nil {
			f.Add(pickle)
		}
	}
	data := make([]byte, 1<<12)
	find := func(key string, d DType, count int64) (*storage, error) {
		return &storage{d, 0, min(max(count, 0), int64(len(data))/d.Size())}, nil
	}
	f.Fuzz(func(t *testing.T, pickle []byte) {
		tensors, err := readStateDict(pickle, find)
		if err != nil {
			return
		}
		for _, x := range tensors {
			x.data = data
		}
		checkTensors(t, tensors)
	})
}

func FuzzIndex(f *testing.F) {
	addSeeds(f, "model.safetensors.index.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		index, err := parseIndex("index.json", data)
		if err != nil {
			return
		}
		for tensor, file := range index {
			if !filepath.IsLocal(file) {
				t.Errorf("%s is in %s", tensor, file)
			}
		}
	})
}
