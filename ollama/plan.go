package ollama

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/modelfile"
)

// A plan is what a Modelfile asks for, checked as far as that takes no work.
type plan struct {
	base    *Model   // of a FROM that names a model in the store, or nil
	models  []string // paths of the other FROMs
	adapter string   // path, or ""

	template, system           string
	renderer, parser, requires string
	params                     map[string]any
	licenses                   []string
	messages                   []Message
}

func (s *Store) plan(f *modelfile.File, dir string) (*plan, error) {
	p := &plan{}
	var err error
	if p.params, err = f.Settings(); err != nil {
		return nil, fault.Malformed("", "", "line %v", err) // which begins with the place
	}
	if len(f.Values(modelfile.From)) == 0 {
		return nil, fault.Malformed("", "", "the Modelfile has no FROM, which names the model")
	}
	if in := last(f, modelfile.Draft); in != nil {
		return nil, at(in, fault.Unsupported("", "", "leave DRAFT out", "Ollama takes a draft model only with a model in safetensors that it imports itself (--experimental)"))
	}
	for i := range f.Instructions {
		if in := &f.Instructions[i]; in.Keyword == modelfile.From {
			if err := s.addFrom(p, in.Value, dir); err != nil {
				return nil, at(in, err)
			}
		}
	}
	if in := last(f, modelfile.Adapter); in != nil {
		if p.adapter, err = findAdapter(in.Value, dir); err != nil {
			return nil, at(in, err)
		}
	}
	if in := last(f, modelfile.Template); in != nil && in.Value != "" {
		p.template = in.Value
		if err := CheckTemplate(p.template); err != nil {
			return nil, at(in, fault.Malformed("", "", "%v", err))
		}
	}
	p.system, _ = f.Last(modelfile.System)
	p.renderer, _ = f.Last(modelfile.Renderer)
	p.parser, _ = f.Last(modelfile.Parser)
	p.licenses = f.Values(modelfile.License)
	if in := last(f, modelfile.Requires); in != nil {
		var ok bool
		if p.requires, ok = modelfile.Version(in.Value); !ok {
			return nil, at(in, fault.Malformed("", "", "REQUIRES %s is no version, as 0.14.0 is one", quoted(in.Value)))
		}
	}
	for i := range f.Instructions {
		if in := &f.Instructions[i]; in.Keyword == modelfile.Message {
			p.messages = append(p.messages, Message{in.Name, in.Value})
		}
	}
	return p, nil
}

// last returns the instruction with the keyword that counts, or nil.
func last(f *modelfile.File, k modelfile.Keyword) *modelfile.Instruction {
	var found *modelfile.Instruction
	for i := range f.Instructions {
		if f.Instructions[i].Keyword == k {
			found = &f.Instructions[i]
		}
	}
	return found
}

// at says which instruction err is about, where the error is not about a file.
func at(in *modelfile.Instruction, err error) error {
	if in.At == (modelfile.Position{}) {
		return err
	}
	line := fmt.Sprintf("line %v", in.At)
	if f, ok := errors.AsType[*fault.FormatError](err); ok {
		if f.File == "" && f.Part == "" {
			f.Part = line
		}
		return err
	}
	if u, ok := errors.AsType[*fault.UnsupportedError](err); ok {
		if u.File == "" && u.Part == "" {
			u.Part = line
		}
		return err
	}
	return fmt.Errorf("%s: %w", line, err)
}

// findAdapter returns the path of an ADAPTER.
func findAdapter(value, dir string) (string, error) {
	path, err := ExpandPath(value, dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() || filepath.Ext(path) == ".safetensors" {
		return "", fault.Unsupported(path, "", "convert it with convert_lora_to_gguf.py and name the GGUF file", "an ADAPTER in safetensors is not supported")
	}
	return path, nil
}

// addFrom finds what a FROM names: a file or a folder where there is one, else a
// model in the store.
func (s *Store) addFrom(p *plan, value, dir string) error {
	path, err := ExpandPath(value, dir)
	if err != nil {
		return err
	}
	switch info, err := os.Stat(path); {
	case err == nil:
		if info.IsDir() {
			if path, err = modelInFolder(path); err != nil {
				return err
			}
		} else if !info.Mode().IsRegular() {
			return notRegular(path)
		}
		p.models = append(p.models, path)
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	name, err := ParseName(value)
	if err != nil || looksLikePath(value) {
		return &fs.PathError{Op: "FROM", Path: path, Err: fs.ErrNotExist}
	}
	if name, err = s.Find(name); err != nil {
		return err
	}
	m, err := s.Read(name)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("FROM %s: there is neither a file %s nor a model of that name in the store %s; check the path, or pull the model first", value, path, s.Dir)
	}
	if err != nil {
		return err
	}
	if p.base != nil {
		return fault.Unsupported("", "", "leave one of them out", "FROM names two models of the store, %s and %s", p.base.Name.Short(), name.Short())
	}
	p.base = m
	return nil
}

// modelInFolder returns the model that a folder stands for: the folder itself
// where it is a checkpoint, else the GGUF file in it, or the first shard.
func modelInFolder(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var files []string
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".safetensors", ".bin", ".pth":
			return dir, nil
		case ".gguf":
			if _, i, _, ok := gguf.ParseShardPath(e.Name()); !ok || i == 0 {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	switch len(files) {
	case 0:
		return dir, nil // what is missing is said by who reads the checkpoint
	case 1:
		return files[0], nil
	}
	return "", fault.Unsupported(dir, "", "name one of them in FROM", "the folder has %d models in GGUF", len(files))
}

func looksLikePath(s string) bool {
	return strings.HasPrefix(s, ".") || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~") || strings.Contains(s, `\`) || strings.HasSuffix(strings.ToLower(s), ".gguf")
}

// ExpandPath returns the absolute path that a Modelfile in the folder dir names:
// ~ and ~user at its start are home folders.
func ExpandPath(path, dir string) (string, error) {
	switch {
	case path == "":
		return "", fault.Malformed("", "", "a path in the Modelfile is empty")
	case strings.ContainsRune(path, 0):
		return "", fault.Malformed("", "", "the path %s has a NUL", quoted(path))
	case filepath.IsAbs(path), strings.HasPrefix(path, "/"), strings.HasPrefix(path, `\`):
		return filepath.Abs(path)
	case strings.HasPrefix(path, "~"):
		who, rest, _ := strings.Cut(path[1:], "/")
		home, err := os.UserHomeDir()
		if who != "" {
			var u *user.User
			if u, err = user.Lookup(who); err == nil {
				home = u.HomeDir
			}
		}
		if err != nil {
			return "", fmt.Errorf("the path %s: %w", path, err)
		}
		return filepath.Abs(filepath.Join(home, rest))
	}
	return filepath.Abs(filepath.Join(dir, path))
}
