// Package bench measures models. Perplexity tells how well a decoder predicts a
// text, in the way and with the figures of llama-perplexity, so that they can be
// compared. Speed is measured in repetitions of several cases side by side, and
// two reports of it are compared with regard to their noise. Fidelity tells
// what quantization cost: how far the vectors or predictions of files are from those
// of a reference, and how well each does on labelled texts.
package bench
