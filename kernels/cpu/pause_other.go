//go:build (!amd64 && !arm64) || purego

package cpu

import "runtime"

func pause() { runtime.Gosched() }
