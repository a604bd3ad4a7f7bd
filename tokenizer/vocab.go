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

	tokenTypeCount uint32
	pre            string
	special        roleList[uint32] // ids
	adds           roleList[bool]   // whether they are added to a text
	lowercaseKey   *bool            // as far as they are written
	stripKey       *bool
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

func (v *Vocab) warn(format string, args ...any) {
	v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...))
}

// Size returns the number of tokens, those included that only fill up the
// vocabulary to the size in config.json.
func (v *Vocab) Size() int { return len(v.tokens) }

// roleKeys are the keys of roles; llama.cpp has none for cls any more.
var roleKeys = map[string]struct{ id, add string }{
	"bos":  {keyBOS, keyAddBOS},
	"eos":  {keyEOS, keyAddEOS},
	"eot":  {keyEOT, ""},
	"unk":  {keyUnknown, ""},
	"sep":  {keySeparator, keyAddSeparator},
	"pad":  {keyPadding, ""},
	"mask": {keyMask, ""},
}

// SetMetadata writes the tokenizer to md, with the keys, types, values and order
// of llama.cpp's converter; they are the last keys of the files it makes. After
// them come gguftool.tokenizer.* keys, only for a tokenizer that llama.cpp's keys
// do not describe in full.
func (v *Vocab) SetMetadata(md *gguf.Metadata) {
	stored, types := make([]string, len(v.tokens)), make([]int32, len(v.tokens))
	var later []int32
	for i, token := range v.tokens {
		stored[i], types[i] = phantomForm(token, v.types[i]), int32(v.types[i])
		if tokenForm(stored[i], v.types[i], false) != token {
			later = append(later, int32(i))
		}
	}
	md.Set(keyTokenTypeCount, gguf.ValueOf(v.tokenTypeCount))
	md.Set(keyModel, gguf.ValueOf(bertModel))
	md.Set(keyPre, gguf.ValueOf(v.pre))
	md.Set(keyTokens, gguf.ArrayOf(stored))
	md.Set(keyTokenType, gguf.ArrayOf(types))
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
	if v.lowercaseKey != nil {
		md.Set(keyLowercase, gguf.ValueOf(*v.lowercaseKey))
	}
	if v.stripKey != nil {
		md.Set(keyStripAccents, gguf.ValueOf(*v.stripKey))
	}
	if len(later) > 0 {
		md.Set(keyContinuations, gguf.ArrayOf(later))
	}
	if s, err := understood(md, v.vocabulary); err == nil { // the keys are those above
		v.setOverrides(md, &s)
	}
}

// complete adds the keys that llama.cpp's converter leaves out although
// llama.cpp would then assume something that is not so: it has the ids of
// bert-base-uncased and lowers case unless told otherwise.
func (v *Vocab) complete() {
	assumed := func(role string, id uint32, ids ...int32) {
		if len(ids) == 1 && uint32(ids[0]) != id {
			v.special = v.special.with(role, uint32(ids[0]))
		}
	}
	named := func(token string) []int32 {
		if id, ok := v.ids[token]; ok {
			return []int32{id}
		}
		return nil
	}
	assumed("bos", 101, v.prefix...)
	assumed("unk", 100, v.unknown)
	assumed("sep", 102, v.suffix...)
	assumed("pad", 0, named("[PAD]")...)
	assumed("mask", 103, named("[MASK]")...)
	lower := v.bertOptions.lowercase
	if v.lowercaseKey == nil && (!lower || v.looksCased()) {
		v.lowercaseKey = &lower
	}
	v.pre = v.recognize()
}
