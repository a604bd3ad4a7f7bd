package imatrix

import "fmt"

// A Weighing says how much of the sums each row of a text is.
type Weighing uint8

// The ways of weighing.
const (
	// ByTokens adds the squares of all rows of all texts. This is what llama-imatrix
	// does, and all that its files can say.
	ByTokens Weighing = iota

	// ByVectors weighs rows by what their errors do to the vector of their text,
	// which is the mean of the rows or made of one row that has looked at all: with n
	// rows, each is an n-th of it. Errors of different rows are as good as
	// independent, so that their squares add up, each divided by n²:
	//
	//	E|1/n Σ δ|² = 1/n² Σ E|δ|²
	//
	// A text thus adds the squares of its rows, divided by n², as one row.
	ByVectors
)

// keyWeighing is left out for ByTokens. Programs that do not know it find as many
// rows in the sums as there were texts, and chunks of one.
const keyWeighing = "gguftool.imatrix.weighing"

var weighingNames = [...]string{"tokens", "vectors"}

// String returns what is weighed by: "tokens" or "vectors".
func (w Weighing) String() string {
	if int(w) < len(weighingNames) {
		return weighingNames[w]
	}
	return fmt.Sprintf("weighing %d", uint8(w))
}

// ParseWeighing returns the weighing of that name: tokens or vectors.
func ParseWeighing(name string) (Weighing, error) {
	for i, n := range weighingNames {
		if n == name {
			return Weighing(i), nil
		}
	}
	return 0, fmt.Errorf("unknown weighing %q; choose one of tokens, vectors", name)
}

// weighByVector makes one row of those of a text. Where each row goes to some of
// several matrices, all of them have a share in the vector.
func (t *total) weighByVector() {
	rows := 0.0
	for _, n := range t.counts {
		rows += float64(n)
	}
	for i := range t.sums {
		t.sums[i] /= rows * rows
	}
	for i, n := range t.counts {
		t.counts[i] = min(n, 1)
	}
}
