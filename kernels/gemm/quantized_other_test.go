//go:build (!amd64 && !arm64) || purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

func int8Variants(cpu.Path) []int8Variant { return []int8Variant{{"plain", plain.int8}} }
