package tokenizer

import "errors"

// A trie maps byte strings to ids and finds the longest one that a text begins
// with. It has several roots, one for each set of strings.
//
// Nodes are numbers; edges are entries of one hash table with linear probing:
//
//	keys:     node<<8 | byte   (0 marks a free entry: no edge leaves node 0)
//	children: node
type trie struct {
	keys     []uint32
	children []uint32
	ids      []int32 // by node; negative where no string ends
	edges    int
	shift    uint // 32 - log2(len(keys))
}

const maxTrieNodes = 1 << 24

var errTrieFull = errors.New("too many different prefixes")

// newTrie returns a trie whose roots are the nodes 1 to roots.
func newTrie(roots int) *trie {
	t := &trie{}
	t.resize(10)
	for range roots + 1 {
		t.ids = append(t.ids, -1)
	}
	return t
}

func (t *trie) resize(log2 uint) {
	keys, children := t.keys, t.children
	t.keys, t.children = make([]uint32, 1<<log2), make([]uint32, 1<<log2)
	t.shift = 32 - log2
	for i, k := range keys {
		if k != 0 {
			j := t.find(k)
			t.keys[j], t.children[j] = k, children[i]
		}
	}
}

// find returns the entry of key, or the free entry where it belongs.
func (t *trie) find(key uint32) uint32 {
	mask := uint32(len(t.keys) - 1)
	i := key * 0x9E3779B1 >> t.shift // Fibonacci hashing
	for t.keys[i] != key && t.keys[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

// insert maps s to id below root. The last id of a string counts.
func (t *trie) insert(root uint32, s string, id int32) error {
	node := root
	for i := range len(s) {
		key := node<<8 | uint32(s[i])
		e := t.find(key)
		if t.keys[e] == 0 {
			if len(t.ids) == maxTrieNodes {
				return errTrieFull
			}
			t.keys[e], t.children[e] = key, uint32(len(t.ids))
			t.ids = append(t.ids, -1)
			t.edges++
			if t.edges > len(t.keys)/2 {
				t.resize(33 - t.shift)
				e = t.find(key)
			}
		}
		node = t.children[e]
	}
	t.ids[node] = id
	return nil
}

// longest returns the id of the longest string below root that s begins with,
// and its length; id is negative when there is none.
func longest[S string | []byte](t *trie, root uint32, s S) (id int32, n int) {
	id = -1
	node := root
	for i := range len(s) {
		e := t.find(node<<8 | uint32(s[i]))
		if t.keys[e] == 0 {
			break
		}
		node = t.children[e]
		if t.ids[node] >= 0 {
			id, n = t.ids[node], i+1
		}
	}
	return id, n
}
