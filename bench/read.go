package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/gguftool/gguftool/internal/fault"
)

// maxReport bounds the bytes of a report that is read. A case takes about one
// kilobyte.
const maxReport = 256 << 20

// ReadSpeedReport reads a SpeedReport that was written as JSON. What is no such
// report is a FormatError, and one of another version an UnsupportedError; both
// carry name.
func ReadSpeedReport(name string, from io.Reader) (*SpeedReport, error) {
	data, err := io.ReadAll(io.LimitReader(from, maxReport+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(data) > maxReport:
		return nil, fault.Malformed(name, "", "is larger than %d bytes, which no report is", maxReport)
	}
	malformed := func(format string, args ...any) error {
		e := fault.Malformed(name, "", format, args...)
		e.Hint = "take what 'gguftool bench -o json' printed"
		return e
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, malformed("is no report: %v", err)
	}
	switch {
	case head.Schema == "":
		return nil, malformed("is no report of bench: it has no schema")
	case head.Schema != SpeedSchema:
		return nil, fault.Unsupported(name, "", "measure again with this version", "is a report of the form %q, not %q", head.Schema, SpeedSchema)
	}
	r := new(SpeedReport)
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(r); err != nil {
		return nil, malformed("is damaged: %v", err)
	}
	seen := map[string]bool{}
	for i := range r.Cases {
		c := &r.Cases[i]
		if seen[c.name()] {
			return nil, malformed("case %d, %s, is there twice", i, c.name())
		}
		seen[c.name()] = true
		if err := c.check(); err != nil {
			return nil, malformed("case %d, %s: %v", i, c.name(), err)
		}
	}
	for i := range r.Models {
		for _, s := range []*Samples{&r.Models[i].LoadSeconds, &r.Models[i].LoadCPU} {
			if err := s.check(); err != nil {
				return nil, malformed("model %d, %s: %v", i, r.Models[i].Name, err)
			}
		}
	}
	return r, nil
}

// check finds figures that nothing can be computed from.
func (c *CaseSpeed) check() error {
	for _, s := range []*Samples{&c.TokensPerSecond, &c.TokensPerCPUSecond, &c.Yardstick, &c.ThreadYardstick} {
		if err := s.check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Samples) check() error {
	for _, v := range s.Values {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%v is no speed or time", v)
		}
	}
	if len(s.Values) == 0 {
		if s.Median != 0 {
			return errors.New("there is a median of no values")
		}
		return nil
	}
	*s = NewSamples(s.Values) // whoever changes values need not change what follows from them
	return nil
}
