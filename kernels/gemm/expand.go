package gemm

import "fmt"

// Panels of quants that have 16 values at most are kept in four bits: for eight
// inputs of 16 outputs, 64 bytes of four inputs in the low bits and of the next
// four in the high ones, each the place of its value among the levels.
//
//	byte    0              1              ...  4              ...  63
//	low     q[0][k]        q[0][k+1]      ...  q[1][k]        ...  q[15][k+3]
//	high    q[0][k+4]      q[0][k+5]      ...  q[1][k+4]      ...  q[15][k+7]
//
// Whoever computes columns expands their panels to bytes, before or with the
// first tile, into memory that stays in the nearest caches while all rows are
// multiplied with it.

// levelCount is the number of values that four bits tell apart.
const levelCount = 16

// codesOf returns the place of each byte among the levels, the first one, and
// notCode for bytes that are not among them.
func codesOf(levels *[levelCount]int8) *[256]byte {
	codes := new([256]byte)
	for i := range codes {
		codes[i] = notCode
	}
	for i := levelCount - 1; i >= 0; i-- {
		codes[byte(levels[i])] = byte(i)
	}
	return codes
}

const notCode = 0x80

// isNarrow reports whether all levels are within ±64.
func isNarrow(levels *[levelCount]int8) bool {
	for _, v := range levels {
		if v < -64 || v > 64 {
			return false
		}
	}
	return true
}

// placeCodes stores quants, eight or a multiple of them, as column j of a panel
// of four bits, and reports whether all are among the levels.
func placeCodes(panel, quants []byte, j int, codes *[256]byte) bool {
	all := byte(0)
	for ; len(quants) >= 8; quants = quants[8:] {
		to, q := panel[4*j:4*j+4], quants[:8]
		for i := range to {
			low, high := codes[q[i]], codes[q[4+i]]
			all |= low | high
			to[i] = low | high<<4
		}
		panel = panel[4*panelCols:]
	}
	return all&notCode == 0
}

// expand is the specification of what kernels do: it stores panels of bytes in
// dst, given those of four bits.
func expand(dst, panels []byte, levels *[levelCount]int8) {
	for i, b := range panels {
		to := i/(4*panelCols)*(8*panelCols) + i%(4*panelCols)
		dst[to], dst[to+4*panelCols] = byte(levels[b&15]), byte(levels[b>>4])
	}
}

// expandBlocks calls f, which makes bytes of blocks of 32 inputs of a panel.
func expandBlocks(f func(blocks int, dst, src *uint8, levels *int8), dst, panels []byte, levels *[levelCount]int8) {
	const size = blockInputs * panelCols
	if len(panels) == 0 || len(panels)%(size/2) != 0 || len(dst) != 2*len(panels) {
		panic(fmt.Sprintf("gemm: %d bytes of panels expanded to %d", len(panels), len(dst)))
	}
	f(len(dst)/size, &dst[0], &panels[0], &levels[0])
}

// stepPanels are the panels of some columns, at most as many as a tile has, in
// bytes. Where tiles expand on their way, the first one is yet to do so.
type stepPanels struct {
	first  int    // of the panels
	quants []byte // in bytes
	packed []byte // in four bits, until they are expanded to quants
}

// panelsOf returns panels from ≤ i < to of m. Those of four bits expand to *room.
func (kern *kernel) panelsOf(m *Quantized, tiles *int8Tiles, from, to int, room *[]byte) stepPanels {
	size := m.inputs * panelCols
	if m.levels == nil {
		return stepPanels{first: from, quants: m.quants[from*size : to*size]}
	}
	*room = resized(*room, (to-from)*size)
	p := stepPanels{first: from, quants: *room, packed: m.quants[from*size/2 : to*size/2]}
	if tiles.expanding == nil || to-from != tiles.panels {
		kern.expand(p.quants, p.packed, m.levels)
		p.packed = nil
	}
	return p
}
