package block

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// A golden is a line of testdata/goldens.txt: what the reference makes of all
// rows of a family. The digests are the first half of SHA-256, over the rows
// that the reference finds valid.
type golden struct {
	format, family, importance string
	refused                    int
	encoded, decoded           string
}

func readGoldens(t *testing.T) (goldens []golden) {
	t.Helper()
	f, err := os.Open("testdata/goldens.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var g golden
		if _, err := fmt.Sscan(lines.Text(), &g.format, &g.family, &g.importance, &g.refused, &g.encoded, &g.decoded); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		goldens = append(goldens, g)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return goldens
}

func codecOf(t testing.TB, name string) *Codec {
	t.Helper()
	typ, err := gguf.ParseType(name)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := Lookup(typ)
	if !ok {
		t.Fatalf("no codec of %s", name)
	}
	return c
}

// TestGoldens encodes and decodes every family of inputs as the reference did.
func TestGoldens(t *testing.T) {
	seen := map[string]int{}
	for _, g := range readGoldens(t) {
		seen[g.format]++
		c := codecOf(t, g.format)
		if g.family == "bytes" {
			src := randomBlocks(c)
			dst := make([]float32, len(src)/c.bytes*c.elements)
			c.Decode(dst, src)
			if sum := digest(floatBytes(dst)); sum != g.decoded {
				t.Errorf("%s: random bytes decode to %s, want %s", g.format, sum, g.decoded)
			}
			continue
		}
		var encoded, decoded []byte
		refused := 0
		for _, n := range goldenLengths {
			if n%c.elements != 0 {
				continue
			}
			importance := makeImportance(t, g.importance, n)
			dst, back := make([]byte, n/c.elements*c.bytes), make([]float32, n)
			for row := range goldenRows {
				err := c.EncodeRow(dst, makeRow(t, g.family, row, n), importance)
				if err != nil {
					if !strings.HasSuffix(err.Error(), " is too large for "+g.format) && !strings.HasSuffix(err.Error(), " is not a number in "+g.format) {
						t.Errorf("%+v: %v", g, err)
					}
					refused++
					continue
				}
				encoded = append(encoded, dst...)
				c.Decode(back, dst)
				decoded = append(decoded, floatBytes(back)...)
			}
		}
		name := g.format + " " + g.family + " " + g.importance
		if refused != g.refused {
			t.Errorf("%s: %d rows refused, want %d", name, refused, g.refused)
		}
		if sum := digest(encoded); sum != g.encoded {
			t.Errorf("%s: encoded %s, want %s", name, sum, g.encoded)
		}
		if sum := digest(decoded); sum != g.decoded {
			t.Errorf("%s: decoded %s, want %s", name, sum, g.decoded)
		}
	}
	for typ, c := range codecs {
		want := 1 + len(families)*len(importances)
		if slices.Contains(withoutImportance, typ.String()) {
			want = 1 + len(families)
		}
		if c.needsImportance {
			want -= len(families)
		}
		if got := seen[typ.String()]; got != want {
			t.Errorf("%d goldens of %s, want %d", got, typ, want)
		}
	}
}

// withoutImportance are the formats that make no use of importance.
var withoutImportance = []string{"F32", "F16", "BF16", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4", "Q1_0", "Q2_0"}

// TestWithoutImportance holds the formats that make no use of importance to that.
func TestWithoutImportance(t *testing.T) {
	const n = 768
	for _, name := range withoutImportance {
		c := codecOf(t, name)
		x := makeRow(t, "heavy", 0, n)
		plain, weighted := make([]byte, n/c.elements*c.bytes), make([]byte, n/c.elements*c.bytes)
		if err := c.EncodeRow(plain, x, nil); err != nil {
			t.Error(err)
		}
		if err := c.EncodeRow(weighted, x, makeImportance(t, "random", n)); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(plain, weighted) {
			t.Errorf("%s differs with importance", name)
		}
	}
}

// randomBlocks returns 4096 bytes or more of blocks whose float16 numbers are
// below 2, some of them subnormal.
func randomBlocks(c *Codec) []byte {
	src := make([]byte, (4096/c.bytes+1)*c.bytes)
	for i, z := range draws(uint64(c.Type), len(src)) {
		src[i] = byte(z)
	}
	limitHalfs(c, src)
	return src
}

// limitHalfs keeps float16 numbers below 2.
func limitHalfs(c *Codec, src []byte) {
	for at := 0; at < len(src); at += c.bytes {
		for _, h := range c.halfs {
			src[at+h+1] &= 0xbf
		}
		if c.scattered != nil {
			src[at+55] &= 0xbf
		}
	}
}

func floatBytes(x []float32) []byte {
	out := make([]byte, 0, 4*len(x))
	for _, v := range x {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// TestDrawings reads a block of each format that is taken apart in testdata, by
// the drawing in the format's file, with the values that the drawing gives.
func TestDrawings(t *testing.T) {
	for _, c := range codecs {
		name := strings.ToLower(c.Type.String())
		data, values := readDrawing(t, "testdata/"+name+".hex")
		if len(data) != c.bytes || len(values) != c.elements {
			t.Errorf("%s: %d bytes of %d values, want %d of %d", name, len(data), len(values), c.bytes, c.elements)
			continue
		}
		got := make([]float32, c.elements)
		c.Decode(got, data)
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(values[i]) {
				t.Errorf("%s: value %d is %v, want %v", name, i, v, values[i])
			}
		}
		block := make([]byte, c.bytes)
		if err := c.EncodeRow(block, makeRow(t, "normal", 0, 256)[:c.elements], neededImportance(c, c.elements)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(block, data) {
			t.Errorf("%s: encoded\n%x, want\n%x", name, block, data)
		}
	}
}

// readDrawing reads lines "first-last: field hex # comment", whose bytes must
// follow each other, and "x value ...".
func readDrawing(t *testing.T, path string) (data []byte, values []float32) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if fields[0] == "x" {
			for _, f := range fields[1:] {
				v, err := strconv.ParseFloat(f, 32)
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				values = append(values, float32(v))
			}
			continue
		}
		raw, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		span := fmt.Sprintf("%d-%d:", len(data), len(data)+len(raw)-1)
		if len(raw) == 1 {
			span = fmt.Sprintf("%d:", len(data))
		}
		if fields[0] != span {
			t.Fatalf("%s: bytes %s should be %s", path, fields[0], span)
		}
		data = append(data, raw...)
	}
	return data, values
}
