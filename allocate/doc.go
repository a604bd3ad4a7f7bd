// Package allocate chooses a type for every tensor of a model by what each type
// costs, measured on texts: the distance between what the model answers with
// its own weights and with weights that were encoded and decoded.
//
// An Evaluator measures. It is built on package infer, and for models that
// infer cannot run on the tensors alone.
package allocate
