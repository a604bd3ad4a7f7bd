//go:build (!amd64 && !arm64) || purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

// kernelOf returns the plain kernel: there is no assembly here.
func kernelOf(cpu.Path) kernel { return plain }
