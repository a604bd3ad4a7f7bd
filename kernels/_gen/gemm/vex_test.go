package main

import (
	"bytes"
	"testing"
)

// What the GNU assembler makes of {vex} vpdpbusd, whose operands are in the
// same order.
func TestVPDPBUSD(t *testing.T) {
	for _, c := range []struct {
		q, a, sum uint8
		want      []byte
	}{
		{1, 2, 3, []byte{0xc4, 0xe2, 0x6d, 0x50, 0xd9}},
		{9, 2, 3, []byte{0xc4, 0xc2, 0x6d, 0x50, 0xd9}},
		{1, 10, 3, []byte{0xc4, 0xe2, 0x2d, 0x50, 0xd9}},
		{1, 2, 11, []byte{0xc4, 0x62, 0x6d, 0x50, 0xd9}},
		{15, 14, 13, []byte{0xc4, 0x42, 0x0d, 0x50, 0xef}},
		{0, 0, 0, []byte{0xc4, 0xe2, 0x7d, 0x50, 0xc0}},
		{7, 8, 15, []byte{0xc4, 0x62, 0x3d, 0x50, 0xff}},
	} {
		if got := vpdpbusd(c.q, c.a, c.sum); !bytes.Equal(got, c.want) {
			t.Errorf("VPDPBUSD Y%d, Y%d, Y%d is % x, want % x", c.q, c.a, c.sum, got, c.want)
		}
	}
}
