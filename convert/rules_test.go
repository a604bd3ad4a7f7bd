package convert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
)

// readRules reads a part of what testdata/golden.py got from gguf-py and numpy.
func readRules(t *testing.T, part string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(parts[part], into); err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	var want struct {
		IDs     [][]any
		Sizes   [][]any
		Experts [][2]json.RawMessage
	}
	readRules(t, "names", &want)
	if len(want.IDs) < 150 || len(want.Sizes) < 25 || len(want.Experts) < 4 {
		t.Fatalf("%d names and %d sizes", len(want.IDs), len(want.Sizes))
	}
	for _, row := range want.IDs {
		m := parseModelID(row[0].(string), int64(row[1].(float64)))
		got := []any{row[0], row[1], title(m.name), title(m.organization), m.basename, m.finetune, m.version, m.sizeLabel}
		for i := range got {
			if got[i] != row[i] {
				t.Errorf("%q of %v parameters:\n got %q\nwant %q", row[0], row[1], got, row)
				break
			}
		}
	}
	for _, row := range want.Experts {
		var shapes map[string][]int64
		var label string
		if err := errors.Join(json.Unmarshal(row[0], &shapes), json.Unmarshal(row[1], &label)); err != nil {
			t.Fatal(err)
		}
		var m Model
		for name, shape := range shapes {
			slices.Reverse(shape)
			m.Tensors = append(m.Tensors, &Tensor{TensorInfo: gguf.TensorInfo{Name: name, Shape: shape}})
		}
		if got := m.sizeLabel(); got != label {
			t.Errorf("the size of %s is %s, want %s", row[0], got, label)
		}
	}
	for _, row := range want.Sizes {
		if got := sizeLabel(int64(row[0].(float64))); got != row[1] {
			t.Errorf("size of %v is %s, want %s", row[0], got, row[1])
		}
	}
}

func TestHalfPrecision(t *testing.T) {
	var want struct {
		Low       []uint32
		F16, BF16 string
	}
	readRules(t, "numbers", &want)
	var floats []float32
	var bf16 []byte
	for high := range uint32(1 << 16) {
		for _, low := range want.Low {
			f := math.Float32frombits(high<<16 | low)
			floats = append(floats, f)
			bf16 = binary.LittleEndian.AppendUint16(bf16, block.F32ToBF16(f))
		}
	}
	f16 := make([]byte, 2*len(floats))
	encodeHalfs(f16, floats)
	for _, h := range []struct {
		name, want string
		data       []byte
	}{{"F16", want.F16, f16}, {"BF16", want.BF16, bf16}} {
		if sum := sha256.Sum256(h.data); hex.EncodeToString(sum[:]) != h.want {
			t.Errorf("%s differs from numpy", h.name)
		}
	}
}
