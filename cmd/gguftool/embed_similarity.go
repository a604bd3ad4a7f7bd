package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/internal/texttable"
)

// mostCompared bounds the texts of a similarity matrix, which is for reading.
const mostCompared = 100

// similarities collects vectors and prints the cosines of all pairs.
type similarities struct {
	w     io.Writer
	json  bool
	head  vectorHead
	items []embedded
}

func (s *similarities) write(e embedded) error {
	if len(s.items) == mostCompared {
		return usagef("--similarity compares at most %d texts, and there are more; write vectors with --format npy and compare those", mostCompared)
	}
	s.items = append(s.items, e)
	return nil
}

func (s *similarities) close() error {
	if s.json {
		return s.writeJSON()
	}
	return s.writeTable()
}

// row returns the cosines of vector i and all others.
func (s *similarities) row(i int) []float32 {
	row := make([]float32, len(s.items))
	for j, other := range s.items {
		row[j] = float32(embedding.Cosine(s.items[i].vector, other.vector))
	}
	return row
}

func (s *similarities) writeJSON() error {
	tokens := make([]int, len(s.items))
	for i, e := range s.items {
		tokens[i] = e.tokens
	}
	lw, err := newListWriter(s.w, "similarity", append(s.head.members(), member{"tokens", tokens})...)
	if err != nil {
		return err
	}
	for i := range s.items {
		if err := lw.add(s.row(i)); err != nil {
			return err
		}
	}
	return lw.close()
}

func (s *similarities) writeTable() error {
	columns := []string{"index>"}
	for i := range s.items {
		columns = append(columns, strconv.Itoa(i)+">")
	}
	table := texttable.New(append(columns, "text")...)
	for i, e := range s.items {
		cells := []string{strconv.Itoa(i)}
		for _, c := range s.row(i) {
			cells = append(cells, fmt.Sprintf("%.4f", c))
		}
		table.Row(append(cells, abbreviated(e.text))...)
	}
	var b strings.Builder
	if err := table.Write(&b, "Cosines"); err != nil {
		return err
	}
	_, err := io.WriteString(s.w, strings.TrimPrefix(b.String(), "\n"))
	return err
}
