package vec

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

func TestFromHalf(t *testing.T) {
	src := make([]byte, 0, 2<<16)
	for h := range 1 << 16 {
		src = binary.LittleEndian.AppendUint16(src, uint16(h))
	}
	onEachPath(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			all func([]float32, []byte)
			one func(uint16) float32
		}{"F16": {FromF16, F16ToF32}, "BF16": {FromBF16, BF16ToF32}} {
			dst := make([]float32, 1<<16)
			c.all(dst, src)
			for h, f := range bitsOf(dst) {
				if want := math.Float32bits(c.one(uint16(h))); f != want {
					t.Fatalf("%s %04x is %08x, want %08x", name, h, f, want)
				}
			}
			for _, n := range lengths(0) {
				mem := make([]float32, n+2)
				mem[0], mem[n+1] = guard, guard
				c.all(mem[1:n+1], src[2*0x3b00+2:][:2*n])
				if mem[0] != guard || mem[n+1] != guard {
					t.Fatalf("%s: length %d: an element outside was written", name, n)
				}
				for i, f := range mem[1 : n+1] {
					if want := c.one(uint16(0x3b01 + i)); f != want {
						t.Fatalf("%s: length %d: element %d is %v, want %v", name, n, i, f, want)
					}
				}
			}
		}
	})
}

func TestToHalf(t *testing.T) {
	// Every number between two of the target's, its neighbours, and a step
	// through all bits, NaN included.
	var in []float32
	for h := range uint32(0x7c00) {
		a, b := F16ToF32(uint16(h)), F16ToF32(uint16(h+1))
		if h == 0x7bff {
			b = 65536
		}
		middle := math.Float32bits((a + b) / 2)
		for _, v := range []uint32{math.Float32bits(a), middle - 1, middle, middle + 1} {
			in = append(in, math.Float32frombits(v), math.Float32frombits(v|1<<31))
		}
	}
	for h := range uint32(1 << 16) {
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			in = append(in, math.Float32frombits(h<<16|low))
		}
	}
	for b := uint64(0); b < 1<<32; b += 4099 {
		in = append(in, math.Float32frombits(uint32(b)))
	}
	bits := bitsOf(in)
	onEachPath(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			all func([]byte, []float32)
			one func(float32) uint16
		}{"F16": {ToF16, F32ToF16}, "BF16": {ToBF16, F32ToBF16}} {
			dst := make([]byte, 2*len(in))
			c.all(dst, in)
			for i, f := range in {
				if got, want := binary.LittleEndian.Uint16(dst[2*i:]), c.one(f); got != want {
					t.Fatalf("%s of %08x is %04x, want %04x", name, bits[i], got, want)
				}
			}
			for _, n := range lengths(0) {
				mem := bytes.Repeat([]byte{0xaa}, 2*n+2)
				c.all(mem[1:2*n+1], in[1000:1000+n])
				if mem[0] != 0xaa || mem[2*n+1] != 0xaa {
					t.Fatalf("%s: length %d: a byte outside was written", name, n)
				}
				for i, f := range in[1000 : 1000+n] {
					if got, want := binary.LittleEndian.Uint16(mem[2*i+1:]), c.one(f); got != want {
						t.Fatalf("%s: length %d: element %d is %04x, want %04x", name, n, i, got, want)
					}
				}
			}
		}
	})
}
