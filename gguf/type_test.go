package gguf

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// The rows of the table agree with themselves.
func TestTypeTable(t *testing.T) {
	names := map[string]Type{}
	for id := range Type(len(types)) {
		r := id.row()
		if r == nil {
			if types[id].bytes != 0 || id.Project() != "" || id.Removed() {
				t.Errorf("type %d has no name but %+v", id, types[id])
			}
			continue
		}
		upper := strings.ToUpper(r.name)
		if other, dup := names[upper]; dup || upper != r.name {
			t.Errorf("types %d and %d are both called %s", other, id, r.name)
		}
		names[upper] = id
		for _, name := range []string{r.name, strings.ToLower(r.name)} {
			if got, err := ParseType(name); got != id || err != nil {
				t.Errorf("ParseType(%s) = %d, %v", name, got, err)
			}
		}
		if known := r.status == current; known != (r.block > 0) || known != (r.bytes > 0) || !known && r.swap != nil {
			t.Errorf("%s: %+v", id, r)
		}
		end := 0
		for _, f := range r.swap {
			if f.offset < end || f.offset+f.width > r.bytes || f.width != 2 && f.width != 4 && f.width != 8 {
				t.Errorf("%s: field %+v in blocks of %d bytes", id, f, r.bytes)
			}
			end = f.offset + f.width
		}
	}
}

func TestTypeStatus(t *testing.T) {
	for _, c := range []struct {
		id      Type
		name    string
		project string
		removed bool
	}{
		{TypeQ4_K, "Q4_K", "llama.cpp", false},
		{TypeIQ2XXS, "IQ2_XXS", "llama.cpp", false},
		{4, "Q4_2", "llama.cpp", true},
		{5, "Q4_3", "llama.cpp", true},
		{31, "Q4_0_4_4", "llama.cpp", true},
		{38, "IQ4_NL_8_8", "llama.cpp", true},
		{97, "Q8_0_X4", "ik_llama.cpp", false},
		{144, "IQ4_KS", "ik_llama.cpp", false},
		{399, "Q8_K_R8", "ik_llama.cpp", false},
		{43, "type 43", "", false},
		{400, "type 400", "", false},
		{math.MaxUint32, "type 4294967295", "", false},
	} {
		if c.id.String() != c.name || c.id.Project() != c.project || c.id.Removed() != c.removed {
			t.Errorf("type %d is %s of %q, removed %t", uint32(c.id), c.id, c.id.Project(), c.id.Removed())
		}
	}
	if _, err := ParseType("Q4_K_M"); err == nil || !strings.Contains(err.Error(), `tensor type "Q4_K_M" does not exist`) {
		t.Error(err)
	}
}

func TestTypeSize(t *testing.T) {
	for _, c := range []struct {
		t    Type
		n    int64
		want int64
		ok   bool
	}{
		{TypeF32, 0, 0, true},
		{TypeF32, 3, 12, true},
		{TypeQ4_K, 512, 288, true},
		{TypeQ4_K, 511, 0, false},
		{TypeQ4_K, -256, 0, false},
		{TypeQ8_0, math.MaxInt64 &^ 31, 0, false},
		{TypeQ4_0, math.MaxInt64 &^ 31, math.MaxInt64 / 32 * 18, true},
		{TypeF64, math.MaxInt64 / 8, math.MaxInt64 &^ 7, true},
		{TypeF64, math.MaxInt64/8 + 1, 0, false},
		{144, 256, 0, false},
		{43, 256, 0, false},
	} {
		if got, ok := c.t.Size(c.n); got != c.want || ok != c.ok {
			t.Errorf("%s.Size(%d) = %d, %t", c.t, c.n, got, ok)
		}
	}
}

func TestFileType(t *testing.T) {
	for s, want := range map[string]FileType{
		"Q4_K_M": FileQ4_K_M, "q4_k_m": FileQ4_K_M, "Q4_K": FileQ4_K_M, "q3_k": FileQ3_K_M, "Q5_K": FileQ5_K_M,
		"15": FileQ4_K_M, "0": FileF32, "mxfp4_moe": FileMXFP4MoE, "33": 33, "1024": FileGuessed,
	} {
		if got, err := ParseFileType(s); got != want || err != nil {
			t.Errorf("ParseFileType(%s) = %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "Q4_K_X", "-1", "42", "4294967296", "1e3"} {
		if got, err := ParseFileType(s); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("ParseFileType(%q) = %s, %v", s, got, err)
		}
	}
	for id, name := range map[FileType]string{FileQ4_K_M: "Q4_K_M", 33: "Q4_0_4_4", 42: "file type 42"} {
		if id.String() != name {
			t.Errorf("file type %d is %s", uint32(id), id)
		}
	}
	for id := range FileType(50) {
		if want := slices.Contains([]FileType{4, 5, 6, 33, 34, 35}, id); id.Removed() != want {
			t.Errorf("%s: removed %t", id, id.Removed())
		}
	}
}
