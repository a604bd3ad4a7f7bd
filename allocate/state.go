package allocate

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/gguftool/gguftool/internal/fault"
)

// A State holds what was measured, so that a search that was interrupted goes on
// from there, and that several machines share the measuring of tensors.
//
// It is written as JSON lines: first what it belongs to, then the measurements.
//
//	{"state": "gguftool allocate 1", "work": {"model": "7b0c...", "texts": "...", ...}}
//	{"tensor": "blk.0.attn_q.weight", "types": [{"type": "Q4_K", "mean": 0.0001, "error": 0.00001, "texts": 64}, ...]}
//	{"choice": "51f9...", "first": 0, "end": 128, "losses": "..."}
//
// Losses of a choice are those of each text, little-endian float64 in base64.
type State struct {
	// Work tells by digests what was measured: model, texts, importance, candidates
	// and whatever else changes a loss. A state of other work is of no use.
	Work map[string]string

	// Save, when set, is called when something was added.
	Save func() error

	singles  map[string][]Single
	combined map[combination]Loss
}

// A Single is the loss of a model in which one tensor has another type.
type Single struct {
	Type    string  `json:"type"`
	Mean    float64 `json:"mean"`
	Error   float64 `json:"error"`
	Texts   int     `json:"texts"`
	Dropped bool    `json:"dropped,omitempty"` // clearly not worth it after so many texts
}

// A combination is a choice for all tensors, by its digest, and the texts that it
// was measured on.
type combination struct {
	choice string
	texts  Range
}

// NewState returns a state of work that nothing is measured of.
func NewState(work map[string]string) *State {
	return &State{Work: work, singles: make(map[string][]Single), combined: make(map[combination]Loss)}
}

// Measured returns how many tensors are measured.
func (s *State) Measured() int { return len(s.singles) }

// stateFormat begins every state.
const stateFormat = "gguftool allocate 1"

// Lines of a state, told apart by their first member.
type (
	stateHead struct {
		Format string            `json:"state"`
		Work   map[string]string `json:"work"`
	}
	stateTensor struct {
		Tensor string   `json:"tensor"`
		Types  []Single `json:"types"`
	}
	stateChoice struct {
		Choice string `json:"choice"`
		First  int    `json:"first"`
		End    int    `json:"end"`
		Losses string `json:"losses"`
	}
)

// Write writes the state. The same measurements give the same bytes.
func (s *State) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(stateHead{stateFormat, s.Work}); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.singles)) {
		if err := enc.Encode(stateTensor{name, s.singles[name]}); err != nil {
			return err
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(s.combined), func(a, b combination) int {
		return cmp.Or(cmp.Compare(a.texts.First, b.texts.First), cmp.Compare(a.texts.End, b.texts.End), cmp.Compare(a.choice, b.choice))
	}) {
		var raw []byte
		for _, v := range s.combined[c] {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
		}
		if err := enc.Encode(stateChoice{c.choice, c.texts.First, c.texts.End, base64.StdEncoding.EncodeToString(raw)}); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadState reads a state that Write wrote; path is for errors.
func ReadState(path string, data []byte) (*State, error) {
	s := NewState(nil)
	number := 0
	for len(data) > 0 {
		number++
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := s.readLine(line); err != nil {
			return nil, fault.Malformed(path, fmt.Sprintf("line %d", number), "%v", err)
		}
	}
	if s.Work == nil {
		return nil, fault.Malformed(path, "", "it is empty, and no state of a choice of types")
	}
	return s, nil
}

func (s *State) readLine(line []byte) error {
	var all struct {
		stateHead
		stateTensor
		stateChoice
	}
	if err := json.Unmarshal(line, &all); err != nil {
		return fmt.Errorf("it is no line of a state: %v", err)
	}
	if s.Work == nil {
		if all.Format != stateFormat {
			return fmt.Errorf("it does not begin with %q, as a state of a choice of types does", stateFormat)
		}
		if s.Work = all.Work; s.Work == nil {
			s.Work = map[string]string{}
		}
		return nil
	}
	switch {
	case all.Tensor != "":
		for _, x := range all.Types {
			if x.Texts < 0 || bad(x.Mean) || bad(x.Error) {
				return fmt.Errorf("the loss of %s as %s is no number", all.Tensor, x.Type)
			}
		}
		s.singles[all.Tensor] = all.Types
	case all.Choice != "":
		raw, err := base64.StdEncoding.DecodeString(all.Losses)
		if err != nil {
			return fmt.Errorf("losses of a choice: %v", err)
		}
		if all.First < 0 || all.End < all.First || len(raw)%8 != 0 || len(raw)/8 != all.End-all.First {
			return fmt.Errorf("%d bytes of losses for the texts from %d to %d", len(raw), all.First, all.End)
		}
		loss := make(Loss, len(raw)/8)
		for i := range loss {
			if loss[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])); bad(loss[i]) {
				return fmt.Errorf("the loss of text %d is no number", all.First+i)
			}
		}
		s.combined[combination{all.Choice, Range{all.First, all.End}}] = loss
	default:
		return fmt.Errorf("it tells neither of a tensor nor of a choice")
	}
	return nil
}

func bad(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }

// Merge takes in what other holds, which must be of the same work. path names it.
func (s *State) Merge(path string, other *State) error {
	for _, key := range slices.Sorted(maps.Keys(s.Work)) {
		if other.Work[key] != s.Work[key] {
			return fmt.Errorf("%s is of another choice: its %s differ; remove it, or name another file", path, key)
		}
	}
	maps.Copy(s.singles, other.singles)
	maps.Copy(s.combined, other.combined)
	return nil
}

func (s *State) addSingles(tensor string, singles []Single) error {
	s.singles[tensor] = singles
	return s.save()
}

func (s *State) addCombined(c combination, loss Loss) error {
	s.combined[c] = loss
	return s.save()
}

func (s *State) save() error {
	if s.Save == nil {
		return nil
	}
	return s.Save()
}
