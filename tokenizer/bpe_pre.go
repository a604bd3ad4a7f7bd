package tokenizer

import (
	"slices"
	"strings"
)

// unknownPre is written for a tokenizer that llama.cpp's converter does not know
// and refuses. llama.cpp does not look at the value for WordPiece.
const unknownPre = "default"

// A bpePre is a value of tokenizer.ggml.pre for BPE of bytes, and the structure
// of the tokenizers that it stands for. llama.cpp's converter chooses it by a
// hash of the ids of one test text, which depends on the vocabulary; here the
// structure decides.
type bpePre struct {
	names        string // separated by spaces; the first is written
	nfc          bool   // the normalizer is NFC, else there is none
	ignoreMerges bool   // words that are tokens are not merged
	stages       string // of the pre-tokenizer, separated by spaces, as in stageParts

	// Among structures that are the same, the first counts whose token is in the
	// vocabulary. Without a token, any vocabulary will do.
	token string
}

// Regular expressions of published tokenizers, by the names that stages have.
var namedPatterns = map[string]string{
	"gpt2":        gpt2Pattern,
	"llama3":      contractionsFolded + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"qwen2":       contractionsFolded + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"qwen35":      contractionsFolded + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"ufakzeka":    `[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"seed-coder":  contractionsFolded + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"minicpm5":    contractionsFolded + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"gpt4o":       wordsUpperFirst + contractionsFolded + `?|` + wordsUpperOnly + contractionsFolded + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"youtu":       wordsUpperFirst + contractionsFolded + `?|` + wordsUpperOnly + contractionsFolded + `?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"tekken":      wordsUpperFirst + `|` + wordsUpperOnly + `|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"exaone-moe":  contractionsFolded + `|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`,
	"jais2":       contractionsFolded + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}`,
	"deepseek":    deepseekPattern,
	"spark":       "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+|[\r\n]|\\s+(?!\\S)|\\s+",
	"default":     `[\p{P}\$\+<=>\^~\|]+`,
	"bloom":       ` ?[^(\s|[.,!?…。，、।۔،])]+`,
	"digits3":     `\p{N}{1,3}`,
	"digit":       `\p{N}`,
	"digits":      `\p{N}+`,
	"ascii3":      `[0-9][0-9][0-9]`,
	"thousands":   `(?=(\d{3})+(?!\d))`,
	"thousands2":  `\d{1,3}(?=(?:\d{3})*\b)`,
	"lines":       `[^\n]+|[\n]+`,
	"line-ends":   "[\r\n]",
	"last-spaces": `\s+$`,
	"cjk":         "[一-龥\u3040-ゟ゠-ヿ]+",
	"cjk-hangul":  "[一-龥ࠀ-一가-\uD7FF]+",
	"letters":     `\s?\p{L}+`,
	"marks":       `\s?\p{P}+`,
	"marks2":      "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+",
	"youtu-cjk":   "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+",
	"letters2":    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
}

// bpePres are the values that llama.cpp knows. The structures are those of the
// published tokenizers, as far as their files or llama.cpp's sources tell them;
// llama.cpp itself applies no normalizer.
var bpePres = []bpePre{
	{names: "starcoder", stages: "Digits gpt2", token: "<fim_prefix>"},
	{names: "smollm codeshell refact exaone minerva-7b mellum2", stages: "Digits gpt2"},
	{names: "command-r", stages: "Digits gpt2", nfc: true},
	{names: "modern-bert", stages: "gpt2", nfc: true, token: "[CLS]"},
	{names: "olmo mpt", stages: "gpt2", nfc: true},
	{names: "roberta-bpe jina-v1-en jina-v2-code", stages: "gpt2", token: "<mask>"},
	{names: "gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de gigachat a.x-4.0 mellum exaone4 jais trillion granite-docling", stages: "gpt2"},
	{names: "glm4 glm5", stages: "llama3", ignoreMerges: true, token: "[gMASK]"},
	{names: "chatglm-bpe", stages: "llama3", token: "[gMASK]"},
	{names: "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", stages: "llama3", ignoreMerges: true},
	{names: "dbrx smaug-bpe", stages: "llama3"},
	{names: "deepseek-r1-qwen", stages: "qwen2", nfc: true, token: "<｜begin▁of▁sentence｜>"},
	{names: "qwen2 kormo f2llmv2 megrez", stages: "qwen2", nfc: true},
	{names: "stablelm2 hunyuan solar-open grok-2 bailingmoe bailingmoe2 llada-moe", stages: "qwen2"},
	{names: "qwen35", stages: "qwen35", nfc: true},
	{names: "seed-coder", stages: "seed-coder"},
	{names: "ufakzeka", stages: "ufakzeka"},
	{names: "llama4", stages: "gpt4o", token: "<|begin_of_text|>"},
	{names: "gpt-4o kanana2 talkie minimax-m2", stages: "gpt4o"},
	{names: "granite-embed-multi-97m", stages: "gpt4o", ignoreMerges: true, token: "<|start_of_role|>"},
	{names: "gpt-4o", stages: "gpt4o", ignoreMerges: true},
	{names: "tekken", stages: "tekken", ignoreMerges: true},
	{names: "tiny_aya cohere2moe", stages: "thousands2 gpt4o"},
	{names: "youtu", stages: "youtu-cjk youtu", ignoreMerges: true},
	{names: "deepseek-v3 hunyuan-dense joyai-llm hy_v4", stages: "digits3 cjk deepseek"},
	{names: "spark2_5", stages: "digits3 cjk spark digit"},
	{names: "deepseek-coder", stages: "line-ends letters marks cjk-hangul Digits"},
	{names: "deepseek-llm", stages: "line-ends letters2 marks2 last-spaces cjk-hangul Digits"},
	{names: "minicpm5", stages: "digits3 minicpm5", ignoreMerges: true},
	{names: "laguna", stages: "lines qwen2"},
	{names: "exaone-moe", stages: "exaone-moe"},
	{names: "jais-2", stages: "jais2"},
	{names: "falcon", stages: "Punctuation gpt2 ByteLevel Numbers ascii3"},
	{names: "bloom poro-chat gpt3-finnish", stages: "bloom"},
	{names: "viking", stages: "bloom Digits"},
	{names: "superbpe", stages: "digits thousands"},
	{names: unknownPre, stages: "default gpt2 digits ascii3"}, // in llama.cpp
}

// parts returns the parts of a pre-tokenizer with these stages: patterns by
// name, Digits, Numbers (Digits that keeps numbers whole), Punctuation in runs
// and ByteLevel, which is the last without being named.
func (p *bpePre) parts() []hfPart {
	off, on := false, true
	var parts []hfPart
	stages := strings.Fields(p.stages)
	if !slices.Contains(stages, "ByteLevel") {
		stages = append(stages, "ByteLevel")
	}
	for _, stage := range stages {
		switch stage {
		case "Digits":
			parts = append(parts, hfPart{Type: "Digits", IndividualDigits: true})
		case "Numbers":
			parts = append(parts, hfPart{Type: "Digits"})
		case "Punctuation":
			parts = append(parts, hfPart{Type: "Punctuation", Behavior: "Contiguous"})
		case "ByteLevel":
			if n := len(parts); n > 0 && parts[n-1].Pattern != nil && *parts[n-1].Pattern.Regex == gpt2Pattern {
				parts[n-1] = hfPart{Type: "ByteLevel", AddPrefixSpace: &off, UseRegex: &on}
			} else {
				parts = append(parts, hfPart{Type: "ByteLevel", AddPrefixSpace: &off, UseRegex: &off})
			}
		default:
			regex := namedPatterns[stage]
			parts = append(parts, hfPart{Type: "Split", Pattern: &hfPattern{Regex: &regex}, Behavior: "Isolated"})
		}
	}
	return parts
}

// normalizer returns the normalizer of p, or nil.
func (p *bpePre) normalizer() *hfPart {
	if !p.nfc {
		return nil
	}
	return &hfPart{Type: "NFC"}
}

// findBPEPre returns the structure that a value of tokenizer.ggml.pre stands for.
func findBPEPre(name string) (*bpePre, bool) {
	for i := range bpePres {
		if slices.Contains(strings.Fields(bpePres[i].names), name) {
			return &bpePres[i], true
		}
	}
	return nil, false
}

// is reports whether p has the structure of s.
func (p *bpePre) is(s *bpeScheme) bool {
	if p.ignoreMerges != s.ignoreMerges || p.normalizer().form() != s.normalizer.form() {
		return false
	}
	return mustPreTokenizer(p.parts()).equal(s.pre)
}

// manyMerges is how many merges a vocabulary must have for what they lack to
// mean something.
const manyMerges = 4096

// recognize returns the value of tokenizer.ggml.pre for v.
func (s *bpeScheme) recognize(v *Vocab) string {
	structures := []*bpeScheme{s}
	if gpt2 := (&bpePre{stages: "gpt2"}).parts(); len(s.merges) >= manyMerges && !s.mergesDigits() && slices.Equal(s.pre.forms, mustPreTokenizer(gpt2).forms) {
		// In a large vocabulary that was made with digits apart no merge has one:
		// the file has lost the part that kept them apart.
		apart := *s
		parts := (&bpePre{stages: "Digits gpt2"}).parts()
		apart.pre, apart.preParts = mustPreTokenizer(parts), &hfPart{Type: "Sequence", PreTokenizers: parts}
		structures = []*bpeScheme{&apart, s}
	}
	for _, structure := range structures {
		for i := range bpePres {
			p := &bpePres[i]
			if _, ok := v.ids[p.token]; (ok || p.token == "") && p.is(structure) {
				name, _, _ := strings.Cut(p.names, " ")
				if structure != s {
					s.pre, s.preParts = structure.pre, structure.preParts
					v.warn("%s: the pre-tokenizer that keeps digits apart seems lost, as no merge has one; texts are cut as %q does (--pre gpt-2 cuts them as the file says)",
						fileTokenizer, name)
				}
				return name
			}
		}
	}
	v.warn("%s: llama.cpp knows no tokenizer of this structure: %s; %s is %q, with which llama.cpp cuts texts differently (--pre NAME chooses another)",
		fileTokenizer, s.structure(), keyPre, unknownPre)
	return unknownPre
}

// mustPreTokenizer makes a pre-tokenizer of parts that are known to be right.
func mustPreTokenizer(parts []hfPart) *preTokenizer {
	p, err := newPreTokenizer(parts)
	if err != nil {
		panic(err)
	}
	return p
}

// mergesDigits reports whether a merge has an ASCII digit.
func (s *bpeScheme) mergesDigits() bool {
	return slices.ContainsFunc(s.merges, func(merge string) bool { return strings.ContainsAny(merge, "0123456789") })
}
