package bench

import (
	_ "embed"
	"math/rand/v2"
)

//go:embed mix.txt
var mix string

// TextMix returns texts as they come in practice, from questions of two words to
// paragraphs of two hundred, short ones among long ones.
func TextMix() []string { return Lines(mix) }

// syntheticRequests is how many requests of a case differ; then the first comes
// again.
const syntheticRequests = 8

// syntheticIDs returns requests of batch texts of length random tokens of a
// vocabulary each, the same every time.
func syntheticIDs(vocabulary, batch, length int) [][][]int32 {
	rng := rand.New(rand.NewPCG(uint64(batch), uint64(length)))
	requests := make([][][]int32, syntheticRequests)
	for i := range requests {
		for range batch {
			ids := make([]int32, length)
			for k := range ids {
				ids[k] = rng.Int32N(int32(vocabulary))
			}
			requests[i] = append(requests[i], ids)
		}
	}
	return requests
}

// textCycle bounds the texts of a cycle of requests, which is repeated.
const textCycle = 64

// textRequests deals texts out to requests of batch texts each. Of many texts it
// takes some from all parts of the list.
func textRequests(texts []string, batch int) [][]string {
	taken := texts
	if most := max(textCycle, batch); len(texts) > most {
		taken = make([]string, most)
		for i := range taken {
			taken[i] = texts[i*len(texts)/most]
		}
	}
	requests := make([][]string, (len(taken)+batch-1)/batch)
	for i := range requests {
		requests[i] = make([]string, batch)
		for k := range requests[i] {
			requests[i][k] = taken[(i*batch+k)%len(taken)]
		}
	}
	return requests
}
