package gguf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

const hintShards = "the shards do not belong together: get all of them from one source"

var shardName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// ShardPath returns the path of shard i, counted from 0, of n, as
// llama-gguf-split names them: prefix-00001-of-00003.gguf.
func ShardPath(prefix string, i, n int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", prefix, i+1, n)
}

// ParseShardPath takes a shard's path apart; ok is false when path is not named
// like one. i is counted from 0.
func ParseShardPath(path string) (prefix string, i, n int, ok bool) {
	dir, name := filepath.Split(path)
	m := shardName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, 0, false
	}
	i, _ = strconv.Atoi(m[2])
	n, _ = strconv.Atoi(m[3])
	if i < 1 || i > n {
		return "", 0, 0, false
	}
	return dir + m[1], i - 1, n, true
}

// open opens all shards of the model that the file at path belongs to. Whether
// there are several is a matter of split.count, not of the name.
func (f *File) open(path string) error {
	first, err := f.add(path)
	if err != nil {
		return err
	}
	count, err := splitKey(path, first.metadata, KeySplitCount)
	if err != nil {
		return err
	}
	if count > 1 {
		if first, err = f.openShards(path, count); err != nil {
			return err
		}
	}
	f.Version, f.ByteOrder, f.Alignment, f.Metadata = first.version, first.order, first.alignment, first.metadata
	return f.index()
}

// openShards replaces the one open shard, the file at path, by all of them and
// returns the header of the first.
func (f *File) openShards(path string, count int64) (*header, error) {
	prefix, _, n, ok := ParseShardPath(path)
	if !ok || int64(n) != count {
		e := splitError(path, KeySplitCount, "the model has %d shards but the file is not named like one of them", count)
		e.Hint = "give each shard its name back, as in " + ShardPath("model", 0, int(count))
		return nil, e
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	f.Shards, f.Tensors = nil, nil
	if err := checkPresent(path, prefix, n); err != nil {
		return nil, err
	}
	var first *header
	for i := range n {
		shard := ShardPath(prefix, i, n)
		h, err := f.add(shard)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = h
		}
		no, err := splitKey(shard, h.metadata, KeySplitNo)
		switch {
		case err != nil:
			return nil, err
		case no != int64(i):
			return nil, splitError(shard, KeySplitNo, "is %d, but by its name the shard is %d", no, i)
		case h.order != first.order:
			return nil, splitError(shard, KeySplitNo, "the shard is %s but the first one %s", h.order, first.order)
		}
	}
	total, err := splitKey(path, first.metadata, KeySplitTensors)
	if err != nil {
		return nil, err
	}
	if total != int64(len(f.Tensors)) {
		return nil, splitError(path, KeySplitTensors, "is %d, but the shards have %d tensors", total, len(f.Tensors))
	}
	return first, nil
}

// checkPresent names the shards that are not there, all of them, so that they
// can be fetched at once.
func checkPresent(path, prefix string, n int) error {
	var missing []string
	var first error
	for i := range n {
		shard := ShardPath(prefix, i, n)
		if _, err := os.Stat(shard); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, filepath.Base(shard))
			first = cmp.Or(first, err)
		}
	}
	switch shown := missing[:min(len(missing), 10)]; {
	case len(missing) == 0:
		return nil
	case len(missing) == 1:
		_, i, _, _ := ParseShardPath(missing[0])
		return fmt.Errorf("%s: shard %d of %d is missing: %w", path, i+1, n, first)
	case len(missing) > len(shown):
		return fmt.Errorf("%s: %d of %d shards are missing: %s and %d more: %w", path, len(missing), n, strings.Join(shown, ", "), len(missing)-len(shown), first)
	default:
		return fmt.Errorf("%s: %d of %d shards are missing: %s: %w", path, len(missing), n, strings.Join(shown, ", "), first)
	}
}

// index makes tensors findable by name, which must differ across shards.
func (f *File) index() error {
	f.byName = make(map[string]*Tensor, len(f.Tensors))
	for _, t := range f.Tensors {
		if other := f.byName[t.Name]; other != nil {
			e := fault.Malformed(f.Shards[t.Shard].Path, fmt.Sprintf("tensor %q", t.Name), "is also in %s", f.Shards[other.Shard].Path)
			e.Hint = hintShards
			return e
		}
		f.byName[t.Name] = t
	}
	return nil
}

// splitKey returns the integer at key, which every shard has. A file that is not split
// has no split.count, which is 1 then.
func splitKey(file string, md *Metadata, key string) (int64, error) {
	v, ok := md.Lookup(key)
	if !ok && key == KeySplitCount {
		return 1, nil
	}
	n, isInt := v.Int()
	switch {
	case !ok:
		return 0, splitError(file, key, "is missing from a shard")
	case !isInt:
		return 0, splitError(file, key, "must be an integer but is %s", v.Type())
	}
	return n, nil
}

func splitError(file, key, format string, args ...any) *FormatError {
	e := fault.Malformed(file, fmt.Sprintf("key %q", key), format, args...)
	e.Hint = hintShards
	return e
}
