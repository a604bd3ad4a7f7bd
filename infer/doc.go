// Package infer computes embedding vectors from GGUF models.
//
// An architecture is data: a file of its own (bert.go) fills in a config from
// the metadata, and one forward pass (forward.go) serves them all.
//
// Texts are concatenated without padding: the products see one tall matrix, and
// attention runs per text and head, without a mask. Every number is computed
// from its own text alone and its sums run in a fixed order, so that a vector
// does not depend, to the bit, on the other texts of a batch, their order or the
// number of threads. Memory grows with the tokens of the texts that are computed
// at a time, linearly even for one long text.
package infer
