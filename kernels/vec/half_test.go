package vec

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// f16Value is the definition: the value of a finite float16 without its sign,
// and for infinity's bits what the next number would be.
func f16Value(h uint16) float64 {
	exponent, mantissa := int(h>>10), float64(h&0x3ff)
	if exponent == 0 {
		return math.Ldexp(mantissa, -24)
	}
	return math.Ldexp(1024+mantissa, exponent-25)
}

func bf16Value(h uint16) float64 {
	exponent, mantissa := int(h>>7), float64(h&0x7f)
	if exponent == 0 {
		return math.Ldexp(mantissa, -133)
	}
	return math.Ldexp(128+mantissa, exponent-134)
}

// roundTo finds the nearest of the numbers value(0) < value(1) < ... value(inf)
// by halving, to even in a tie: halfway between two neighbours is exact in float64.
func roundTo(f float32, value func(uint16) float64, inf uint16) uint16 {
	var sign uint16
	if math.Signbit(float64(f)) {
		sign = 0x8000
	}
	v := math.Abs(float64(f))
	if v >= value(inf) {
		return sign | inf
	}
	low, high := uint16(0), inf // value(low) ≤ v < value(high)
	for high-low > 1 {
		if middle := (low + high) / 2; value(middle) <= v {
			low = middle
		} else {
			high = middle
		}
	}
	half := (value(low) + value(high)) / 2
	if v > half || v == half && low&1 == 1 {
		low++
	}
	return sign | low
}

func TestF16ToF32(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := F16ToF32(h)
		if h&0x7fff > 0x7c00 {
			// A NaN keeps sign and payload, and is quiet again on its way back.
			if want := uint32(h&0x8000)<<16 | 0x7f800000 | uint32(h&0x3ff)<<13; math.Float32bits(f) != want {
				t.Errorf("%04x is %08x, want %08x", h, math.Float32bits(f), want)
			}
			if back := F32ToF16(f); back != h&0x8000|0x7e00 {
				t.Errorf("%04x comes back as %04x", h, back)
			}
			continue
		}
		want := f16Value(h & 0x7fff)
		if h&0x7fff == 0x7c00 {
			want = math.Inf(1)
		}
		if h&0x8000 != 0 {
			want = math.Copysign(want, -1)
		}
		if float64(f) != want || math.Signbit(float64(f)) != math.Signbit(want) {
			t.Errorf("%04x is %v, want %v", h, f, want)
		}
		if back := F32ToF16(f); back != h {
			t.Errorf("%04x comes back as %04x", h, back)
		}
	}
}

func TestBF16ToF32(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := BF16ToF32(h)
		if math.Float32bits(f) != uint32(h)<<16 {
			t.Errorf("%04x is %08x", h, math.Float32bits(f))
		}
		want := h
		if h&0x7fff > 0x7f80 {
			want |= 0x40
		}
		if back := F32ToBF16(f); back != want {
			t.Errorf("%04x comes back as %04x, want %04x", h, back, want)
		}
	}
}

// TestRoundToHalf tries both conversions from float32 on a step through all
// numbers, and on the neighbours of every number between two of the target's.
func TestRoundToHalf(t *testing.T) {
	check := func(b uint32) {
		f := math.Float32frombits(b)
		if b&0x7fffffff > 0x7f800000 {
			if got, want := F32ToF16(f), uint16(b>>16&0x8000|0x7e00); got != want {
				t.Errorf("F32ToF16(%08x) = %04x, want %04x", b, got, want)
			}
			if got, want := F32ToBF16(f), uint16(b>>16|0x40); got != want {
				t.Errorf("F32ToBF16(%08x) = %04x, want %04x", b, got, want)
			}
			return
		}
		if got, want := F32ToF16(f), roundTo(f, f16Value, 0x7c00); got != want {
			t.Errorf("F32ToF16(%08x) = %04x, want %04x", b, got, want)
		}
		if got, want := F32ToBF16(f), roundTo(f, bf16Value, 0x7f80); got != want {
			t.Errorf("F32ToBF16(%08x) = %04x, want %04x", b, got, want)
		}
	}
	for b := uint64(0); b < 1<<32; b += 8191 {
		check(uint32(b))
	}
	around := func(b uint32) {
		for _, sign := range []uint32{0, 1 << 31} {
			check(sign | (b-1)&0x7fffffff)
			check(sign | b)
			check(sign | b + 1)
		}
	}
	for h := range uint16(0x7c00) {
		around(math.Float32bits(float32(f16Value(h))))
		around(math.Float32bits(float32((f16Value(h) + f16Value(h+1)) / 2)))
	}
	for h := range uint32(0x7f80) {
		around(h << 16)
		around(h<<16 | 0x8000)
	}
	around(0x7f800000)
}

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
