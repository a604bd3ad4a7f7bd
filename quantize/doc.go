// Package quantize turns a GGUF model into one of fewer bits.
//
// It works in two steps. NewPlan applies the recipe: it chooses a type for every
// tensor from the file type (Q4_K_M, ...), the architecture, the tensor's role
// and place, and the options, and says why. Run carries a plan out: it streams
// rows from the mapped source through a pool of workers to the output, in
// memory that does not grow with the model and with the same bytes for any
// number of workers.
//
// The recipe, the order of tensors, the keys and the bytes are those of
// llama-quantize (llama.cpp, October 2026), with these differences:
//
//   - An architecture that is not known here gets the rules that all share;
//     the mixture only needs its block_count. With Options.Pure, with F32, F16,
//     BF16 and with Options.Copy it needs nothing.
//   - Where general.alignment is not 32, data is aligned to it. llama-quantize
//     aligns to 32 and keeps the key, which makes a file that cannot be opened.
//   - What would stop it in the middle of the work, such as importance that is
//     missing for one tensor, is found before anything is written.
package quantize
