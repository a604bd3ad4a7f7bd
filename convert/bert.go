package convert

// bert is BERT as Google trained it and the many embedding models with its
// shape: all-MiniLM, bge, e5, gte, mxbai and others.
var bert = architecture{
	name:    "bert",
	classes: []string{"BertModel", "BertForMaskedLM", "BertForSequenceClassification"},
	defaults: map[string]string{
		"vocab_size":              "30522",
		"hidden_size":             "768",
		"num_hidden_layers":       "12",
		"num_attention_heads":     "12",
		"intermediate_size":       "3072",
		"max_position_embeddings": "512",
		"type_vocab_size":         "2",
		"layer_norm_eps":          "1e-12",
	},
	activation: "gelu",
	encoder:    true,
	pooled:     true,
	prefix:     "bert.",
	drops: []dropRule{
		{"embeddings.position_ids", "the numbers of the positions are implied"},
		{"pooler.dense.weight", poolerDropped},
		{"pooler.dense.bias", poolerDropped},
		{"cls.predictions*", "the head for masked words plays no part in embeddings"},
		{"cls.seq_relationship*", "the head for the next sentence plays no part in embeddings"},
	},
	tensors: []tensorRule{
		{hf: "embeddings.word_embeddings", gguf: "token_embd", parts: table(vocabSize, hiddenSize)},
		{hf: "embeddings.position_embeddings", gguf: "position_embd", parts: table(positions, hiddenSize)},
		{hf: "embeddings.token_type_embeddings", gguf: "token_types", parts: table(tokenTypes, hiddenSize)},
		{hf: "embeddings.LayerNorm", gguf: "token_embd_norm", parts: norm(hiddenSize)},
		{hf: "encoder.layer.#.attention.self.query", gguf: "blk.#.attn_q", parts: linear(hiddenSize, hiddenSize)},
		{hf: "encoder.layer.#.attention.self.key", gguf: "blk.#.attn_k", parts: linear(hiddenSize, hiddenSize)},
		{hf: "encoder.layer.#.attention.self.value", gguf: "blk.#.attn_v", parts: linear(hiddenSize, hiddenSize)},
		{hf: "encoder.layer.#.attention.output.dense", gguf: "blk.#.attn_output", parts: linear(hiddenSize, hiddenSize)},
		{hf: "encoder.layer.#.attention.output.LayerNorm", gguf: "blk.#.attn_output_norm", parts: norm(hiddenSize)},
		{hf: "encoder.layer.#.intermediate.dense", gguf: "blk.#.ffn_up", parts: linear(feedForward, hiddenSize)},
		{hf: "encoder.layer.#.output.dense", gguf: "blk.#.ffn_down", parts: linear(hiddenSize, feedForward)},
		{hf: "encoder.layer.#.output.LayerNorm", gguf: "blk.#.layer_output_norm", parts: norm(hiddenSize)},
		{hf: "classifier", gguf: "cls", labelled: "cls.output", parts: linear(labelCount, hiddenSize), optional: true},
	},
}

const poolerDropped = "embeddings are pooled without the pooler's layer"
