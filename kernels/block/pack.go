package block

import "encoding/binary"

// Quants are bytes until they are packed into their bits here, eight of them at
// a time in a 64-bit integer.

const (
	ones = 0x01_01_01_01_01_01_01_01 // the lowest bit of eight bytes
)

func load64(src []byte) uint64     { return binary.LittleEndian.Uint64(src) }
func store64(dst []byte, v uint64) { binary.LittleEndian.PutUint64(dst, v) }

// packNibbles stores the low four bits of each element of q: of every 2·n
// elements, byte l holds element l in its low and l+n in its high nibble.
func packNibbles(dst []byte, q []uint8, n int) {
	for ; len(q) >= 2*n; dst, q = dst[n:], q[2*n:] {
		low, high, to := q[:n], q[n:2*n], dst[:n]
		for l := 0; l < n; l += 8 {
			store64(to[l:], load64(low[l:])&(15*ones)|load64(high[l:])&(15*ones)<<4)
		}
	}
}

// unpackNibbles undoes packNibbles.
func unpackNibbles(q []uint8, src []byte, n int) {
	for ; len(q) >= 2*n; src, q = src[n:], q[2*n:] {
		low, high, from := q[:n], q[n:2*n], src[:n]
		for l := 0; l < n; l += 8 {
			v := load64(from[l:])
			store64(low[l:], v&(15*ones))
			store64(high[l:], v>>4&(15*ones))
		}
	}
}

// packPairs stores elements of two bits in 64 bytes: of every 128 elements,
// byte l holds l, l+32, l+64 and l+96.
//
//	byte l   7 6      5 4      3 2      1 0
//	         q[l+96]  q[l+64]  q[l+32]  q[l]
func packPairs(dst []byte, q *[superBlock]uint8) {
	for half := range 2 {
		to, from := dst[32*half:32*half+32], q[128*half:128*half+128]
		for l := 0; l < 32; l += 8 {
			store64(to[l:], load64(from[l:])|load64(from[l+32:])<<2|load64(from[l+64:])<<4|load64(from[l+96:])<<6)
		}
	}
}

// unpackPairs undoes packPairs.
func unpackPairs(q *[superBlock]uint8, src []byte) {
	for half := range 2 {
		from, to := src[32*half:32*half+32], q[128*half:128*half+128]
		for l := 0; l < 32; l += 8 {
			v := load64(from[l:])
			store64(to[l:], v&(3*ones))
			store64(to[l+32:], v>>2&(3*ones))
			store64(to[l+64:], v>>4&(3*ones))
			store64(to[l+96:], v>>6&(3*ones))
		}
	}
}

// packBit stores one bit of each element of q in 32 bytes: bit j of byte l is
// that bit of q[32·j + l].
func packBit(dst []byte, q *[superBlock]uint8, bit int) {
	for l := 0; l < 32; l += 8 {
		var v uint64
		for j := range 8 {
			v |= load64(q[32*j+l:]) >> (bit & 7) & ones << j
		}
		store64(dst[l:], v)
	}
}

// unpackBit sets the bit where packBit found it set.
func unpackBit(q *[superBlock]uint8, src []byte, bit int) {
	for l := 0; l < 32; l += 8 {
		v := load64(src[l:])
		for j := range 8 {
			to := q[32*j+l : 32*j+l+8]
			store64(to, load64(to)|v>>j&ones<<(bit&7))
		}
	}
}

// packFifthBits stores bit 4 of q[i] as bit i of a 32-bit number.
func packFifthBits(dst []byte, q *[32]uint8) {
	for k := range 4 {
		// The product moves bit 8·i to bit 56+i, and nothing else up there.
		dst[k] = uint8(load64(q[8*k:]) >> 4 & ones * 0x01_02_04_08_10_20_40_80 >> 56)
	}
}

// unpackFifthBits sets bit 4 where packFifthBits found it set.
func unpackFifthBits(q *[32]uint8, src []byte) {
	for k := range 4 {
		v := uint64(src[k]) * ones & 0x80_40_20_10_08_04_02_01 // bit i alone in byte i
		to := q[8*k : 8*k+8]
		store64(to, load64(to)|(v+0x7f*ones)>>3&(16*ones)) // where not zero, bit 7 is set
	}
}
