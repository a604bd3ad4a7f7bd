package archive

import (
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

// Portable returns a manifest without what only means something on the machine
// that made it: where layers came from. Its other parts are as Ollama writes them.
func Portable(m *ollama.Manifest) *ollama.Manifest {
	config, layers := m.Config, make([]ollama.Layer, len(m.Layers))
	config.From = ""
	for i, l := range m.Layers {
		l.From = ""
		layers[i] = l
	}
	return ollama.NewManifest(config, layers)
}

// readManifest reads and checks what a stranger may have written.
func readManifest(text []byte) (*ollama.Manifest, error) {
	m, err := ollama.DecodeManifest(text)
	if err != nil {
		return nil, err
	}
	if m.SchemaVersion != 2 {
		return nil, fault.Unsupported("", "manifest", "models have version 2", "has schema version %d", m.SchemaVersion)
	}
	sizes := map[ollama.Digest]int64{}
	for _, l := range m.Blobs() {
		if before, ok := sizes[l.Digest]; ok && before != l.Size {
			return nil, fault.Malformed("", "manifest", "%s has %d and %d bytes", l.Digest, before, l.Size)
		}
		sizes[l.Digest] = l.Size
	}
	return m, nil
}

func bytesOf(layers []ollama.Layer) (total int64) {
	for _, l := range layers {
		total += l.Size
	}
	return total
}
