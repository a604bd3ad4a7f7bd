package tokenizer

import "strings"

// roles are the special tokens that checkpoints name, in the order in which
// llama.cpp's converter writes them.
var roles = []string{"bos", "eos", "unk", "sep", "pad", "cls", "mask"}

// bertNames are the special tokens that transformers' BertTokenizer has without
// being told.
var bertNames = map[string]string{"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}

// contentOf returns the token that v names: a string, or an object with content.
func contentOf(v any) string {
	if object, ok := v.(map[string]any); ok {
		v = object["content"]
	}
	s, _ := v.(string)
	return s
}

// specialName returns the special token of a role, or "".
func (c *checkpoint) specialName(role string) string {
	for _, from := range []map[string]any{c.config, c.specialMap} {
		if s := contentOf(from[role+"_token"]); s != "" {
			return s
		}
	}
	if class, _ := c.config["tokenizer_class"].(string); class == "PreTrainedTokenizerFast" || class == "TokenizersBackend" {
		return ""
	}
	return bertNames[role]
}

// specialTokens returns the tokens that are special by name.
func (c *checkpoint) specialTokens() map[string]bool {
	special := make(map[string]bool)
	for _, role := range roles {
		special[c.specialName(role)] = true
	}
	for key, value := range c.config {
		if token, ok := value.(string); ok && strings.HasSuffix(key, "_token") {
			special[token] = true // transformers makes roles of keys it does not know
		}
	}
	defer delete(special, "")
	for _, from := range []map[string]any{c.config, c.specialMap} {
		for _, key := range []string{"additional_special_tokens", "extra_special_tokens"} {
			switch list := from[key].(type) {
			case []any:
				for _, v := range list {
					special[contentOf(v)] = true
				}
			case map[string]any:
				for _, v := range list {
					special[contentOf(v)] = true
				}
			}
		}
	}
	return special
}

// looksSpecial reports whether llama.cpp's converter makes token a control token
// although the checkpoint does not call it special.
func looksSpecial(token string) bool {
	switch token {
	case "<pad>", "<mask>", "<2mass>", "[@BOS@]":
		return true
	}
	enclosed := func(before, after string) bool {
		return strings.HasPrefix(token, before) && strings.HasSuffix(token, after)
	}
	return enclosed("<|", "|>") || enclosed("<｜", "｜>") || enclosed("<unused", ">")
}

// addedTokens returns the added tokens by id, and puts those that the
// vocabulary lacks into ids.
func (c *checkpoint) addedTokens(ids map[string]int64) (map[int64]hfAddedToken, error) {
	special := c.specialTokens()
	added := make(map[int64]hfAddedToken)
	isNew := make(map[string]bool) // not in the vocabulary of the model
	add := func(file string, a hfAddedToken) error {
		if id, ok := ids[a.Content]; ok && id != a.ID {
			return c.malformed(file, "added tokens", "%q has id %d, but it is %d in the vocabulary", a.Content, a.ID, id)
		}
		if !isNew[a.Content] {
			_, a.alsoPiece = ids[a.Content]
			isNew[a.Content] = !a.alsoPiece
		}
		ids[a.Content], added[a.ID] = a.ID, a
		return nil
	}
	// The later files count.
	for token, id := range c.added {
		if err := add(fileAdded, hfAddedToken{ID: id, Content: token}); err != nil {
			return nil, err
		}
	}
	for id, a := range c.decoder.AddedTokens {
		a.ID = id
		if err := add(fileConfig, a); err != nil {
			return nil, err
		}
	}
	if c.tokenizer != nil {
		for _, a := range c.tokenizer.AddedTokens {
			if err := add(fileTokenizer, a); err != nil {
				return nil, err
			}
		}
	}
	// A token that is special by name is so even if it is not in the lists.
	for token := range special {
		if id, ok := ids[token]; ok {
			a := added[id]
			a.ID, a.Content, a.Special, a.alsoPiece = id, token, true, !isNew[token]
			added[id] = a
		}
	}
	return added, nil
}

// template sets the ids that v puts around a text: those of a post-processor.
func (c *checkpoint) template(v *Vocab, post *hfPart) error {
	v.prefix, v.suffix = []int32{}, []int32{}
	add := func(to *[]int32, id int64) error {
		if id < 0 || id >= int64(len(v.tokens)) {
			return c.malformed(fileTokenizer, "post_processor", "has token %d of a vocabulary of %d", id, len(v.tokens))
		}
		*to = append(*to, int32(id))
		return nil
	}
	for _, p := range post.sequence() {
		before, after := []int32{}, []int32{} // never nil
		switch p.Type {
		case "ByteLevel": // trims offsets
			continue
		case "BertProcessing", "RobertaProcessing":
			for _, end := range []struct {
				token []any
				to    *[]int32
			}{{p.CLS, &before}, {p.Sep, &after}} {
				if len(end.token) != 2 {
					return c.malformed(fileTokenizer, "post_processor", "has no pair of token and id for cls and sep")
				}
				id, ok := integer(end.token[1])
				if !ok {
					return c.malformed(fileTokenizer, "post_processor", "has %v as an id", end.token[1])
				}
				if err := add(end.to, id); err != nil {
					return err
				}
			}
		case "TemplateProcessing":
			to, texts := &before, 0
			for _, piece := range p.Single {
				if piece.SpecialToken.ID == "" {
					to = &after
					texts++
					continue
				}
				special, ok := p.SpecialTokens[piece.SpecialToken.ID]
				if !ok {
					return c.malformed(fileTokenizer, "post_processor", "uses the special token %q without defining it", piece.SpecialToken.ID)
				}
				for _, id := range special.IDs {
					if err := add(to, id); err != nil {
						return err
					}
				}
			}
			if texts != 1 {
				return c.malformed(fileTokenizer, "post_processor", "the template of a single text has %d texts", texts)
			}
		default:
			return c.unsupported(fileTokenizer, "post_processor", "known are TemplateProcessing, BertProcessing, RobertaProcessing and ByteLevel",
				"the type is %q", p.Type)
		}
		v.prefix, v.suffix = append(before, v.prefix...), append(v.suffix, after...)
	}
	return nil
}

// specialKeys sets the special ids of v, and which of them are added to texts, as
// llama.cpp's converter finds them: by the names in tokenizer_config.json, which
// the template may change before, and by the ids in config.json.
func (c *checkpoint) specialKeys(v *Vocab) error {
	named := roles
	var listed []hfAddedToken
	if c.tokenizer != nil {
		named = append(named[:len(named):len(named)], c.namesFromTemplate(v)...)
		listed = c.tokenizer.AddedTokens
	}
	for _, role := range named {
		if on, ok := c.config["add_"+role+"_token"].(bool); ok {
			v.adds = v.adds.with(role, on)
		}
		token := contentOf(c.config[role+"_token"])
		for _, a := range listed {
			if token != "" && a.Content == token {
				v.special = v.special.with(role, uint32(a.ID))
				break
			}
		}
	}
	for _, role := range named {
		value := c.model[role+"_token_id"]
		if value == nil {
			inner, _ := c.model["text_config"].(map[string]any)
			value = inner[role+"_token_id"]
		}
		if _, several := value.([]any); value == nil || several && role == "eos" {
			continue
		}
		id, ok := integer(value)
		switch {
		case !ok:
			v.warn("%s: %s_token_id is %v, which is no id", fileModel, role, value)
		case id < 0:
			return c.malformed(fileModel, role+"_token_id", "is %d", id)
		case id >= int64(len(v.tokens)):
			v.warn("%s: %s_token_id is %d, but there are %d tokens", fileModel, role, id, len(v.tokens))
		default:
			v.special = v.special.with(role, uint32(id))
		}
	}
	return nil
}

// namesFromTemplate completes the names in tokenizer_config.json, and finds out
// which special tokens the templates add. A template that ends in another token
// than the named one makes that the end, and what was the end becomes the end of
// a turn (eot) or of a message (eom); these roles are returned.
func (c *checkpoint) namesFromTemplate(v *Vocab) (more []string) {
	configured := len(c.config) > 0
	// A name that is an object is never equal to a token: so it is in llama.cpp's
	// converter, whose files show it.
	name := func(role string) any { return c.config[role+"_token"] }
	complete := func(role string, with any) {
		if configured && contentOf(name(role)) == "" && with != nil {
			c.config[role+"_token"] = with
		}
	}
	complete("bos", name("cls"))
	complete("eos", name("sep"))
	p := c.tokenizer.PostProcessor
	if p == nil {
		return nil
	}
	processors := p.Processors
	if processors == nil {
		processors = []hfPart{*p}
	}
	for i := range processors {
		switch p := &processors[i]; p.Type {
		case "ByteLevel":
			v.adds = v.adds.with("bos", false).with("eos", false)
		case "RobertaProcessing":
			v.adds = v.adds.set("bos", true).set("eos", true).set("sep", true)
			if len(p.CLS) > 0 {
				complete("cls", p.CLS[0])
			}
			if len(p.Sep) > 0 {
				complete("sep", p.Sep[0])
			}
		case "TemplateProcessing":
			var first, last string
			if n := len(p.Single); n > 1 {
				first, last = p.Single[0].SpecialToken.ID, p.Single[n-1].SpecialToken.ID
			}
			if first != "" {
				complete("bos", first)
				if first != name("bos") {
					complete("cls", first)
				}
				v.adds = v.adds.set("bos", !configured || first == name("bos") || first == name("cls"))
			}
			if last != "" {
				if configured && last != name("eos") {
					if len(more) < 2 {
						role := []string{"eot", "eom"}[len(more)]
						c.config[role+"_token"] = name("eos")
						more = append(more, role)
					}
					c.config["eos_token"] = last
				}
				v.adds = v.adds.set("eos", true)
			}
			c.separatorFromPair(v, p.Pair, first, last)
		}
	}
	return more
}

// separatorFromPair finds out whether the template of a pair of texts puts a
// separator between them; first and last are what stands at the ends of that of
// a single text.
func (c *checkpoint) separatorFromPair(v *Vocab, pair []hfTemplatePiece, first, last string) {
	configured := len(c.config) > 0
	if len(pair) > 0 && first != "" && pair[0].SpecialToken.ID == first {
		pair = pair[1:]
	}
	if n := len(pair); n > 0 && last != "" && pair[n-1].SpecialToken.ID == last {
		pair = pair[:n-1]
	}
	// What is left is A, separators, B.
	if n := len(pair); n < 3 || pair[0].Sequence.ID != "A" || pair[n-1].Sequence.ID != "B" {
		return
	}
	sep, eos := c.config["sep_token"], c.config["eos_token"]
	if !configured {
		eos = last
	}
	separates := func(token string) bool { return token != "" && (token == sep || token == eos) }
	between := pair[1 : len(pair)-1]
	adds := last == "" && separates(between[0].SpecialToken.ID) ||
		len(between) == 2 && separates(between[1].SpecialToken.ID)
	v.adds = v.adds.set("sep", adds)
	if adds && configured && contentOf(sep) == "" && eos != nil {
		c.config["sep_token"] = eos
	}
}
