package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// Batches are bounded by texts and by bytes, in order, and an error comes after
// the texts before it.
func TestBatches(t *testing.T) {
	failed := errors.New("failed")
	long := strings.Repeat("x", batchBytes/2)
	for _, c := range []struct {
		name string
		all  []string
		err  error
		want []int // texts of each batch
	}{
		{"none", nil, nil, nil},
		{"only an error", nil, failed, nil},
		{"one", []string{"a"}, nil, []int{1}},
		{"an error after one", []string{"a"}, failed, []int{1}},
		{"full", make([]string, batchTexts), nil, []int{batchTexts}},
		{"one more", make([]string, batchTexts+1), failed, []int{batchTexts, 1}},
		{"long", []string{long, long, "a", long + long + "a", "b"}, nil, []int{2, 1, 1, 1}},
	} {
		source := func(yield func(text, error) bool) {
			for i, s := range c.all {
				if !yield(text{text: s, line: i}, nil) {
					return
				}
			}
			if c.err != nil {
				yield(text{}, c.err)
			}
		}
		var sizes []int
		var err error
		n := 0
		for batch, e := range batches(context.Background(), source) {
			if err = e; e != nil {
				continue
			}
			sizes = append(sizes, len(batch))
			for _, text := range batch {
				if text.line != n {
					t.Fatalf("%s: text %d is where %d should be", c.name, text.line, n)
				}
				n++
			}
		}
		if !slices.Equal(sizes, c.want) || err != c.err {
			t.Errorf("%s: batches of %v and %v, want %v and %v", c.name, sizes, err, c.want, c.err)
		}
	}
}

// A source that never answers does not hold up the end.
func TestBatchesCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	waiting := make(chan struct{})
	defer close(waiting)
	source := func(yield func(text, error) bool) { <-waiting }
	var err error
	for _, err = range batches(ctx, source) {
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"\n", []string{""}},
		{"a", []string{"a"}},
		{"a\n\nb\r\n", []string{"a", "", "b"}},
		{"\ufeffa\n\ufeffb", []string{"a", "\ufeffb"}},
		{"\ufeff", nil},
		{"\ufeff\n", []string{""}},
	} {
		var got []string
		for line, err := range lines("f", strings.NewReader(c.in)) {
			got = append(got, line.text)
			if err != nil || line.file != "f" || line.line != len(got) {
				t.Errorf("%q: line %d of %s is %d, %v", c.in, len(got), line.file, line.line, err)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q has the lines %q, want %q", c.in, got, c.want)
		}
	}
}

func TestAbbreviated(t *testing.T) {
	for in, want := range map[string]string{
		"a":                                    "a",
		strings.Repeat("a", tableText):         strings.Repeat("a", tableText),
		strings.Repeat("a", tableText+1):       strings.Repeat("a", tableText-3) + "...",
		strings.Repeat("𝕒", tableText):         strings.Repeat("𝕒", tableText),
		strings.Repeat("𝕒", tableText+1):       strings.Repeat("𝕒", tableText-3) + "...",
		"a" + strings.Repeat("𝕒", tableText*9): "a" + strings.Repeat("𝕒", tableText-4) + "...",
		"\x1b[31m":                             `"\x1b[31m"`,
		"":                                     `""`,
	} {
		if got := abbreviated(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
