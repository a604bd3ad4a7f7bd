package ollama

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

// Media types of a manifest, its config and its layers.
const (
	TypeManifest  = "application/vnd.docker.distribution.manifest.v2+json"
	TypeConfig    = "application/vnd.docker.container.image.v1+json"
	TypeModel     = "application/vnd.ollama.image.model"     // GGUF
	TypeProjector = "application/vnd.ollama.image.projector" // GGUF of the part that sees or hears
	TypeAdapter   = "application/vnd.ollama.image.adapter"   // GGUF of a LoRA
	TypeTemplate  = "application/vnd.ollama.image.template"  // Go template
	TypeSystem    = "application/vnd.ollama.image.system"    // text
	TypeParams    = "application/vnd.ollama.image.params"    // JSON object
	TypeMessages  = "application/vnd.ollama.image.messages"  // JSON list
	TypeLicense   = "application/vnd.ollama.image.license"   // text; may be repeated
	TypeTensor    = "application/vnd.ollama.image.tensor"    // one tensor of a safetensors model
	TypeJSON      = "application/vnd.ollama.image.json"      // a file of a safetensors model
	TypeDraft     = "application/vnd.ollama.image.draft"     // a tensor of its draft model
	TypePrompt    = "application/vnd.ollama.image.prompt"    // old name of a template
)

// Limits of what is read into memory. Manifests with a layer for each tensor
// have thousands of layers, of about 300 bytes each.
const (
	MaxManifest = 16 << 20
	MaxConfig   = 16 << 20
	maxText     = 16 << 20 // of a template, system text, licence, ...
	maxLayers   = 1 << 16
)

// A Digest names content: "sha256:" and 64 hexadecimal digits.
type Digest string

// ParseDigest reads a digest, also one with "-" for ":" as in names of blobs.
func ParseDigest(s string) (Digest, error) {
	hex, ok := strings.CutPrefix(s, "sha256:")
	if !ok {
		hex, ok = strings.CutPrefix(s, "sha256-")
	}
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdefABCDEF") != "" {
		return "", fault.Malformed("", "", "%s is no digest: sha256: and 64 hexadecimal digits", quoted(s))
	}
	return Digest("sha256:" + hex), nil
}

// Hex returns the digits.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Short returns the first 12 digits, which are what Ollama shows.
func (d Digest) Short() string { return d.Hex()[:min(12, len(d.Hex()))] }

// key is the same for digests that differ in case only.
func (d Digest) key() string { return strings.ToLower(d.Hex()) }

// A Layer is a reference to a blob.
type Layer struct {
	MediaType string `json:"mediaType"`
	Digest    Digest `json:"digest"`
	Size      int64  `json:"size"`           // bytes
	From      string `json:"from,omitempty"` // the model or the path that it was taken from
	Name      string `json:"name,omitempty"` // of a tensor or a file of a safetensors model
}

// A Manifest lists the blobs of a model.
type Manifest struct {
	SchemaVersion int     `json:"schemaVersion"` // 2
	MediaType     string  `json:"mediaType"`     // TypeManifest
	Config        Layer   `json:"config"`
	Layers        []Layer `json:"layers"`
}

// NewManifest returns the manifest of a model.
func NewManifest(config Layer, layers []Layer) *Manifest {
	return &Manifest{SchemaVersion: 2, MediaType: TypeManifest, Config: config, Layers: layers}
}

// Encode returns the bytes that Ollama writes for m.
func (m *Manifest) Encode() ([]byte, error) { return encodeJSON(m) }

// Blobs returns all references of m, the config last. Old manifests may have none.
func (m *Manifest) Blobs() []Layer {
	all := slices.Clone(m.Layers)
	if m.Config.Digest != "" {
		all = append(all, m.Config)
	}
	return all
}

// Distinct returns what m refers to, the config first and each digest once.
func (m *Manifest) Distinct() []Layer {
	all := m.Blobs()
	if n := len(all); m.Config.Digest != "" {
		all = append(all[n-1:n:n], all[:n-1]...)
	}
	var once []Layer
	seen := map[string]bool{}
	for _, l := range all {
		if !seen[l.Digest.key()] {
			seen[l.Digest.key()] = true
			once = append(once, l)
		}
	}
	return once
}

// Size returns the bytes of all blobs, as Ollama counts them.
func (m *Manifest) Size() int64 {
	var n int64
	for _, l := range m.Blobs() {
		n += l.Size // cannot overflow, see DecodeManifest
	}
	return n
}

// Find returns the layers with a media type.
func (m *Manifest) Find(mediaType string) []Layer {
	var found []Layer
	for _, l := range m.Layers {
		if l.MediaType == mediaType {
			found = append(found, l)
		}
	}
	return found
}

// DecodeManifest reads a manifest and checks its digests and sizes. Errors are
// *fault.FormatError, without the name of the file.
func DecodeManifest(data []byte) (*Manifest, error) {
	if len(data) > MaxManifest {
		return nil, fault.Malformed("", "", "a manifest has at most %d bytes", MaxManifest)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fault.Malformed("", "", "the manifest is no JSON of Ollama's: %v", err)
	}
	if len(m.Layers) > maxLayers {
		return nil, fault.Malformed("", "", "the manifest has %d layers, more than %d", len(m.Layers), maxLayers)
	}
	if m.Config.Digest == "" && len(m.Layers) == 0 {
		return nil, fault.Malformed("", "", "the manifest refers to nothing")
	}
	var total int64
	for i, l := range m.Blobs() {
		part := fmt.Sprintf("layer %d", i)
		if i == len(m.Layers) {
			part = "the config"
		}
		d, err := ParseDigest(string(l.Digest))
		switch {
		case err != nil:
			return nil, fault.Malformed("", part, "%s is no digest: sha256: and 64 hexadecimal digits", quoted(string(l.Digest)))
		case l.Size < 0 || l.Size > math.MaxInt64-total:
			return nil, fault.Malformed("", part, "a size of %d bytes is not possible", l.Size)
		}
		total += l.Size
		if i < len(m.Layers) {
			m.Layers[i].Digest = d
		} else {
			m.Config.Digest = d
		}
	}
	return &m, nil
}

// A Config is what Ollama knows of a model without opening it. The order of the
// fields, and which of them may be absent, make its digest.
type Config struct {
	ModelFormat   string   `json:"model_format"`
	ModelFamily   string   `json:"model_family"`   // general.architecture
	ModelFamilies []string `json:"model_families"` // of all GGUF layers
	ModelType     string   `json:"model_type"`     // number of weights, as in 22.57M
	FileType      string   `json:"file_type"`      // see fileTypeName
	Renderer      string   `json:"renderer,omitempty"`
	Parser        string   `json:"parser,omitempty"`
	Requires      string   `json:"requires,omitempty"`

	RemoteHost  string `json:"remote_host,omitempty"`
	RemoteModel string `json:"remote_model,omitempty"`

	Capabilities    []string `json:"capabilities,omitempty"`
	ContextLength   int      `json:"context_length,omitempty"`
	EmbeddingLength int      `json:"embedding_length,omitempty"`
	BaseName        string   `json:"base_name,omitempty"`
	Draft           *Draft   `json:"draft,omitempty"`

	Architecture string `json:"architecture"` // amd64, always
	OS           string `json:"os"`           // linux, always
	RootFS       RootFS `json:"rootfs"`
}

// A Draft describes a draft model in the same manifest.
type Draft struct {
	ModelFormat  string `json:"model_format,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	TensorPrefix string `json:"tensor_prefix,omitempty"`
	Config       string `json:"config,omitempty"`
}

// RootFS lists the digests of the layers.
type RootFS struct {
	Type    string   `json:"type"` // layers
	DiffIDs []Digest `json:"diff_ids"`
}

// Encode returns the bytes that Ollama writes for c.
func (c *Config) Encode() ([]byte, error) { return encodeJSON(c) }

// DecodeConfig reads the config of a model. Errors are *fault.FormatError,
// without the name of the file.
func DecodeConfig(data []byte) (*Config, error) {
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fault.Malformed("", "", "the config is no JSON of Ollama's: %v", err)
	}
	return &c, nil
}

// encodeJSON writes v as Ollama does: on one line, which ends, with <, > and &
// escaped.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}
