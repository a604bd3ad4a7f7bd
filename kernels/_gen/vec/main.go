// Command vec generates the assembly of kernels/vec. Run it with "make generate".
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("!purego")
	for _, m := range []*machine{avx512(), avx2()} {
		m.arithmetic()
		m.exponentials()
		m.activations()
		m.norms()
		m.rotations()
		m.pooling()
		m.squares()
		m.halves()
	}
	constants.write()
	masks.write()
	Generate()
}
