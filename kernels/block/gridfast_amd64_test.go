//go:build amd64 && !purego

package block

import "github.com/gguftool/gguftool/kernels/cpu"

// gridPaths returns the kernels of the paths that the machine has.
func gridPaths() map[string]*gridKernels {
	paths := map[string]*gridKernels{"scalar": &plainGridKernels}
	for _, p := range cpu.Paths() {
		switch p {
		case cpu.AVX2:
			paths[p.String()] = &gridAVX2
		case cpu.AVX512:
			paths[p.String()] = &gridAVX512
		}
	}
	return paths
}
