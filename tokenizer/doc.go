// Package tokenizer turns text into the token ids of a model, from the
// tokenizer.ggml.* keys of a GGUF file, and writes those keys from the files of
// a Hugging Face checkpoint.
//
// The ids are those of the Hugging Face tokenizers library, for every text. A
// Tokenizer has the parts that library has:
//
//	added tokens   cut out of the text before anything else (added.go)
//	normalizer     rewrites text (normalize.go: that of BERT; nfc.go; sentence_parts.go, charsmap.go)
//	pre-tokenizer  cuts text into words (words.go: BERT's; pre.go, pattern.go; sentence_parts.go)
//	model          turns words into ids (wordpiece.go, bpe.go, char_bpe.go, unigram.go)
//	template       the special tokens around a text
//	decoder        turns tokens into text
//
// Pre-tokenizer and model are one part here, since they meet in the loop over
// the words. A kind of tokenizer has a scheme, which writes its keys, a reader of
// these keys (metadata.go lists them) and a reader of the files of a checkpoint
// (hf.go).
//
// The models of SentencePiece have their tokens with scores in a file of their own
// (sentencepiece.go) besides tokenizer.json; hf_sentence.go puts both together.
//
// The library's Unicode data is of several ages: categories of Unicode 8 for
// BERT and of Unicode 16 for regular expressions, decompositions of Unicode 10,
// letter case of Unicode 17. unicode_tables.go and unicode_categories.go hold
// what Go's own tables do not say.
//
// Text should be UTF-8. A byte that is not part of a valid sequence counts as
// U+FFFD, which BERT's normalizer removes; the library itself takes only valid
// text.
package tokenizer
