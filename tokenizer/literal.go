package tokenizer

// Literal returns a tokenizer that takes control tokens, such as "</s>", for
// text where they are written out in a text. It is how llama.cpp reads text
// unless it is asked to parse special tokens. Other added tokens, and what Encode
// puts around a text, are as those of t.
func (t *Tokenizer) Literal() (*Tokenizer, error) {
	l := *t
	var err error
	if l.raw, err = t.literal(t.raw, nil); err != nil {
		return nil, err
	}
	if l.normalized, err = t.literal(t.normalized, t.normalizer); err != nil {
		return nil, err
	}
	return &l, nil
}

// literal returns set without control tokens. n is what its tokens went through.
func (t *Tokenizer) literal(set *addedSet, n normalizer) (*addedSet, error) {
	if set == nil {
		return nil, nil
	}
	kept := newAddedSet()
	for id, flags := range set.flags {
		if t.types[id] == controlToken {
			continue
		}
		content := t.tokens[id]
		if n != nil {
			content = string(n.append(nil, content))
		}
		if err := kept.add(content, addedToken{id: id, flags: flags}); err != nil {
			return nil, tooManyPrefixes(err)
		}
	}
	return kept, nil
}
