package embedding

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// The bits are those of sentence-transformers; see testdata/golden.py.
func TestBinaryGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/encodings.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Vector  []float32
		Binary  []int
		UBinary []int
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for i, c := range cases {
		var signed, unsigned []int
		for _, b := range Binary.Append(nil, c.Vector) {
			signed = append(signed, int(int8(b)))
		}
		for _, b := range UBinary.Append(nil, c.Vector) {
			unsigned = append(unsigned, int(b))
		}
		if !slices.Equal(signed, c.Binary) || !slices.Equal(unsigned, c.UBinary) {
			t.Errorf("vector %d: %v and %v, want %v and %v", i, signed, unsigned, c.Binary, c.UBinary)
		}
		if n := Binary.Elements(len(c.Vector)); n != len(c.Binary) {
			t.Errorf("vector %d: %d elements of %d dimensions, want %d", i, n, len(c.Vector), len(c.Binary))
		}
	}
}

func TestInt8(t *testing.T) {
	for _, c := range []struct {
		x    []float32
		want []int8
	}{
		{nil, nil},
		{[]float32{0, 0}, []int8{0, 0}},
		{[]float32{0.5, -0.5, 0.25, 0}, []int8{127, -127, 64, 0}}, // 63.5 to even
		{[]float32{-1e30, 1e30}, []int8{-127, 127}},
		{[]float32{math.MaxFloat32, -math.SmallestNonzeroFloat32}, []int8{127, 0}},
		{[]float32{math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32}, []int8{127, -127}},
	} {
		var got []int8
		for _, b := range Int8.Append(nil, c.x) {
			got = append(got, int8(b))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v becomes %v, want %v", c.x, got, c.want)
		}
	}
}

// Every number comes back within half a step.
func TestInt8Error(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		scale := Scale(x)
		for i, b := range Int8.Append(nil, x) {
			// The scale is rounded to float32.
			bound := float64(scale) * (0.5 + 127*0x1p-24)
			if d := math.Abs(float64(int8(b))*float64(scale) - float64(x[i])); d > bound {
				t.Fatalf("%d numbers: number %d is off by %g, more than %g", n, i, d, bound)
			}
		}
	}
}

func TestFloat32(t *testing.T) {
	got := Float32.Append([]byte{9}, []float32{1, -2})
	if want := []byte{9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}; !slices.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

func TestParseEncoding(t *testing.T) {
	for e, name := range encodingNames {
		if got, err := ParseEncoding(name); err != nil || got != Encoding(e) || got.String() != name {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
	want := `unknown type "int4"; choose one of f32, int8, binary, ubinary`
	if _, err := ParseEncoding("int4"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if got := Encoding(9).String(); got != "encoding 9" {
		t.Errorf("encoding 9 is called %q", got)
	}
}
