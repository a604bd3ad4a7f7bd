package report

import (
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/bench"
)

// MachineFacts tells where something was measured.
func MachineFacts(m *bench.Machine) []Fact {
	facts := []Fact{
		{"System", m.OS + "/" + m.Architecture},
		{"Processors", fmt.Sprintf("%d, of %s", m.Processors, plural(m.Cores, "core"))},
		{"Instructions", m.Path},
	}
	if len(m.Features) > 0 {
		facts = append(facts, Fact{"Features of the processors", strings.Join(m.Features, ", ")})
	}
	return facts
}
