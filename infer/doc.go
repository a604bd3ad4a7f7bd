// Package infer runs GGUF models on whole texts: it computes their embedding
// vectors, the states of their tokens and, for decoders, the logits of the
// tokens that follow.
//
// An architecture is data: a file of its own (bert.go, gemma3.go) fills in a
// config from the metadata, and one forward pass (forward.go) serves them all.
// What architectures do differently is in the config: where norms stand, how
// positions enter, which tokens a token sees, how the network is gated.
//
// Texts are concatenated without padding: the products see one tall matrix, and
// attention runs per text and head, over the keys that a block of queries sees.
// Every number is computed from its own text alone and its sums run in a fixed
// order, so that a vector does not depend, to the bit, on the other texts of a
// batch, their order or the number of threads. Several texts are divided into
// groups, each of which a worker takes through all layers by itself; a text alone
// is shared by all workers, which stay awake between the many short loops that
// this takes. Memory grows with the tokens of the texts that are computed at a
// time, linearly even for one long text.
//
// Products are computed in floats or, with weights that are quantized, in bytes
// (see Precision). Each file format is decoded when the model is loaded, into the
// panels of package gemm.
package infer
