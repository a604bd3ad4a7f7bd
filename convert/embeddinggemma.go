package convert

// embeddingGemma is EmbeddingGemma: Gemma 3 that looks both ways, pools by mean
// and passes the result through two Dense modules.
var embeddingGemma = architecture{
	name:     "gemma-embedding",
	classes:  []string{"Gemma3TextModel"},
	defaults: gemma3Defaults,
	prepare: func(c *config) ([]string, error) {
		if c.assumed["sliding_window"] {
			return nil, c.errorf("sliding_window", "it is missing; no length of the window can be assumed")
		}
		notes, err := prepareGemma3(c)
		if string(c.fields["use_bidirectional_attention"]) != "true" {
			notes = append(notes, "tokens attend to those before them (use_bidirectional_attention is not true); what reads the file lets them attend both ways")
		}
		return notes, err
	},
	rope: gemma3Rope,
	parameters: []parameter{
		{"final_logit_softcapping", kindNonzero, []string{"final_logit_softcapping"}},
		{"attention.sliding_window", kindCount, []string{"sliding_window"}},
	},
	activation:   "gelu_pytorch_tanh",
	pooled:       true,
	denseModules: true,
	trimsRows:    true,
	extras:       gemma3Extras,
	prefix:       "model.",
	drops:        decoderDrops,
	tensors:      gemma3Tensors,
}
