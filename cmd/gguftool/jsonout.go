package main

import (
	"bufio"
	"encoding/json"
	"io"
)

// A listWriter prints a JSON object whose last member is a long list, item by
// item, so that the list need not be held in memory.
//
//	{"model": "m.gguf", "data": [
//	{"index": 0},
//	{"index": 1}
//	]}
type listWriter struct {
	w     *bufio.Writer
	items int
}

// A member is a name and a value in front of the list.
type member struct {
	name  string
	value any
}

func newListWriter(w io.Writer, list string, head ...member) (*listWriter, error) {
	lw := &listWriter{w: bufio.NewWriterSize(w, 1<<16)}
	lw.w.WriteByte('{')
	for _, m := range head {
		if err := lw.encode(m.name); err != nil {
			return nil, err
		}
		lw.w.WriteString(": ")
		if err := lw.encode(m.value); err != nil {
			return nil, err
		}
		lw.w.WriteString(", ")
	}
	if err := lw.encode(list); err != nil {
		return nil, err
	}
	lw.w.WriteString(": [")
	return lw, nil
}

// add appends one item to the list.
func (lw *listWriter) add(item any) error {
	if lw.items > 0 {
		lw.w.WriteByte(',')
	}
	lw.w.WriteByte('\n')
	lw.items++
	return lw.encode(item)
}

// close ends the list and the object.
func (lw *listWriter) close() error {
	if lw.items > 0 {
		lw.w.WriteByte('\n')
	}
	lw.w.WriteString("]}\n")
	return lw.w.Flush()
}

// encode writes v as JSON. Write errors stay in the bufio.Writer until close.
func (lw *listWriter) encode(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = lw.w.Write(data)
	return err
}
