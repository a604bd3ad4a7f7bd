// Package convert makes GGUF files of Hugging Face checkpoints.
//
// A checkpoint is a folder:
//
//	config.json                       class and hyperparameters
//	model.safetensors                 weights; or shards with model.safetensors.index.json;
//	                                  or pytorch_model.bin, or its shards with an index
//	tokenizer.json, ...               the tokenizer
//	chat_template.jinja, ...          how a conversation becomes a text
//	README.md                         model card: license, languages, origins
//	generation_config.json            recommended sampling
//	modules.json, 1_Pooling/, ...     how sentence-transformers makes a vector
//
// The file that comes out is, byte for byte, the one that llama.cpp's
// convert_hf_to_gguf.py writes: the same keys, values, tensors and order. What
// that converter gets wrong silently is refused or reported here: see
// Report.Notes.
//
// Open describes the result without reading a weight; a Model can be written
// with Run or handed on, tensor by tensor, to whatever works on GGUF tensors.
// Weights are mapped and pass through buffers of a few megabytes, so memory
// does not grow with the model. The bytes do not depend on the number of
// threads. Weights of 8 bits with scales are multiplied by them on the way.
package convert
