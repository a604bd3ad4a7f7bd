package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
)

// searchOptions say in which ways a corpus is searched.
type searchOptions struct {
	chunkTokens  int
	chunkOverlap int
	chunkScore   string
	hybrid       string
	weights      string
	rerank       string
	depth        int

	parsed bench.SearchOptions
}

func (o *searchOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&o.chunkTokens, "chunk-tokens", 0, "search the texts of --beir in chunks of up to `N` tokens too")
	f.IntVar(&o.chunkOverlap, "chunk-overlap", 0, "a chunk begins with up to `N` tokens of the one before")
	f.StringVar(&o.chunkScore, "chunk-score", "max", "`SCORE` of a text: max, that of its best chunk, or mean, of all its chunks")
	f.StringVar(&o.hybrid, "hybrid", "", "add the scores of a second `MODEL`: a GGUF file or a checkpoint")
	f.StringVar(&o.weights, "hybrid-weight", "0.5", "of scores from 0 to 1, the second model's count `W` and the first's 1 - W; several are tried, separated by commas")
	f.StringVar(&o.rerank, "rerank", "", "put the first texts in the order of another `MODEL`, which makes vectors too")
	f.IntVar(&o.depth, "rerank-depth", 100, "put the first `N` texts in order")
}

// makesFiles reports whether a checkpoint was named.
func (o *searchOptions) makesFiles() bool {
	return o.hybrid != "" && isCheckpoint(o.hybrid) || o.rerank != "" && isCheckpoint(o.rerank)
}

// check finds what is wrong usage.
func (o *searchOptions) check(cmd *cobra.Command, retrieval bool) error {
	changed := cmd.Flags().Changed
	for _, name := range []string{"chunk-tokens", "hybrid", "rerank"} {
		if changed(name) && !retrieval {
			return usagef("--%s is about --beir, which is missing", name)
		}
	}
	for _, needs := range [][2]string{{"chunk-overlap", "chunk-tokens"}, {"chunk-score", "chunk-tokens"}, {"hybrid-weight", "hybrid"}, {"rerank-depth", "rerank"}} {
		if changed(needs[0]) && !changed(needs[1]) {
			return usagef("--%s is about --%s, which is missing", needs[0], needs[1])
		}
	}
	if changed("chunk-tokens") && o.chunkTokens < 1 {
		return usagef("--chunk-tokens %d is less than 1", o.chunkTokens)
	}
	if o.chunkScore != "max" && o.chunkScore != "mean" {
		return usagef("--chunk-score: unknown score %q; choose one of max, mean", o.chunkScore)
	}
	o.parsed = bench.SearchOptions{
		ChunkTokens: o.chunkTokens, ChunkOverlap: o.chunkOverlap, ChunkMean: o.chunkScore == "mean",
		Hybrid: o.hybrid, Rerank: o.rerank, Depth: o.depth,
	}
	if o.hybrid != "" {
		for field := range strings.SplitSeq(o.weights, ",") {
			w, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
			if err != nil {
				return usagef("--hybrid-weight: %q is no number", field)
			}
			o.parsed.Weights = append(o.parsed.Weights, w)
		}
		if o.rerank != "" && len(o.parsed.Weights) > 1 {
			return usagef("--rerank takes what was found with one --hybrid-weight, not with %d", len(o.parsed.Weights))
		}
	}
	if err := o.parsed.Check(); err != nil {
		return usageError{err}
	}
	return nil
}

// findSearchModels makes files of the other models where they are checkpoints.
func (o *fidelityOptions) findSearchModels(cmd *cobra.Command, set *settings) error {
	w, err := o.workshop()
	if err != nil && o.search.makesFiles() {
		return err
	}
	s := &o.library.Search
	*s = o.search.parsed
	for _, path := range []*string{&s.Hybrid, &s.Rerank} {
		if *path == "" {
			continue
		}
		if *path, err = asFile(cmd, set, w, *path); err != nil {
			return err
		}
	}
	return nil
}
