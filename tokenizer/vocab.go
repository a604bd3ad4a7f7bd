package tokenizer

import (
	"fmt"

	"github.com/gguftool/gguftool/gguf"
)

// A Vocab is the tokenizer of a checkpoint, ready to be written to a GGUF file.
type Vocab struct {
	*vocabulary
	settings

	// Warnings says what is unusual about the tokenizer, a sentence each.
	Warnings []string

	// Templates, if there is such a function, writes the chat templates, which
	// stand among the keys of the tokenizer.
	Templates func(*gguf.Metadata)

	scheme       scheme
	listed       int
	pre          string
	special      roleList[uint32] // ids
	adds         roleList[bool]   // whether they are added to a text
	lowercaseKey *bool            // as far as they are written
	stripKey     *bool
}

// A scheme is what tokenizers of one kind have beyond others.
type scheme interface {
	// setMetadata writes all keys of v.
	setMetadata(md *gguf.Metadata, v *Vocab)
}

// A roleList gives values to roles of special tokens, in the order of a file.
type roleList[T any] []struct {
	role  string
	value T
}

// with adds a value for a role that has none.
func (l roleList[T]) with(role string, value T) roleList[T] {
	for _, e := range l {
		if e.role == role {
			return l
		}
	}
	return append(l, struct {
		role  string
		value T
	}{role, value})
}

// set gives a role a value, where it stands or at the end.
func (l roleList[T]) set(role string, value T) roleList[T] {
	for i := range l {
		if l[i].role == role {
			l[i].value = value
			return l
		}
	}
	return l.with(role, value)
}

func (v *Vocab) warn(format string, args ...any) {
	v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...))
}

// Size returns the number of tokens, those included that only fill up the
// vocabulary to the size in config.json.
func (v *Vocab) Size() int { return len(v.tokens) }

// Listed returns how many entries tokenizer.json has for tokens: those of the
// model's vocabulary and the added tokens, some of which may be in both. It is 0
// for a tokenizer of other files.
func (v *Vocab) Listed() int { return v.listed }

// roleKeys are the keys of roles; llama.cpp has none for cls any more.
var roleKeys = map[string]struct{ id, add string }{
	"bos":  {keyBOS, keyAddBOS},
	"eos":  {keyEOS, keyAddEOS},
	"eot":  {keyEOT, ""},
	"eom":  {keyEOM, ""},
	"unk":  {keyUnknown, ""},
	"sep":  {keySeparator, keyAddSeparator},
	"pad":  {keyPadding, ""},
	"mask": {keyMask, ""},
}

// SetMetadata writes the tokenizer to md, with the keys, types, values and order
// of llama.cpp's converter; they are the last keys of the files it makes. After
// them come gguftool.tokenizer.* keys, only for a tokenizer that llama.cpp's keys
// do not describe in full.
func (v *Vocab) SetMetadata(md *gguf.Metadata) { v.scheme.setMetadata(md, v) }

// setTypes writes the token types.
func (v *Vocab) setTypes(md *gguf.Metadata) {
	types := make([]int32, len(v.types))
	for i, t := range v.types {
		types[i] = int32(t)
	}
	md.Set(keyTokenType, gguf.ArrayOf(types))
}

// setSpecial writes what llama.cpp's converter knows about special tokens, chat
// templates and the normalizer.
func (v *Vocab) setSpecial(md *gguf.Metadata) {
	for _, e := range v.special {
		if key := roleKeys[e.role].id; key != "" {
			md.Set(key, gguf.ValueOf(e.value))
		}
	}
	for _, e := range v.adds {
		if key := roleKeys[e.role].add; key != "" {
			md.Set(key, gguf.ValueOf(e.value))
		}
	}
	if v.Templates != nil {
		v.Templates(md)
	}
	if v.lowercaseKey != nil {
		md.Set(keyLowercase, gguf.ValueOf(*v.lowercaseKey))
	}
	if v.stripKey != nil {
		md.Set(keyStripAccents, gguf.ValueOf(*v.stripKey))
	}
}
