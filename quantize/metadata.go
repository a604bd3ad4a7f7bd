package quantize

import (
	"github.com/gguftool/gguftool/gguf"
)

// Keys that quantization writes.
const (
	KeyImatrixFile    = "quantize.imatrix.file"    // name of the importance file
	KeyImatrixDataset = "quantize.imatrix.dataset" // name of the first text that importance was measured on
	keyImatrixEntries = "quantize.imatrix.entries_count"
	keyImatrixChunks  = "quantize.imatrix.chunks_count"
)

// outputMetadata returns the input's keys with those that change at the end, in
// the order in which llama-quantize sets them: a key that is set moves there.
func (p *Plan) outputMetadata() *gguf.Metadata {
	md := p.source.Metadata.Clone()
	p.pruned.trim(md)
	set := func(key string, v gguf.Value) { moveToEnd(md, key, v) }
	set(gguf.KeyQuantizationVersion, gguf.ValueOf(gguf.QuantizationVersion))
	set(gguf.KeyFileType, gguf.ValueOf(uint32(p.FileType)))
	for _, key := range []string{gguf.KeySplitNo, gguf.KeySplitCount, gguf.KeySplitTensors} {
		md.Delete(key)
	}
	for _, o := range p.opts.KVOverrides {
		set(o.Key, o.Value)
	}
	if len(p.opts.Importance) > 0 {
		info := p.opts.ImportanceInfo
		set(KeyImatrixFile, gguf.ValueOf(cut(info.File)))
		if len(info.Datasets) > 0 {
			set(KeyImatrixDataset, gguf.ValueOf(cut(info.Datasets[0])))
		}
		set(keyImatrixEntries, gguf.ValueOf(uint32(len(p.opts.Importance))))
		if info.Chunks > 0 {
			set(keyImatrixChunks, gguf.ValueOf(uint32(info.Chunks)))
		}
	}
	if p.pruned != nil {
		set(p.pruned.arch+".block_count", gguf.ValueOf(uint32(p.pruned.layers)))
	}
	if p.shards > 1 {
		p.setSplit(md, 0)
	}
	return md
}

// outputFileType returns the file type that the output is labelled with.
func (p *Plan) outputFileType(tensors []*gguf.Tensor) gguf.FileType {
	if !p.opts.Copy {
		return p.opts.FileType
	}
	h := hyperparameters{p.source.Metadata, p.opts.KVOverrides}
	if n, ok := h.int(gguf.KeyFileType); ok {
		return gguf.FileType(n)
	}
	return guessFileType(tensors)
}

// shardMetadata returns the keys of shard i of the output.
func (p *Plan) shardMetadata(i int) *gguf.Metadata {
	if i == 0 {
		return p.Metadata
	}
	md := new(gguf.Metadata)
	p.setSplit(md, i)
	return md
}

func (p *Plan) setSplit(md *gguf.Metadata, i int) {
	gguf.ConvertedOrder.Set(md, i, p.shards, len(p.Tensors))
}

func moveToEnd(md *gguf.Metadata, key string, v gguf.Value) {
	md.Delete(key)
	md.Set(key, v)
}

// cut returns what of s llama-quantize keeps in a key.
func cut(s string) string { return s[:min(len(s), maxOverrideText)] }
