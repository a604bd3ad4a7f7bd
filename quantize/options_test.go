package quantize

import (
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		text string
		want gguf.FileType
		copy bool
	}{
		{"Q4_K_M", gguf.FileQ4_K_M, false},
		{"q4_k", gguf.FileQ4_K_M, false},
		{"Q3_K", gguf.FileQ3_K_M, false},
		{"q5_K", gguf.FileQ5_K_M, false},
		{"15", gguf.FileQ4_K_M, false},
		{"0", gguf.FileF32, false},
		{"bf16", gguf.FileBF16, false},
		{"iq2_xxs", gguf.FileIQ2XXS, false},
		{"mxfp4_moe", gguf.FileMXFP4MoE, false},
		{"Copy", 0, true},
	} {
		got, isCopy, err := ParseTarget(c.text)
		if err != nil || got != c.want || isCopy != c.copy {
			t.Errorf("%s: %v, %v, %v", c.text, got, isCopy, err)
		}
	}
	for _, text := range []string{"", "Q9_K", "Q4_K_X", "4", "33", "39", "NVFP4", "Q4_0_4_4", "1024", "GUESSED", "-1", "15x", "4294967311"} {
		_, _, err := ParseTarget(text)
		if err == nil || !strings.Contains(err.Error(), "the types are F32, F16, BF16, Q8_0, ") || !strings.HasSuffix(err.Error(), ", COPY") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseOverrides(t *testing.T) {
	got, err := ParseOverrides(" attn_Q=q5_K\n\tblk\\.[0-3]\\.FFN=iq4_nl  x=f16\r\n")
	want := []Override{{"attn_q", gguf.TypeQ5_K}, {`blk\.[0-3]\.ffn`, gguf.TypeIQ4NL}, {"x", gguf.TypeF16}}
	if err != nil || len(got) != len(want) {
		t.Fatal(got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	for text, want := range map[string]string{
		"attn_q":      "not of the form PATTERN=TYPE",
		"=q4_k":       "not of the form PATTERN=TYPE",
		"attn_q=":     "not of the form PATTERN=TYPE",
		"attn_q=q9_k": `tensor type "q9_k" does not exist`,
		"(attn=q4_k":  `tensor type pattern "(attn"`,
		"a=b=q4_k":    `tensor type "b=q4_k" does not exist`,
	} {
		if _, err := ParseOverrides(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestParseKVOverride(t *testing.T) {
	long := strings.Repeat("x", 128)
	for _, c := range []struct {
		text, key string
		want      any
	}{
		{"a.b=int:15", "a.b", uint32(15)},
		{"a=int:-15", "a", uint32(15)},
		{"a=int:+4294967295", "a", uint32(4294967295)},
		{"a=float:1e-5", "a", float32(1e-5)},
		{"a=float:-0.1", "a", float32(-0.1)},
		{"a=bool:true", "a", true},
		{"a=bool:false", "a", false},
		{"a=str:x=y:z", "a", "x=y:z"},
		{"a=str:", "a", ""},
		{"a=str:" + long[1:], "a", long[1:]},
	} {
		got, err := ParseKVOverride(c.text)
		if err != nil || got.Key != c.key || got.Value.Any() != c.want {
			t.Errorf("%s: %v, %v", c.text, got, err)
		}
	}
	for text, want := range map[string]string{
		"a":                   "not of the form KEY=TYPE:VALUE",
		"a=5":                 "not of the form KEY=TYPE:VALUE",
		"=int:5":              "not of the form KEY=TYPE:VALUE",
		long + "=int:5":       "the key has 128 bytes; at most 127 are allowed",
		"a=u8:5":              `type "u8" is none of int, float, bool, str`,
		"a=int:":              `"" is no integer`,
		"a=int:5.0":           `"5.0" is no integer`,
		"a=int:--5":           `"--5" is no integer`,
		"a=int:4294967296":    `"4294967296" is no integer of up to 32 bits`,
		"a=float:x":           `"x" is no number`,
		"a=float:1e39":        `"1e39" is no number that a 32-bit float can hold`,
		"a=float:nan":         `"nan" is no number`,
		"a=bool:1":            `"1" is neither true nor false`,
		"a=str:" + long:       "the string has 128 bytes; at most 127 are allowed",
		"general.x=arr:[1]":   `type "arr" is none of`,
		"general.x=INT:1":     `type "INT" is none of`,
		"general.x= int:1":    `type " int" is none of`,
		"general.x=bool:TRUE": `"TRUE" is neither`,
	} {
		if _, err := ParseKVOverride(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
