package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/embedding"
)

// Every format holds the same numbers.
func TestFormatsAgree(t *testing.T) {
	vectors := [][]float32{
		{0.5, -0.25, 0, 1, 0.125, -1, 0.75, 0.1, 0.2},
		{-0.5, 1e-9, 3, -1, 0.7, -1, 0.3, 1, -0.2},
		{0, 0, 0, 0, 0, 0, 0, 0, 0},
	}
	const dimensions = 9
	for _, encoding := range []embedding.Encoding{embedding.Float32, embedding.Int8, embedding.Binary, embedding.UBinary} {
		var want [][]float64
		for _, format := range []vectorFormat{formatText, formatJSON, formatJSONL, formatNPY, formatF32} {
			if format == formatF32 && encoding != embedding.Float32 {
				continue
			}
			var b bytes.Buffer
			out := &destination{Writer: &b}
			defer out.abort()
			w, err := newVectorWriter(format, out, vectorHead{"m", dimensions, "", encoding})
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range vectors {
				if err := w.write(embedded{index: i, tokens: 3, vector: v}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.close(); err != nil {
				t.Fatal(err)
			}
			if err := out.commit(); err != nil {
				t.Fatal(err)
			}
			got := parseVectors(t, format, encoding, b.Bytes(), encoding.Elements(dimensions))
			if want == nil {
				want = got
				continue
			}
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%v as %s: %v, want %v", encoding, format, got, want)
			}
		}
		if len(want) != len(vectors) {
			t.Errorf("%v: %d vectors", encoding, len(want))
		}
	}
}

// parseVectors reads an output back, in rows of the given number of elements.
func parseVectors(t *testing.T, format vectorFormat, encoding embedding.Encoding, data []byte, elements int) (rows [][]float64) {
	t.Helper()
	type item struct {
		Index     int
		Tokens    int
		Embedding []float64
	}
	add := func(i item) {
		if i.Index != len(rows) || i.Tokens != 3 {
			t.Errorf("%s: text %d with %d tokens", format, i.Index, i.Tokens)
		}
		rows = append(rows, i.Embedding)
	}
	switch format {
	case formatText:
		for line := range strings.Lines(string(data)) {
			var row []float64
			for field := range strings.FieldsSeq(line) {
				var x float64
				if _, err := fmt.Sscan(field, &x); err != nil {
					t.Fatal(err)
				}
				row = append(row, x)
			}
			rows = append(rows, row)
		}
	case formatJSON:
		var all struct{ Data []item }
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatal(err)
		}
		for _, i := range all.Data {
			add(i)
		}
	case formatJSONL:
		for line := range bytes.Lines(data) {
			var i item
			if err := json.Unmarshal(line, &i); err != nil {
				t.Fatal(err)
			}
			add(i)
		}
	case formatNPY:
		rows = bytesToRows(encoding, data[128:], elements)
	case formatF32:
		rows = bytesToRows(encoding, data, elements)
	}
	if format == formatText || encoding != embedding.Float32 {
		return rows
	}
	// Text and JSON have as many digits as a float32 needs.
	for _, row := range rows {
		for i, x := range row {
			row[i] = shortest(float32(x))
		}
	}
	return rows
}

func bytesToRows(encoding embedding.Encoding, data []byte, elements int) (rows [][]float64) {
	var all []float64
	switch encoding {
	case embedding.Float32:
		for four := range slices.Chunk(data, 4) {
			all = append(all, float64(math.Float32frombits(binary.LittleEndian.Uint32(four))))
		}
	case embedding.UBinary:
		for _, b := range data {
			all = append(all, float64(b))
		}
	default:
		for _, b := range data {
			all = append(all, float64(int8(b)))
		}
	}
	return slices.Collect(slices.Chunk(all, elements))
}

// shortest returns the number with the fewest digits that is x as a float32.
func shortest(x float32) float64 {
	var y float64
	fmt.Sscan(fmt.Sprint(x), &y)
	return y
}
