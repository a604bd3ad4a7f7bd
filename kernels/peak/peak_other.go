//go:build (!amd64 && !arm64) || purego

package peak

import "github.com/gguftool/gguftool/kernels/cpu"

func float32Loop(cpu.Path) Loop { return plainFloat32 }

func int8Loop(cpu.Path) Loop { return plainInt8 }
