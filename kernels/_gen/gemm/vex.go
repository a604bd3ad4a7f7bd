package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avxVNNI marks instructions that Go's assembler lacks: it knows VPDPBUSD in the
// EVEX encoding of AVX-512 only, and machines with AVX-VNNI may have no AVX-512.
const avxVNNI = "AVX_VNNI"

// vpdpbusdVEX is VPDPBUSD of AVX-VNNI: sum += a · q, four unsigned bytes of a by
// four signed ones of q for each 32-bit element of sum.
func vpdpbusdVEX(q, a, sum reg.VecVirtual) {
	Instruction(&ir.Instruction{
		Opcode:   "VPDPBUSD",
		Operands: []operand.Op{q, a, sum},
		Inputs:   []operand.Op{q, a, sum},
		Outputs:  []operand.Op{sum},
		ISA:      []string{avxVNNI},
	})
}

// encodeVEX replaces the instructions of AVX-VNNI by their bytes, when registers
// are known.
func encodeVEX(f *ir.Function) error {
	nodes := make([]ir.Node, 0, len(f.Nodes))
	for _, n := range f.Nodes {
		i, ok := n.(*ir.Instruction)
		if !ok || len(i.ISA) == 0 || i.ISA[0] != avxVNNI {
			nodes = append(nodes, n)
			continue
		}
		var ids [3]uint8
		for k := range ids {
			r, ok := i.Operands[k].(reg.VecPhysical)
			if !ok || r.Size() != 32 || r.PhysicalIndex() > 15 {
				return fmt.Errorf("%s: %s has an operand %s that AVX-VNNI cannot encode", f.Name, i.Opcode, i.Operands[k].Asm())
			}
			ids[k] = uint8(r.PhysicalIndex())
		}
		var line []string
		for _, b := range vpdpbusd(ids[0], ids[1], ids[2]) {
			line = append(line, fmt.Sprintf("BYTE $%#02x", b))
		}
		text := strings.Join(line, "; ") + fmt.Sprintf(" // %s Y%d, Y%d, Y%d", i.Opcode, ids[0], ids[1], ids[2])
		nodes = append(nodes, &ir.Instruction{Opcode: text})
	}
	f.Nodes = nodes
	return nil
}

// vpdpbusd returns VPDPBUSD of the registers of 256 bits with the given numbers:
// VEX.256.66.0F38.W0 50 /r (Intel, Software Developer's Manual, "VPDPBUSD").
//
//	C4
//	R̄ X̄ B̄ 00010        the fourth bits of sum and q, inverted; opcode map 0F38
//	0 ā ā ā ā 1 01      W, the number of a inverted, 256 bits, prefix 66
//	50
//	11 sum q            ModRM, three bits of each
func vpdpbusd(q, a, sum uint8) []byte {
	return []byte{
		0xc4,
		^sum>>3<<7 | 1<<6 | ^q>>3&1<<5 | 0b00010,
		^a&15<<3 | 1<<2 | 0b01,
		0x50,
		0b11<<6 | sum&7<<3 | q&7,
	}
}

// checkVEX finds registers that are not there without AVX-512: the assembler
// would turn to an encoding of AVX-512 silently.
func checkVEX(f *ir.Function) error {
	for _, isa := range f.ISA {
		if strings.HasPrefix(isa, "AVX512") {
			return nil
		}
	}
	for _, i := range f.Instructions() {
		for _, r := range i.Registers() {
			if v, ok := r.(reg.VecPhysical); ok && v.PhysicalIndex() > 15 {
				return fmt.Errorf("%s, which has no AVX-512, uses %s", f.Name, v.Asm())
			}
		}
	}
	return nil
}
