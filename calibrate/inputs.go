package calibrate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/tokenizer"
)

// A Mode is how a model is shown texts.
type Mode uint8

// The modes.
const (
	Auto    Mode = iota // as the model is used
	Texts               // whole texts, each by itself, with the special tokens that the model expects
	Windows             // pieces of equal length of one long text
)

var modeNames = []string{"auto", "texts", "windows"}

// String returns the name of m, as in "texts".
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode returns the mode called name: auto, texts or windows.
func ParseMode(name string) (Mode, error) {
	for i, n := range modeNames {
		if n == name {
			return Mode(i), nil
		}
	}
	return 0, fmt.Errorf("unknown mode %q; choose one of %s", name, strings.Join(modeNames, ", "))
}

// Weighing returns what is usual in a mode: whole texts are weighed by vectors.
func (m Mode) Weighing() imatrix.Weighing {
	if m == Texts {
		return imatrix.ByVectors
	}
	return imatrix.ByTokens
}

// ModeOf returns how the model m, whose file has the metadata md, is used: one that
// predicts tokens, as bench.PredictsTokens says, sees windows; others see whole texts.
func ModeOf(md *gguf.Metadata, m *infer.Model) Mode {
	if bench.PredictsTokens(md, m) {
		return Windows
	}
	return Texts
}

// Inputs are what a model is shown: texts or windows, as token ids.
type Inputs struct {
	Mode Mode
	IDs  [][]int32
	Size int // tokens of a window; 0 for texts

	targets [][]int32 // windows as they stand in the text, with no token replaced
}

// WholeTexts returns texts as enc makes tokens of them, each behind prompt.
func WholeTexts(enc infer.Encoder, prompt string, texts []string, threads int) *Inputs {
	in := &Inputs{Mode: Texts, IDs: make([][]int32, len(texts))}
	cpu.NewPool(threads).Each(len(texts), func(_, i int) { in.IDs[i] = enc.Encode(prompt+texts[i], true) })
	return in
}

// CutWindows cuts the tokens of a text into windows of size tokens, as
// llama-imatrix does: those that are left over at the end make no window, and the
// first tokens of each window are replaced by prefix, the BOS token of models
// that want one. The first skip windows are left out.
func CutWindows(ids, prefix []int32, size, skip int) (*Inputs, error) {
	switch {
	case size < bench.MinContextSize:
		return nil, fmt.Errorf("a window of %d tokens is too short; choose at least %d", size, bench.MinContextSize)
	case len(prefix) > size/2:
		return nil, fmt.Errorf("%d tokens begin each window, more than half of its %d", len(prefix), size)
	case len(ids) < size:
		return nil, fmt.Errorf("the text has %d tokens, fewer than a window of %d; take a longer text or a smaller window", len(ids), size)
	case len(ids)/size <= skip:
		return nil, fmt.Errorf("the text has %d tokens, which make %d windows of %d, and the first %d are left out", len(ids), len(ids)/size, size, skip)
	}
	in := &Inputs{Mode: Windows, Size: size}
	for at := skip * size; at+size <= len(ids); at += size {
		target := ids[at : at+size]
		window := append([]int32{}, target...)
		copy(window, prefix)
		in.IDs, in.targets = append(in.IDs, window), append(in.targets, target)
	}
	return in, nil
}

// Order returns those of the texts or windows that order names by number, in that
// order.
func (in *Inputs) Order(order []int) *Inputs {
	out := &Inputs{Mode: in.Mode, Size: in.Size}
	for _, i := range order {
		out.IDs = append(out.IDs, in.IDs[i])
		if in.targets != nil {
			out.targets = append(out.targets, in.targets[i])
		}
	}
	return out
}

// TextWindows cuts a text into windows as CutWindows does, each begun with what the
// tokenizer puts before a text. Special tokens that are written out in the text are
// taken for what they are only if special is set.
func TextWindows(tok *tokenizer.Tokenizer, text string, size, skip int, special bool) (*Inputs, error) {
	if !special {
		var err error
		if tok, err = tok.Literal(); err != nil {
			return nil, err
		}
	}
	prefix, _ := tok.Template()
	return CutWindows(tok.AppendEncode(append([]int32{}, prefix...), text, false), prefix, size, skip)
}

// First keeps the first n texts or windows, if there are more.
func (in *Inputs) First(n int) {
	in.keep(func(i int) bool { return i < n })
}

// Part keeps one of several shares, number 1 ≤ k ≤ shares: every text whose
// number leaves a rest of k - 1.
func (in *Inputs) Part(k, shares int) {
	in.keep(func(i int) bool { return i%shares == k-1 })
}

func (in *Inputs) keep(wanted func(i int) bool) {
	var numbers []int
	for i := range in.IDs {
		if wanted(i) {
			numbers = append(numbers, i)
		}
	}
	*in = *in.Order(numbers)
}

// Cut returns how many texts are longer than limit.
func (in *Inputs) Cut(limit int) (n int) {
	for _, ids := range in.IDs {
		if len(ids) > limit {
			n++
		}
	}
	return n
}

// fingerprint tells different inputs, and how they are shown, apart.
func (in *Inputs) fingerprint(limit int, o *Options) string {
	h := sha256.New()
	fmt.Fprintf(h, "%v %v %d %d %t %t\n", in.Mode, o.Weighing, in.Size, limit, o.Perplexity, o.Head)
	var b []byte
	for _, ids := range in.IDs {
		b = binary.LittleEndian.AppendUint64(b[:0], uint64(len(ids)))
		for _, id := range ids {
			b = binary.LittleEndian.AppendUint32(b, uint32(id))
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// fingerprintOf tells models apart: their keys, the shapes and types of their
// tensors, and some of the data of each.
func fingerprintOf(f *gguf.File) string {
	const sample = 4096
	h := sha256.New()
	for i := range f.Shards {
		h.Write(f.Head(i))
	}
	for _, t := range f.Tensors {
		data := f.Stored(t)
		h.Write(data[:min(sample, len(data))])
		h.Write(data[max(0, len(data)-sample):])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
