// Package vec holds the small vector work of a forward pass: exponentials and
// softmax, norms, activations, rotary positions, pooling, and the conversions
// between float32 and the 16-bit formats.
//
// Each operation is written in plain Go, which is its specification and computes
// in float64 where it says nothing else, and in assembly for the paths of package
// cpu. The error that a function states against exact arithmetic holds on every
// path, for finite input. Equal input of equal length gives equal bits on one
// path, wherever it lies in memory; functions of single elements do not depend on
// the elements around them. All assembly does the same operations in the same
// order for exponentials, erf and activations, so their bits are the same on each
// path but plain Go. That of amd64 is generated, that of arm64 written by hand.
//
// NaN is never lost: norms, activations and softmax give NaN for it.
package vec

import "github.com/gguftool/gguftool/kernels/cpu"

//go:generate go -C ../_gen run ./vec -out ../vec/vec_amd64.s -stubs ../vec/vec_stubs_amd64.go -pkg vec

// active is the path that is taken. Who computes reports the error of
// cpu.Chosen; without that, it is plain Go.
var active, _ = cpu.Chosen()
