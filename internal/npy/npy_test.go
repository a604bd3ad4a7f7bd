package npy

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// Every file is, byte for byte, what numpy writes; see testdata/golden.py.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name          string
		typ           Type
		rows, columns int
		number        func(b []byte, i int) []byte
	}{
		{"f4", Float32, 3, 4, func(b []byte, i int) []byte {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i-3)))
		}},
		{"i1", Int8, 2, 3, func(b []byte, i int) []byte { return append(b, byte(int8(i-3))) }},
		{"u1", Uint8, 11, 1, func(b []byte, i int) []byte { return append(b, byte(i)) }},
		{"empty", Float32, 0, 384, nil},
	} {
		path := filepath.Join(t.TempDir(), "out.npy")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w, err := NewWriter(f, c.typ, c.columns)
		if err != nil {
			t.Fatal(err)
		}
		for r := range c.rows {
			var row []byte
			for j := range c.columns {
				row = c.number(row, r*c.columns+j)
			}
			if err := w.WriteRow(row); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", c.name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes\n%q\nwant %d bytes\n%q", c.name, len(got), got, len(want), want)
		}
	}
}

// The header has the same length for every number of rows, so that the data
// after it stays.
func TestHeaderLength(t *testing.T) {
	for _, columns := range []int{1, 384, 1 << 20, math.MaxInt} {
		want := len(header(Int8, 0, columns))
		if want%headerAlign != 0 {
			t.Errorf("%d columns: the header has %d bytes", columns, want)
		}
		for rows := int64(1); rows > 0; rows *= 10 {
			if got := len(header(Int8, rows, columns)); got != want {
				t.Errorf("%d rows of %d: the header has %d bytes, without rows %d", rows, columns, got, want)
			}
		}
	}
	if n := len(header(Float32, math.MaxInt64, 384)); n != 128 {
		t.Errorf("the header has %d bytes, want 128", n)
	}
}

// A destination that is full fails at the latest when the matrix is closed.
func TestWriteErrors(t *testing.T) {
	f, err := os.Open(os.DevNull) // for reading
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("no error from a destination that cannot be written to")
	}
}
