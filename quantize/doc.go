// Package quantize turns a GGUF model into one of fewer bits.
//
// It works in two steps. Source.Plan (NewPlan for a file) applies the recipe: it
// chooses a type for every tensor from the file type (Q4_K_M, ...), the
// architecture, the tensor's role and place, and the options, and says why. Run
// carries plans of one source out, in memory that does not grow with the model
// and with the same bytes for any number of workers:
//
//	disk ──▶ fetchers ──▶ workers ──▶ places in the outputs ──▶ disk
//	         read ahead   decode a chunk of rows once, encode it
//	                      for each plan, measure, digest, write
//
// Chunks are numbered in the order of the output. Errors, progress and sums follow
// that order, and so does writing where the output takes bytes in order only.
//
// The recipe, the order of tensors, the keys and the bytes are those of
// llama-quantize (llama.cpp, October 2026), with these differences:
//
//   - An architecture that is not known here gets the rules that all share;
//     the mixture only needs its block_count. With Options.Pure, with F32, F16,
//     BF16 and with Options.Copy it needs nothing.
//   - Where general.alignment is not 32, data is aligned to it. llama-quantize
//     aligns to 32 and keeps the key, which makes a file that cannot be opened.
//   - An override that is about position embeddings alone, with the pattern of
//     ExactOverride, changes them. llama-quantize keeps them whatever is said.
//   - What would stop it in the middle of the work, such as importance that is
//     missing for one tensor, is found before anything is written.
package quantize
