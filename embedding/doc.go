// Package embedding holds what is done with the vectors of an embedding model
// besides computing them: the prompts that go before texts (prompts.go), cutting
// vectors short and comparing them (vector.go), and storing them in fewer bits
// (encoding.go).
//
// The parts follow sentence-transformers, whose models these are.
package embedding
