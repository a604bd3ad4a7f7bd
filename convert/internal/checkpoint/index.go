package checkpoint

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/internal/fault"
)

// readIndex returns the file of each tensor that an index file names.
func readIndex(path string) (map[string]string, error) {
	data, err := jsonfile.Read(path)
	if err != nil {
		return nil, err
	}
	return parseIndex(path, data)
}

func parseIndex(path string, data []byte) (map[string]string, error) {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := jsonfile.Unmarshal(path, data, &index); err != nil {
		return nil, err
	}
	if err := jsonfile.UniqueKeys(path, data); err != nil {
		return nil, err
	}
	if len(index.WeightMap) == 0 {
		return nil, fault.Malformed(path, "", "weight_map names no tensors")
	}
	for _, tensor := range slices.Sorted(maps.Keys(index.WeightMap)) {
		if file := index.WeightMap[tensor]; !filepath.IsLocal(file) {
			return nil, fault.Malformed(path, quote(tensor), "its file %q is outside the model's folder", file)
		}
	}
	return index.WeightMap, nil
}

func missingFile(index, name string) error {
	e := fault.Malformed(index, "", "it names the file %s, which is missing", name)
	e.Hint = "download all files of the model"
	return e
}

// compareIndex checks that the files hold what the index says, and no more.
func compareIndex(path string, index map[string]string, tensors map[string]*Tensor) error {
	dir := filepath.Dir(path)
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		t := tensors[name]
		file, ok := index[name]
		if !ok {
			return fault.Malformed(t.File, quote(name), "%s does not name it", filepath.Base(path))
		}
		if filepath.Join(dir, file) != t.File {
			return fault.Malformed(t.File, quote(name), "%s says that it is in %s", filepath.Base(path), file)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(index)) {
		if tensors[name] == nil {
			e := fault.Malformed(path, quote(name), "it is not in %s", index[name])
			e.Hint = "the file is incomplete or of another version; download it again"
			return e
		}
	}
	return nil
}
