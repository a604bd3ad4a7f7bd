//go:build !amd64 || purego

package block

func gridPaths() map[string]*gridKernels {
	return map[string]*gridKernels{"scalar": &plainGridKernels}
}
