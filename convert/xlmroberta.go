package convert

import "strconv"

// xlmRoBERTa is XLM-RoBERTa and embedding models with its shape, such as bge-m3
// and multilingual-e5: BERT that counts positions from behind the padding token
// on, and whose tokenizer is Unigram.
var xlmRoBERTa = architecture{
	name:    "bert",
	classes: []string{"XLMRobertaModel", "XLMRobertaForSequenceClassification"},
	defaults: map[string]string{
		"vocab_size":              "30522",
		"hidden_size":             "768",
		"num_hidden_layers":       "12",
		"num_attention_heads":     "12",
		"intermediate_size":       "3072",
		"max_position_embeddings": "512",
		"type_vocab_size":         "2",
		"layer_norm_eps":          "1e-12",
		"pad_token_id":            "1",
	},
	prepare:    preparePositions,
	skipsRows:  true,
	encoder:    true,
	pooled:     true,
	activation: "gelu",
	prefix:     "roberta.",
	drops: []dropRule{
		{"embeddings.position_ids", "the numbers of the positions are implied"},
		{"pooler.dense.weight", poolerDropped},
		{"pooler.dense.bias", poolerDropped},
		{"lm_head*", "the head for masked words plays no part in embeddings"},
	},
	tensors: append(bert.tensors[:len(bert.tensors)-1:len(bert.tensors)-1],
		tensorRule{hf: "classifier.dense", gguf: "cls", parts: linear(hiddenSize, hiddenSize), optional: true},
		tensorRule{hf: "classifier.out_proj", gguf: "cls.output", parts: linear(labelCount, hiddenSize), optional: true},
	),
}

// roBERTa is RoBERTa: the same with a tokenizer that is BPE of bytes.
var roBERTa = func() architecture {
	a := xlmRoBERTa
	a.classes = []string{"RobertaModel", "RobertaForSequenceClassification"}
	return a
}()

// positionEmbeddings has one row for each position.
const positionEmbeddings = "position_embd.weight"

// preparePositions takes the positions that no token has out of the context.
func preparePositions(c *config) ([]string, error) {
	const field = "max_position_embeddings"
	skipped, err := c.skippedPositions()
	if err != nil {
		return nil, err
	}
	n, err := c.count(field)
	if err != nil {
		return nil, err
	}
	if int64(n) <= skipped {
		return nil, c.errorf(field, "%d positions are not more than the %d that no token has", n, skipped)
	}
	c.derive(field, n-uint32(skipped))
	return nil, nil
}

// skippedPositions returns how many rows the embeddings of positions have before
// that of the first token: the model gives padding the position of its id.
func (c *config) skippedPositions() (int64, error) {
	const field = "pad_token_id"
	id, err := strconv.ParseUint(string(c.fields[field]), 10, 31)
	if err != nil {
		return 0, c.errorf(field, "it is %s, want the id of a token", excerpt(c.fields[field]))
	}
	return int64(id) + 1, nil
}

// skipRows leaves out the embeddings of positions that no token has.
func (b *builder) skipRows(t *Tensor) error {
	if !b.arch.skipsRows || t.Name != positionEmbeddings {
		return nil
	}
	var err error
	if t.skipped, err = b.config.skippedPositions(); err != nil {
		return err
	}
	t.Shape[1] -= t.skipped
	t.Size, _ = t.Type.Size(t.Shape[0] * t.Shape[1])
	return nil
}
