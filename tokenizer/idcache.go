package tokenizer

// An idCache remembers the ids of short words. It is emptied when it is full.
// The zero value is ready to use; it is for one goroutine at a time.
type idCache struct {
	slots []cachedWord
	bytes []byte  // of the words, one after another
	ids   []int32 // of the words, one after another
	words int
}

// A cachedWord is an entry of a hash table with linear probing.
type cachedWord struct {
	tag         uint32
	word        uint32 // where its bytes begin in idCache.bytes
	ids         uint32 // where its ids begin in idCache.ids
	wordN, idsN uint8  // how many there are; wordN is 0 for a free slot
}

const (
	cacheSlotsLog2 = 14
	cacheWords     = 1 << cacheSlotsLog2 / 2
	cacheMaxBytes  = 96 // of a word; each has at least one id and at most as many as bytes
	cacheSpace     = cacheWords * 16
)

// cacheHash mixes the bytes of a word.
func cacheHash(word []byte) uint64 {
	h := uint64(len(word)) * hashBase
	for len(word) >= 8 {
		h = (h ^ uint64(word[0]) ^ uint64(word[1])<<8 ^ uint64(word[2])<<16 ^ uint64(word[3])<<24 ^
			uint64(word[4])<<32 ^ uint64(word[5])<<40 ^ uint64(word[6])<<48 ^ uint64(word[7])<<56) * hashBase
		h ^= h >> 32
		word = word[8:]
	}
	for _, b := range word {
		h = (h ^ uint64(b)) * hashBase
	}
	return h ^ h>>29
}

// get appends the ids of word, whose hash is h, to dst if they are known.
func (c *idCache) get(dst []int32, word []byte, h uint64) ([]int32, bool) {
	if c.slots == nil {
		return dst, false
	}
	for i := h >> (64 - cacheSlotsLog2); c.slots[i].wordN != 0; i = (i + 1) & (1<<cacheSlotsLog2 - 1) {
		if e := &c.slots[i]; e.tag == uint32(h) && string(c.bytes[e.word:e.word+uint32(e.wordN)]) == string(word) {
			return append(dst, c.ids[e.ids:e.ids+uint32(e.idsN)]...), true
		}
	}
	return dst, false
}

// put remembers ids for word, whose hash is h. Words that are too long are not
// remembered.
func (c *idCache) put(word []byte, h uint64, ids []int32) {
	if len(word) == 0 || len(word) > cacheMaxBytes || len(ids) > cacheMaxBytes {
		return
	}
	if c.slots == nil {
		c.slots = make([]cachedWord, 1<<cacheSlotsLog2)
		c.bytes, c.ids = make([]byte, 0, cacheSpace), make([]int32, 0, cacheSpace)
	}
	if c.words == cacheWords || len(c.bytes)+len(word) > cap(c.bytes) || len(c.ids)+len(ids) > cap(c.ids) {
		clear(c.slots)
		c.bytes, c.ids, c.words = c.bytes[:0], c.ids[:0], 0
	}
	i := h >> (64 - cacheSlotsLog2)
	for c.slots[i].wordN != 0 {
		i = (i + 1) & (1<<cacheSlotsLog2 - 1)
	}
	c.slots[i] = cachedWord{tag: uint32(h), word: uint32(len(c.bytes)), ids: uint32(len(c.ids)), wordN: uint8(len(word)), idsN: uint8(len(ids))}
	c.bytes, c.ids = append(c.bytes, word...), append(c.ids, ids...)
	c.words++
}
