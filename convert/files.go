package convert

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// smallFiles match what a folder of a checkpoint says about its model and
// tokenizer, for any kind that the hub has: what is valuable for one model is
// small for all of them.
var smallFiles = regexp.MustCompile(`^(` + strings.Join([]string{
	`config.*\.json`, `.*_config\.json`, // config_sentence_transformers.json, generation_config.json
	`tokenizer.*\.json`, `tokenizer\.model(\.v\d+)?`, `special_tokens_map\.json`, `added_tokens\.json`,
	`vocab\.(txt|json)`, `merges\.txt`, `.*\.tiktoken`, `(spiece|spm|sentencepiece.*)\.model`,
	`chat_template.*\.(json|jinja)`, `modules\.json`, `README\.md`,
}, `|`) + `)$`)

// moduleFolder matches the folder of a sentence-transformers module, as in
// "1_Pooling" and "2_Dense".
var moduleFolder = regexp.MustCompile(`^\d+_[0-9A-Za-z]+$`)

// templateFolder has chat templates besides the usual one.
const templateFolder = "additional_chat_templates"

// weightFiles are the ways to store weights, the preferred one first. Shards have
// "-of-" in their names, and their index the same name as the whole file.
var weightFiles = []struct{ prefix, suffix string }{
	{"model", ".safetensors"},
	{"pytorch_model", ".bin"},
}

// SelectFiles returns which of the files of a model on the hub Open needs: paths
// with slashes, in their order. Several versions of the same weights are common
// there: it takes safetensors rather than PyTorch files, and of these the shards
// rather than one file if there is an index; never those for other programs, as
// in onnx/. Without weights it is enough if the vocabulary is to be converted.
//
// It is an error if there is no checkpoint.
func SelectFiles(paths []string, weights bool) ([]string, error) {
	folders := map[string][]string{} // names by folder
	for _, p := range paths {
		dir, name := path.Split(p)
		dir = strings.TrimSuffix(dir, "/")
		folders[dir] = append(folders[dir], name)
	}
	chosen := map[string]bool{}
	for dir, names := range folders {
		switch {
		case dir == "" || moduleFolder.MatchString(dir):
			for _, name := range names {
				if smallFiles.MatchString(name) {
					chosen[path.Join(dir, name)] = true
				}
			}
			if weights {
				for _, name := range selectWeights(names) {
					chosen[path.Join(dir, name)] = true
				}
			}
		case dir == templateFolder:
			for _, name := range names {
				if path.Ext(name) == ".jinja" {
					chosen[path.Join(dir, name)] = true
				}
			}
		}
	}
	if !chosen["config.json"] {
		return nil, noCheckpointFiles(paths, "config.json")
	}
	if weights && len(selectWeights(folders[""])) == 0 {
		return nil, noCheckpointFiles(paths, "weights, neither model.safetensors nor shards of it nor pytorch_model.bin")
	}
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !chosen[p] }), nil
}

// CheckConfig fails where Open would because of config.json, such as for a class
// that is not supported. Nothing else has to be in the folder dir, so it is worth
// asking before the weights are fetched.
func CheckConfig(dir string) error {
	config, err := readConfig(dir)
	if err != nil {
		return noCheckpoint(dir, err)
	}
	class, err := config.architecture()
	if err != nil {
		return err
	}
	if _, err := lookupArchitecture(class, config.file); err != nil {
		return err
	}
	_, err = config.quantization(dir)
	return err
}

// selectWeights returns the files of one version of the weights in a folder.
func selectWeights(names []string) []string {
	for _, w := range weightFiles {
		all := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return !strings.HasPrefix(name, w.prefix) || !strings.HasSuffix(name, w.suffix)
		})
		shards := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !strings.Contains(name, "-of-") })
		whole := w.prefix + w.suffix
		index := whole + ".index.json"
		switch {
		case slices.Contains(names, index) && len(shards) > 0:
			return append(shards, index)
		case slices.Contains(all, whole):
			return []string{whole}
		case len(all) > 0:
			return all
		}
	}
	return nil
}

// noCheckpointFiles says what there is instead.
func noCheckpointFiles(paths []string, what string) error {
	for _, other := range []struct{ suffix, hint string }{
		{".gguf", "it has GGUF files, which need no conversion"},
		{"adapter_config.json", "it is an adapter for another model"},
		{".safetensors", "it has safetensors files for another program"},
		{".onnx", "it has ONNX files, which cannot be converted"},
	} {
		for _, p := range paths {
			if strings.HasSuffix(p, other.suffix) {
				return fmt.Errorf("it has no %s; %s, such as %s", what, other.hint, p)
			}
		}
	}
	if len(paths) == 0 {
		return errors.New("it has no files")
	}
	return fmt.Errorf("it has no %s; it is no checkpoint that can be converted", what)
}
