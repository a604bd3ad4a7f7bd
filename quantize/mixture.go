package quantize

import (
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// A role is what a weight does in its layer, as far as mixtures tell apart.
type role uint8

const (
	otherWeight role = iota
	outputWeight
	tokenEmbedding
	attnV // values, also fused with queries and keys or compressed with keys
	attnK
	attnQ
	attnOutput
	ffnUp
	ffnGate
	ffnDown
)

var roleNames = [...]string{"weight", "output", "token embeddings", "attn_v", "attn_k", "attn_q", "attn_output", "ffn_up", "ffn_gate", "ffn_down"}

func (r role) String() string { return roleNames[r] }

// roleParts tells roles by a part of the name; the first that is found counts.
var roleParts = []struct {
	part string
	role role
}{
	{"attn_qkv.weight", attnV},
	{"attn_kv_b.weight", attnV},
	{"attn_v.weight", attnV},
	{"attn_k.weight", attnK},
	{"attn_q.weight", attnQ},
	{"attn_output.weight", attnOutput},
	{"ffn_up", ffnUp},
	{"ffn_gate", ffnGate},
	{"ffn_down", ffnDown},
}

func roleOf(name string) role {
	switch name {
	case "output.weight":
		return outputWeight
	case "token_embd.weight", "per_layer_token_embd.weight":
		return tokenEmbedding
	}
	for _, p := range roleParts {
		if strings.Contains(name, p.part) {
			return p.role
		}
	}
	return otherWeight
}

// A site is where a weight stands, for conditions to look at.
type site struct {
	model      *model
	index      int64 // of the weight among those of its role, or its layer
	count      int64 // of weights of its role, or of layers
	importance bool  // there is an importance file
}

// A condition of a rule, with the words that a report says it in.
type condition struct {
	text  string
	holds func(s site) bool
}

var (
	firstTwo       = condition{"first two", func(s site) bool { return s.index < 2 }}
	firstFour      = condition{"first four", func(s site) bool { return s.index < 4 }}
	firstSixteenth = condition{"first sixteenth of the layers", func(s site) bool { return s.index < s.count/16 }}
	firstEighth    = condition{"first eighth of the layers", func(s site) bool { return s.index < s.count/8 }}
	inside         = condition{"inner three quarters of the layers", func(s site) bool { return s.index >= s.count/8 && s.index < 7*s.count/8 }}
	sensitive      = condition{"outer eighths and every third layer", isSensitive}
	grouped        = condition{"shared by four or more heads", func(s site) bool { return s.model.groups >= 4 }}
	fourExperts    = condition{"four or more experts", func(s site) bool { return s.model.experts >= 4 }}
	eightExperts   = condition{"eight experts", func(s site) bool { return s.model.experts == 8 }}
	falcon         = condition{"Falcon", func(s site) bool { return s.model.rules.falcon }}
	notFalcon      = condition{"", func(s site) bool { return !s.model.rules.falcon }}
	weighted       = condition{"with importance", func(s site) bool { return s.importance }}
	unweighted     = condition{"without importance", func(s site) bool { return !s.importance }}
)

func isSensitive(s site) bool {
	eighth := s.count / 8
	return s.index < eighth || s.index >= 7*s.count/8 || (s.index-eighth)%3 == 2
}

// A rule gives weights of a role another type than the base.
type rule struct {
	of   files // nil: all
	when when
	to   gguf.Type
}

type (
	files = []gguf.FileType
	when  = []condition
)

// keepBase is the type of rules that end the search without a change.
const keepBase = ^gguf.Type(0)

var (
	oneBit   = files{gguf.FileIQ1S, gguf.FileIQ1M}
	twoBit   = files{gguf.FileIQ2S, gguf.FileIQ2M}
	veryLow  = files{gguf.FileIQ1S, gguf.FileIQ1M, gguf.FileIQ2XXS, gguf.FileIQ2XS, gguf.FileIQ2S, gguf.FileIQ2M}
	moeLifts = files{gguf.FileQ2_K, gguf.FileIQ3XS, gguf.FileIQ3XXS, gguf.FileQ3_K_S, gguf.FileQ3_K_M, gguf.FileIQ4NL, gguf.FileQ4_K_S, gguf.FileQ4_K_M, gguf.FileIQ3S, gguf.FileIQ3M, gguf.FileIQ4XS}
)

// mixtures holds the rules of each role. The first rule that is of the file
// type and whose conditions hold decides; without one it is the base type. The
// rules are those of llama.cpp's src/llama-quant.cpp.
var mixtures = map[role][]rule{
	outputWeight: {
		{files{gguf.FileMXFP4MoE, gguf.FileQ8_0}, nil, gguf.TypeQ8_0},
		{nil, when{falcon}, gguf.TypeQ8_0},
		{veryLow, nil, gguf.TypeQ5_K},
		{files{gguf.FileIQ3XXS}, nil, gguf.TypeQ5_K},
		{nil, nil, gguf.TypeQ6_K},
	},
	tokenEmbedding: {
		{files{gguf.FileIQ2S, gguf.FileIQ2M, gguf.FileIQ3XXS}, nil, gguf.TypeIQ3S},
		{veryLow, nil, gguf.TypeQ2_K},
		{files{gguf.FileTQ1_0, gguf.FileTQ2_0, gguf.FileQ2_0}, nil, gguf.TypeQ4_K},
	},
	attnV: {
		{veryLow, when{grouped}, gguf.TypeQ4_K},
		{veryLow, when{fourExperts}, gguf.TypeQ4_K},
		{twoBit, nil, gguf.TypeIQ3S},
		{veryLow, nil, gguf.TypeQ2_K},
		{nil, when{eightExperts}, gguf.TypeQ8_0},
		{files{gguf.FileQ2_K, gguf.FileQ2_K_S, gguf.FileIQ3XXS, gguf.FileIQ3XS, gguf.FileIQ3S}, when{grouped}, gguf.TypeQ4_K},
		{files{gguf.FileQ2_K}, nil, gguf.TypeQ3_K},
		{files{gguf.FileIQ3XXS}, when{unweighted}, gguf.TypeIQ3S},
		{files{gguf.FileIQ3M}, nil, gguf.TypeQ4_K},
		{files{gguf.FileQ3_K_M}, when{firstTwo}, gguf.TypeQ5_K},
		{files{gguf.FileQ3_K_M}, nil, gguf.TypeQ4_K},
		{files{gguf.FileQ3_K_L}, nil, gguf.TypeQ5_K},
		{files{gguf.FileIQ4NL, gguf.FileIQ4XS}, when{grouped}, gguf.TypeQ5_K},
		{files{gguf.FileQ4_K_M, gguf.FileQ5_K_M}, when{sensitive}, gguf.TypeQ6_K},
		{files{gguf.FileQ4_K_S}, when{firstFour}, gguf.TypeQ5_K},
	},
	attnK: {
		{veryLow, when{eightExperts}, gguf.TypeQ4_K},
		{nil, when{eightExperts}, gguf.TypeQ8_0},
		{files{gguf.FileIQ3XS}, nil, gguf.TypeIQ3XXS},
		{files{gguf.FileIQ3XXS}, nil, gguf.TypeIQ2S},
	},
	attnQ: {
		{files{gguf.FileIQ3XS}, nil, gguf.TypeIQ3XXS},
		{files{gguf.FileIQ3XXS}, nil, gguf.TypeIQ2S},
	},
	attnOutput: {
		{veryLow, when{eightExperts}, gguf.TypeQ5_K},
		{oneBit, nil, gguf.TypeIQ2XXS},
		{twoBit, nil, gguf.TypeIQ3S},
		{files{gguf.FileQ3_K_L}, when{falcon}, gguf.TypeQ4_K},
		{nil, when{falcon}, keepBase},
		{moeLifts, when{eightExperts}, gguf.TypeQ5_K},
		{nil, when{eightExperts}, keepBase},
		{files{gguf.FileQ2_K}, nil, gguf.TypeQ3_K},
		{files{gguf.FileIQ3XXS}, nil, gguf.TypeIQ3S},
		{files{gguf.FileQ3_K_M, gguf.FileIQ3M}, nil, gguf.TypeQ4_K},
		{files{gguf.FileQ3_K_L}, nil, gguf.TypeQ5_K},
	},
	ffnUp: {
		{files{gguf.FileIQ3XS}, when{inside}, gguf.TypeIQ3XXS},
	},
	ffnGate: {
		{files{gguf.FileIQ3XS}, when{inside}, gguf.TypeIQ3XXS},
	},
	ffnDown: {
		{twoBit, when{firstEighth}, gguf.TypeIQ3S},
		{veryLow, when{firstEighth}, gguf.TypeQ2_K},
		{files{gguf.FileQ2_K}, nil, gguf.TypeQ3_K},
		{files{gguf.FileQ2_K_S}, when{firstEighth}, gguf.TypeQ4_K},
		{files{gguf.FileIQ3XXS}, when{unweighted, firstEighth}, gguf.TypeQ4_K},
		{files{gguf.FileIQ3XXS}, when{unweighted}, gguf.TypeQ3_K},
		{files{gguf.FileQ3_K_M}, when{firstSixteenth}, gguf.TypeQ5_K},
		{files{gguf.FileQ3_K_M}, when{notFalcon}, gguf.TypeQ4_K},
		{files{gguf.FileQ3_K_M}, when{falcon, sensitive}, gguf.TypeQ4_K},
		{files{gguf.FileIQ3M}, when{firstEighth}, gguf.TypeQ4_K},
		{files{gguf.FileIQ3M}, when{eightExperts, sensitive}, gguf.TypeQ4_K},
		{files{gguf.FileQ3_K_L}, when{falcon}, gguf.TypeQ4_K},
		{files{gguf.FileQ3_K_L}, nil, gguf.TypeQ5_K},
		{files{gguf.FileQ4_K_M}, when{falcon, firstSixteenth}, gguf.TypeQ6_K},
		{files{gguf.FileQ4_K_M}, when{falcon, sensitive}, gguf.TypeQ5_K},
		{files{gguf.FileQ4_K_M}, when{notFalcon, sensitive}, gguf.TypeQ6_K},
		{files{gguf.FileQ5_K_M}, when{sensitive}, gguf.TypeQ6_K},
		{files{gguf.FileIQ4NL, gguf.FileIQ4XS}, when{unweighted, firstEighth}, gguf.TypeQ5_K},
		{files{gguf.FileQ4_K_S}, when{notFalcon, firstEighth}, gguf.TypeQ5_K},
		{files{gguf.FileQ4_0}, when{weighted, firstEighth}, gguf.TypeQ4_1},
		{files{gguf.FileQ5_0}, when{weighted, firstEighth}, gguf.TypeQ5_1},
	},
}

// apply returns the type that the rules of a role give at s, and the rule's
// conditions in words. Without a matching rule it is the base type.
func apply(rules []rule, t gguf.FileType, base gguf.Type, s site) (gguf.Type, string) {
	for _, r := range rules {
		if r.of != nil && !slices.Contains(r.of, t) {
			continue
		}
		if slices.ContainsFunc(r.when, func(c condition) bool { return !c.holds(s) }) {
			continue
		}
		if r.to == keepBase {
			return base, ""
		}
		var texts []string
		for _, c := range r.when {
			if c.text != "" {
				texts = append(texts, c.text)
			}
		}
		return r.to, strings.Join(texts, ", ")
	}
	return base, ""
}
