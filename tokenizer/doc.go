// Package tokenizer turns text into the token ids of a model, from the
// tokenizer.ggml.* keys of a GGUF file, and writes those keys from the files of
// a Hugging Face checkpoint.
//
// The ids are those of the Hugging Face tokenizers library, for every text. A
// Tokenizer has the parts that library has, one file each:
//
//	added tokens   added.go      cut out of the text before anything else
//	normalizer     normalize.go  cleans, strips accents, lowers case
//	pre-tokenizer  words.go      words
//	model          wordpiece.go  words to ids
//	template                     the special tokens around a text
//
// WordPiece with the normalizer and the pre-tokenizer of BERT is the only
// pipeline so far; others add a file for each part that differs.
//
// The library's Unicode data is of several ages: categories of Unicode 8,
// decompositions of Unicode 10, letter case of Unicode 17. unicode_tables.go
// holds what Go's own tables do not say.
//
// Text should be UTF-8. A byte that is not part of a valid sequence counts as
// U+FFFD, which BERT's normalizer removes; the library itself takes only valid
// text.
package tokenizer
