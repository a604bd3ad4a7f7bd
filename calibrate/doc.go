// Package calibrate measures how much the input columns of a model's weights
// matter, in the way that the model is used: embedding models see whole texts
// with their special tokens and prompt, models that predict tokens see windows of
// a long text, as in llama-imatrix.
//
// It wires package infer, which runs the model in float32 whatever the file
// holds, to package imatrix, which sums up what it is shown. The result does not
// depend on threads, nor on where a measurement was interrupted and resumed.
package calibrate
