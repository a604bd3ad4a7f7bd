package convert

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func parseConfig(t *testing.T, text string) *config {
	t.Helper()
	c := &config{file: "config.json", assumed: map[string]bool{}}
	if err := c.parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return c
}

// The factors of Llama 3's scaling are those that llama.cpp's converter computes,
// to the bit; see testdata/models.py.
func TestRopeFactors(t *testing.T) {
	data, err := os.ReadFile("testdata/rope.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Size    int64
		Theta   json.RawMessage `json:"rope_theta"`
		Scaling json.RawMessage `json:"rope_scaling"`
		Factors []byte
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		c := parseConfig(t, `{"rope_theta": `+string(row.Theta)+`, "rope_scaling": `+string(row.Scaling)+`}`)
		r, err := c.readRope(&ropeBases{theta: 1})
		if err != nil {
			t.Fatal(err)
		}
		factors, err := r.factors(c, row.Size)
		if err != nil {
			t.Fatal(err)
		}
		if got := factors.Data(0, 1, new([]byte)); !slices.Equal(got, row.Factors) {
			t.Errorf("%s:\n%s, want\n%s", row.Scaling, base64.StdEncoding.EncodeToString(got), base64.StdEncoding.EncodeToString(row.Factors))
		}
	}
	if len(rows) < 6 {
		t.Errorf("only %d rows", len(rows))
	}
}

// All forms of config.json give the keys that llama.cpp's converter writes.
func TestRopeKeys(t *testing.T) {
	one, two := &ropeBases{theta: 10000}, &ropeBases{theta: 1e6, local: 1e4}
	base := func(theta float32) map[string]any { return map[string]any{"x.rope.freq_base": theta} }
	with := func(m map[string]any, key string, value any) map[string]any {
		m = maps.Clone(m)
		m[key] = value
		return m
	}
	linear := with(with(base(10000), "x.rope.scaling.type", "linear"), "x.rope.scaling.factor", float32(2))
	yarn := with(with(with(base(1e6), "x.rope.scaling.type", "yarn"), "x.rope.scaling.factor", float32(4)), "x.rope.scaling.original_context_length", uint32(32))
	both := with(base(1e6), "x.rope.freq_base_swa", float32(1e4))
	for text, c := range map[string]struct {
		bases *ropeBases
		want  map[string]any
	}{
		`{}`:                     {one, base(10000)},
		`{"rope_theta": 500000}`: {one, base(500000)},
		`{"rope_theta": 500000, "rope_scaling": null}`:                                  {one, base(500000)},
		`{"rotary_emb_base": 1000}`:                                                     {one, base(1000)},
		`{"rope_parameters": {"rope_theta": 3e4, "rope_type": "default"}}`:              {one, base(30000)},
		`{"rope_theta": 1, "rope_parameters": {"rope_theta": 3e4}}`:                     {one, base(30000)},
		`{"rope_scaling": {"type": "linear", "factor": 2}}`:                             {one, linear},
		`{"rope_parameters": {"rope_type": "linear", "factor": 2.0}}`:                   {one, linear},
		`{"rope_scaling": {"rope_type": "LINEAR", "factor": 2}, "rope_parameters": {}}`: {one, linear},
		`{"rope_scaling": {"rope_type": "dynamic", "factor": 2}}`:                       {one, base(10000)},
		`{"rope_scaling": {"rope_type": "llama3", "factor": 2}}`:                        {one, base(10000)},
		`{"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 32}, "max_position_embeddings": 99}`: {one, yarn},
		`{"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4}, "max_position_embeddings": 32}`:                                         {one, yarn},
	} {
		compareRope(t, text, c.bases, c.want)
	}
	compareRope(t, `{}`, two, both)
	compareRope(t, `{"rope_theta": 5, "rope_local_base_freq": 6}`, two, with(base(5), "x.rope.freq_base_swa", float32(6)))
	compareRope(t, `{"rope_parameters": {"full_attention": {"rope_theta": 5}, "sliding_attention": {"rope_theta": 6}}}`, two, with(base(5), "x.rope.freq_base_swa", float32(6)))
	compareRope(t, `{"rope_parameters": {"sliding_attention": {"rope_theta": 6}}, "rope_scaling": {"type": "linear", "factor": 8}}`, two,
		with(with(with(base(1e6), "x.rope.freq_base_swa", float32(6)), "x.rope.scaling.type", "linear"), "x.rope.scaling.factor", float32(8)))
}

func compareRope(t *testing.T, text string, bases *ropeBases, want map[string]any) {
	t.Helper()
	r, err := parseConfig(t, text).readRope(bases)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	md := new(gguf.Metadata)
	if err := r.setMetadata(md, "x"); err != nil {
		t.Errorf("%s: %v", text, err)
	}
	got := make(map[string]any)
	for k, v := range md.All() {
		got[k] = v.Any()
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", text, got, want)
	}
}
