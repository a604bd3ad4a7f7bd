package allocate

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/fault"
)

func someState() *State {
	s := NewState(map[string]string{"model": "a", "texts": "b"})
	s.singles["w1"] = []Single{{"Q4_K", 0.25, 0.001, 48, false}, {"Q4_1", 0.5, 0.002, 12, true}}
	s.singles["w0"] = []Single{{"F32", 0, 0, 48, false}}
	s.combined[combination{"c1", Range{0, 2}}] = Loss{0.1, 1e-300}
	s.combined[combination{"c1", Range{2, 3}}] = Loss{0}
	return s
}

const stateText = `{"state":"gguftool allocate 1","work":{"model":"a","texts":"b"}}
{"tensor":"w0","types":[{"type":"F32","mean":0,"error":0,"texts":48}]}
{"tensor":"w1","types":[{"type":"Q4_K","mean":0.25,"error":0.001,"texts":48},{"type":"Q4_1","mean":0.5,"error":0.002,"texts":12,"dropped":true}]}
{"choice":"c1","first":0,"end":2,"losses":"mpmZmZmZuT9Z8/jCH26lAQ=="}
{"choice":"c1","first":2,"end":3,"losses":"AAAAAAAAAAA="}
`

func TestState(t *testing.T) {
	var b bytes.Buffer
	s := someState()
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != stateText {
		t.Errorf("written:\n%s", b.String())
	}
	back, err := ReadState("s", b.Bytes())
	if err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%+v, error %v", back, err)
	}
	full := errors.New("disk is full")
	s.Save = func() error { return full }
	if s.addSingles("w2", nil) != full || s.addCombined(combination{}, nil) != full {
		t.Error("an error of Save is lost")
	}
}

var hostileStates = []struct{ name, text, want string }{
	{"empty", "", "it is empty"},
	{"blank", "\n \n", "it is empty"},
	{"no JSON", "hello\n", "line 1: it is no line of a state"},
	{"another file", `{"model":"x"}`, "line 1: it does not begin with"},
	{"another version", `{"state":"gguftool allocate 2"}`, "does not begin with"},
	{"no head", stateText[strings.Index(stateText, "\n")+1:], "does not begin with"},
	{"a cut line", stateText[:len(stateText)-9], "line 5: it is no line of a state"},
	{"a line about nothing", stateText + "{}\n", "line 6: it tells neither of a tensor nor of a choice"},
	{"a loss too large", `{"state":"gguftool allocate 1"}` + "\n" + `{"tensor":"w","types":[{"type":"Q4_K","mean":1e999}]}`, "no line of a state"},
	{"fewer texts than none", `{"state":"gguftool allocate 1"}` + "\n" + `{"tensor":"w","types":[{"type":"Q4_K","texts":-1}]}`, "the loss of w as Q4_K is no number"},
	{"no base64", `{"state":"gguftool allocate 1"}` + "\n" + `{"choice":"c","end":1,"losses":"!"}`, "losses of a choice"},
	{"too few losses", `{"state":"gguftool allocate 1"}` + "\n" + `{"choice":"c","end":2,"losses":"AAAAAAAAAAA="}`, "8 bytes of losses for the texts from 0 to 2"},
	{"a range that ends before it begins", `{"state":"gguftool allocate 1"}` + "\n" + `{"choice":"c","first":3,"end":2,"losses":""}`, "0 bytes of losses"},
	{"a loss that is no number", `{"state":"gguftool allocate 1"}` + "\n" + `{"choice":"c","end":1,"losses":"AAAAAAAA+H8="}`, "the loss of text 0 is no number"},
}

func TestHostileStates(t *testing.T) {
	for _, c := range hostileStates {
		_, err := ReadState("x.state", []byte(c.text))
		if _, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.state") {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// What can be read is written and read again to the same.
func FuzzReadState(f *testing.F) {
	f.Add([]byte(stateText))
	for _, c := range hostileStates {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadState("x", data)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		back, err := ReadState("x", b.Bytes())
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%+v, error %v", back, err)
		}
	})
}
