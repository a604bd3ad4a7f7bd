package inspect

import (
	"fmt"

	"github.com/gguftool/gguftool/gguf"
)

// MergeOptions change what Merge writes. The zero value means what
// llama-gguf-split writes.
type MergeOptions struct {
	// DropSplitKeys leaves out the keys of the shards, so that the output is, byte
	// for byte, the file that was split, as long as that had none and was laid out
	// as this package does: tensors in the order of the table, without gaps.
	DropSplitKeys bool
}

// Merge plans to store the shards of the model in f in the one file out. The
// keys split.no, split.tensors.count and split.count stay, at the end
// split.count, which becomes 0: that is how programs tell that there are no more
// files.
func Merge(f *gguf.File, out string, o *MergeOptions) (*Rewrite, error) {
	if o == nil {
		o = new(MergeOptions)
	}
	if count, ok := f.Metadata.Int(gguf.KeySplitCount); !ok || count < 1 {
		return nil, fmt.Errorf("%s is one file that was not split, or is merged already; name one of the shards, as in %s", f.Path, gguf.ShardPath("model", 0, 3))
	}
	md := f.Metadata.Clone()
	if o.DropSplitKeys {
		for _, key := range []string{gguf.KeySplitNo, gguf.KeySplitTensors, gguf.KeySplitCount} {
			md.Delete(key)
		}
	} else {
		setLast(md, gguf.KeySplitCount, gguf.ValueOf(uint16(0)))
	}
	r := &Rewrite{source: f}
	file, err := r.output(out, md, f.Tensors)
	if err != nil {
		return nil, err
	}
	r.Outputs = []Output{file}
	return r, nil
}
