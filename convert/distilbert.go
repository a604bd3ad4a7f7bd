package convert

// distilBert is BERT with fewer layers, without token types, and with other
// names. It becomes the same architecture.
var distilBert = architecture{
	name:    "bert",
	classes: []string{"DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification"},
	defaults: map[string]string{
		"vocab_size":              "30522",
		"dim":                     "768",
		"n_layers":                "6",
		"n_heads":                 "12",
		"hidden_dim":              "3072",
		"max_position_embeddings": "512",
	},
	layerNormEpsilon: 1e-12,
	activation:       "gelu",
	encoder:          true,
	pooled:           true,
	prefix:           "distilbert.",
	drops: []dropRule{
		{"vocab_*", "the head for masked words plays no part in embeddings"},
		{"embeddings.position_ids", "the numbers of the positions are implied"},
	},
	tensors: []tensorRule{
		{hf: "embeddings.word_embeddings", gguf: "token_embd", parts: table(vocabSize, hiddenSize)},
		{hf: "embeddings.position_embeddings", gguf: "position_embd", parts: table(positions, hiddenSize)},
		{hf: "embeddings.LayerNorm", gguf: "token_embd_norm", parts: norm(hiddenSize)},
		{hf: "transformer.layer.#.attention.q_lin", gguf: "blk.#.attn_q", parts: linear(hiddenSize, hiddenSize)},
		{hf: "transformer.layer.#.attention.k_lin", gguf: "blk.#.attn_k", parts: linear(hiddenSize, hiddenSize)},
		{hf: "transformer.layer.#.attention.v_lin", gguf: "blk.#.attn_v", parts: linear(hiddenSize, hiddenSize)},
		{hf: "transformer.layer.#.attention.out_lin", gguf: "blk.#.attn_output", parts: linear(hiddenSize, hiddenSize)},
		{hf: "transformer.layer.#.sa_layer_norm", gguf: "blk.#.attn_output_norm", parts: norm(hiddenSize)},
		{hf: "transformer.layer.#.ffn.lin1", gguf: "blk.#.ffn_up", parts: linear(feedForward, hiddenSize)},
		{hf: "transformer.layer.#.ffn.lin2", gguf: "blk.#.ffn_down", parts: linear(hiddenSize, feedForward)},
		{hf: "transformer.layer.#.output_layer_norm", gguf: "blk.#.layer_output_norm", parts: norm(hiddenSize)},
		{hf: "pre_classifier", gguf: "cls", parts: linear(hiddenSize, hiddenSize), optional: true},
		{hf: "classifier", gguf: "cls.output", parts: linear(labelCount, hiddenSize), optional: true},
	},
}
