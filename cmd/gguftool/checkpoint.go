package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/hub"
)

// checkpointHelp is a part of the help of commands that take a checkpoint.
const checkpointHelp = `A checkpoint is a folder, a file of its weights in safetensors, or a model on the
Hugging Face hub: hf://org/name, or hf://org/name@revision with a branch, a tag, a
commit or refs/pr/N. Its files are fetched into the cache that huggingface_hub
uses, and found there the next time. HF_TOKEN, HF_HOME, HF_HUB_CACHE,
HF_HUB_OFFLINE and HF_ENDPOINT work as there.`

// A checkpointFolder is where a checkpoint lies.
type checkpointFolder struct {
	dir  string
	name string // that the folder should have, or "" for its own
}

// isCheckpoint reports whether arg names a folder, a file of weights or a model on
// the hub.
func isCheckpoint(arg string) bool {
	if hub.IsSource(arg) {
		return true
	}
	info, err := os.Stat(arg)
	return err == nil && (info.IsDir() || filepath.Ext(arg) == ".safetensors")
}

// findCheckpoint returns the folder that arg names. The files of a model on the
// hub are fetched first, those of its weights only if they are wanted.
func findCheckpoint(cmd *cobra.Command, set *settings, arg string, weights bool) (checkpointFolder, error) {
	if !hub.IsSource(arg) {
		return checkpointFolder{dir: arg}, suggestHub(arg)
	}
	source, err := hub.ParseSource(arg)
	if err != nil {
		return checkpointFolder{}, usageError{err}
	}
	client, err := hub.FromEnvironment()
	if err != nil {
		return checkpointFolder{}, err
	}
	stderr := cmd.ErrOrStderr()
	client.UserAgent = "gguftool/" + strings.Trim(versionString(), "()")
	update, finish := newProgress(stderr, set, "fetching "+source.Name())
	client.Progress = update
	if !set.quiet {
		client.Note = func(text string) { fmt.Fprintln(stderr, "note:", text) }
	}
	stages := []hub.Stage{func(_ string, paths []string) ([]string, error) {
		if _, err := convert.SelectFiles(paths, weights); err != nil {
			return nil, err
		}
		return convert.SelectFiles(paths, false)
	}}
	if weights {
		stages = append(stages, func(dir string, paths []string) ([]string, error) {
			if err := convert.CheckConfig(dir); err != nil {
				return nil, err
			}
			return convert.SelectFiles(paths, true)
		})
	}
	snapshot, err := client.Snapshot(cmd.Context(), source, stages...)
	finish()
	if err != nil {
		return checkpointFolder{}, err
	}
	if !set.quiet {
		printSnapshot(stderr, source, snapshot)
	}
	return checkpointFolder{snapshot.Dir, source.Name()}, nil
}

// printSnapshot tells which version is used, and where it is.
func printSnapshot(w io.Writer, source hub.Source, s *hub.Snapshot) {
	fetched := "in the cache"
	switch {
	case s.Fetched == 1:
		fetched = fmt.Sprintf("1 file, %d bytes, fetched", s.Bytes)
	case s.Fetched > 1:
		fetched = fmt.Sprintf("%d files, %d bytes, fetched", s.Fetched, s.Bytes)
	}
	fmt.Fprintf(w, "%s: commit %s, %s: %s\n", source, s.Commit, fetched, s.Dir)
}

// hubName matches what may be meant as the name of a model on the hub.
var hubName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*/[0-9A-Za-z][0-9A-Za-z._-]*$`)

// suggestHub is an error where arg is no path but could be a model on the hub.
func suggestHub(arg string) error {
	if rest, ok := strings.CutPrefix(arg, "https://huggingface.co/"); ok {
		parts := strings.SplitN(rest, "/", 5)
		if len(parts) >= 4 && (parts[2] == "tree" || parts[2] == "blob") {
			return usagef("for %s write %s%s/%s@%s", arg, hub.Scheme, parts[0], parts[1], parts[3])
		}
		return usagef("for %s write %s%s", arg, hub.Scheme, strings.TrimRight(rest, "/"))
	}
	if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) && hubName.MatchString(arg) && filepath.Ext(arg) != ".gguf" {
		return fmt.Errorf("there is no folder %s; for a model on the hub write %s%s", arg, hub.Scheme, arg)
	}
	return nil
}
