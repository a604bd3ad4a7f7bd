// Command block generates the assembly of kernels/block: encoders that put
// blocks or sub-blocks side by side in the lanes of vectors. Run it with "make generate".
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
)

// kernels are the sets of functions that share a file.
var kernels = map[string]func(m *machine){
	"codebook":  (*machine).codebook,
	"fp4":       (*machine).fp4,
	"grid":      (*machine).grids,
	"plain":     (*machine).plain,
	"symmetric": (*machine).symmetric,
	"iq1":       (*machine).iq1,
	"scalemin":  (*machine).scaleMin,
	"ternary":   (*machine).ternary,
}

func main() {
	what := flag.String("kernels", "", "the set of kernels to generate")
	flag.Parse()
	write := kernels[*what]
	if write == nil {
		log.Fatalf("unknown kernels %q", *what)
	}
	ConstraintExpr("!purego")
	for _, m := range []*machine{avx512(), avx2()} {
		write(m)
	}
	constants.write()
	pass.Compile = pass.Concat(pass.Compile, pass.FunctionPass(checkVEX))
	Generate()
}
