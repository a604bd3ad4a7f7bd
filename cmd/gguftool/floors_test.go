package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors orders the packages of the module: imports point down, or sideways to
// a package of the same floor that stands to the left in its row.
var floors = [][]string{
	{"internal/fault", "internal/mmap", "internal/atomicfile", "internal/npy", "internal/texttable", "internal/ordered", "internal/jinja", "deploy", "gguf", "modelfile", "ollama"},
	{"kernels/cpu", "kernels/peak", "kernels/vec", "kernels/block", "kernels/gemm", "tokenizer", "embedding", "hub", "chattemplate"},
	{"imatrix", "quantize", "convert", "infer", "inspect"},
	{"bench", "bench/report", "calibrate", "allocate", "modelfile/fit"},
	{"cmd/gguftool", "scripts/embedbench", "scripts/logits"},
}

// testOnly packages may be imported by tests alone.
var testOnly = []string{"internal/emulator", "internal/fence", "internal/synth", "internal/hostile", "internal/hostilecheckpoint", "internal/hubtest"}

// peers may not import each other although they share a floor: the command
// wires them together.
var peers = [][2]string{
	{"quantize", "imatrix"}, {"imatrix", "infer"}, {"convert", "quantize"}, {"inspect", "infer"}, {"infer", "quantize"}, {"infer", "convert"},
}

func TestImportsPointDown(t *testing.T) {
	const module = "github.com/gguftool/gguftool/"
	height := map[string]int{}
	for i, row := range floors {
		for j, pkg := range row {
			height[pkg] = i*100 + j
		}
	}
	forbidden := map[[2]string]bool{}
	for _, p := range peers {
		forbidden[p] = true
		forbidden[[2]string{p[1], p[0]}] = true
	}
	for _, p := range testOnly {
		height[p] = 1000
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(pkg.ImportPath, module)
		root := floorOf(height, from)
		if root == "" {
			t.Errorf("%s stands on no floor: add it to the table", from)
			continue
		}
		seen[root] = true
		for _, path := range pkg.Imports {
			to, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			target := floorOf(height, to)
			if target != root && (height[target] >= height[root] || forbidden[[2]string{root, target}]) {
				t.Errorf("%s imports %s, which does not lie below it", from, to)
			}
		}
	}
	for pkg := range height {
		if !seen[pkg] {
			t.Errorf("%s is in the table, but there is no such package", pkg)
		}
	}
}

// floorOf finds the row entry that pkg belongs to: itself, or the package in
// whose folder it lies.
func floorOf(height map[string]int, pkg string) string {
	for name := pkg; name != ""; {
		if _, ok := height[name]; ok {
			return name
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			break
		}
		name = name[:i]
	}
	return ""
}
