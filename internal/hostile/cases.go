package hostile

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Cases returns all cases.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{headers(), keys(), tensors(), shards(), oddities()} {
		all = append(all, group...)
	}
	return all
}

func file(name string, kind Kind, want string, data []byte) Case {
	return Case{Name: name, Kind: kind, Want: want, open: "model.gguf", files: map[string][]byte{"model.gguf": data}}
}

// changed is the base model after a change.
func changed(name string, kind Kind, want string, change func(m *model)) Case {
	m := base()
	change(m)
	return file(name, kind, want, m.bytes())
}

// withKey is the base model with one more key.
func withKey(name, want, key string, value ...any) Case {
	return changed(name, Malformed, want, func(m *model) { m.add(key, value...) })
}

// withTensor is the base model with its first tensor replaced.
func withTensor(name, want string, t tensor) Case {
	return changed(name, Malformed, want, func(m *model) { m.tensors[0] = t })
}

const (
	truncated = "; the file looks truncated: download or copy it again"
	damaged   = "; the file is damaged or was written wrongly: get it again from its source"
)

func headers() []Case {
	whole := base().bytes()
	return []Case{
		file("empty", Malformed, "header: magic needs 4 bytes where 0 are left (at byte 0)"+truncated, nil),
		file("three bytes", Malformed, "header: magic needs 4 bytes where 3 are left (at byte 0)"+truncated, []byte("GGU")),
		file("other magic", Malformed, `header: the file begins with "\x7fELF", not with "GGUF" (at byte 0); name a GGUF file`, append([]byte("\x7fELF"), whole[4:]...)),
		file("legacy format", Unsupported, "header: GGJT, a format before GGUF, is not read; convert the original model again", append([]byte("tjgg"), whole[4:]...)),
		file("Git LFS pointer", Malformed, "header: this is a Git LFS pointer and not the model itself (at byte 0); fetch the model with: git lfs pull",
			[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")),
		file("magic only", Malformed, "header: version needs 4 bytes where 0 are left (at byte 4)", whole[:4]),
		file("half a header", Malformed, "header: count of tensors needs 8 bytes where 4 are left (at byte 8)", whole[:12]),
		changed("version 0", Malformed, "header: version is 0 (at byte 4)"+damaged, func(m *model) { m.version = 0 }),
		changed("version 1", Unsupported, "header: GGUF version 1 is not read, only 2 and 3; convert the original model again", func(m *model) { m.version = 1 }),
		changed("version 4", Unsupported, "header: GGUF version 4 is not read, only 2 and 3; a newer gguftool may read it", func(m *model) { m.version = 4 }),
		changed("big-endian version 2", Unsupported, "header: big-endian GGUF version 2 is not read", func(m *model) { m.version, m.order = 2, binary.BigEndian }),
		changed("2^63 tensors", Malformed, "header: 9223372036854775811 tensors need 24 bytes each where", func(m *model) { m.tensorCount = 1 << 63 }),
		changed("more tensors than bytes", Malformed, "header: 103 tensors need 24 bytes each where", func(m *model) { m.tensorCount = 100 }),
		changed("2^64-1 keys", Malformed, "header: 18446744073709551615 keys need 14 bytes each where", func(m *model) { m.keyCount = ^uint64(5) }),
		changed("one tensor too many", Malformed, `tensor "t.2": needs 5 bytes at 64 of the data, which has 64`, func(m *model) { m.tensorCount = 1 }),
	}
}

// nested is an array of one array of one array and so on, with one byte at last.
func nested(depth int) []any {
	v := []any{array}
	for range depth - 1 {
		v = append(v, array, uint64(1))
	}
	return append(v, u8, uint64(1), uint8(7))
}

func keys() []Case {
	m := base()
	m.keys, m.tensors, m.data = m.keys[:1], nil, 0
	whole := m.bytes()
	inKey := strings.Index(string(whole), "architecture")
	alignment := func(name, want string, value ...any) Case {
		return withKey("alignment "+name, `key "general.alignment": `+want, "general.alignment", value...)
	}
	return []Case{
		file("file ends in a key", Malformed, "key: name needs 20 bytes where 8 are left (at byte 32)"+truncated, whole[:inKey]),
		file("file ends in a value", Malformed, `key "general.architecture": value type needs 4 bytes where 2 are left`, whole[:inKey+len("architecture")+2]),
		changed("key of 2^64-1 bytes", Malformed, "key: name needs 18446744073709551615 bytes where", func(m *model) {
			m.rawKey, m.keyCount = []any{^uint64(0)}, 1
		}),
		withKey("empty key", "key: name is empty (at byte ", "", u8, uint8(0)),
		withKey("key of 65536 bytes", "key: name has 65536 bytes, more than 65535", strings.Repeat("k", 1<<16), u8, uint8(0)),
		withKey("key not in UTF-8", `key: name "\xff\xfe" is not UTF-8`, "\xff\xfe", u8, uint8(0)),
		withKey("key with NUL", `key: name "a\x00b" contains a NUL byte`, "a\x00b", u8, uint8(0)),
		withKey("duplicate key", `key "n": occurs twice (at byte `, "n", u8, uint8(0)),
		withKey("value type 13", `key "k": value type 13 does not exist`, "k", absent, uint64(0)),
		withKey("value type 2^32-1", `key "k": value type 4294967295 does not exist`, "k", ^uint32(0), uint64(0)),
		withKey("string past the end", `key "k": string needs 100000 bytes where`, "k", text, uint64(100000)),
		withKey("string of 2^63 bytes", `key "k": string needs 9223372036854775808 bytes where`, "k", text, uint64(1<<63)),
		withKey("array of type 99", `key "k": value type 99 of array elements does not exist`, "k", array, uint32(99), uint64(0)),
		withKey("array of 2^62 numbers", `key "k": 4611686018427387904 array elements need 4 bytes each where`, "k", array, u32, uint64(1<<62)),
		withKey("array past the end", `key "k": 100000 array elements need 8 bytes each where`, "k", array, u64, uint64(100000)),
		withKey("array of 2^61 strings", `key "k": 2305843009213693952 array elements need 8 bytes each where`, "k", array, text, uint64(1<<61)),
		withKey("last string past the end", `key "k": string needs 100000 bytes where`, "k", array, text, uint64(2), "fine", uint64(100000)),
		withKey("string length of 2^64-1 in an array", `key "k": string needs 18446744073709551615 bytes where`, "k", array, text, uint64(2), ^uint64(0), uint64(0)),
		withKey("2^60 arrays in an array", `key "k": 1152921504606846976 array elements need 12 bytes each where`, "k", array, array, uint64(1<<60)),
		withKey("arrays nested too deep", `key "k": arrays are nested deeper than 8`, "k", nested(9)...),
		withKey("arrays nested 5000 deep", `key "k": arrays are nested deeper than 8`, "k", nested(5000)...),
		withKey("boolean of 2", `key "k": boolean is 2, neither 0 nor 1`, "k", flag, uint8(2)),
		withKey("boolean of 255 in an array", `key "k": boolean is 255, neither 0 nor 1`, "k", array, flag, uint64(3), []uint8{0, 1, 255}),
		alignment("as a string", "must be u32 but is string", text, "32"),
		alignment("as u64", "must be u32 but is u64", u64, uint64(32)),
		alignment("0", "is 0, not a power of two", u32, uint32(0)),
		alignment("24", "is 24, not a power of two", u32, uint32(24)),
		alignment("2^31", "is 2147483648, more than 2097152", u32, uint32(1<<31)),
	}
}

func tensors() []Case {
	whole := base().bytes()
	inTable := strings.Index(string(whole), "t.1")
	dims := func(d ...uint64) tensor { return tensor{"t.0", d, f32, 0} }
	const part = `tensor "t.0": `
	return []Case{
		file("file ends in the table", Malformed, `tensor "t.1": number of dimensions needs 4 bytes where 1 are left`, whole[:inTable+4]),
		changed("file ends before the data", Malformed, `tensor "t.0": needs 32 bytes at 0 of the data, which has 0`, func(m *model) { m.data = 0 }),
		file("data is truncated", Malformed, `tensor "t.2": needs 5 bytes at 64 of the data, which has 68`, whole[:len(whole)-28]),
		withTensor("name of 64 bytes", "tensor: name has 64 bytes, more than 63", tensor{strings.Repeat("n", 64), []uint64{1}, f32, 0}),
		withTensor("name not in UTF-8", `tensor: name "\xc3(" is not UTF-8`, tensor{"\xc3(", []uint64{1}, f32, 0}),
		withTensor("name with NUL", `tensor: name "t\x00" contains a NUL byte`, tensor{"t\x00", []uint64{1}, f32, 0}),
		withTensor("duplicate tensor", `tensor "t.1": occurs twice`, tensor{"t.1", []uint64{1}, f32, 0}),
		withTensor("5 dimensions", part+"has 5 dimensions, more than 4", dims(1, 1, 1, 1, 1)),
		changed("2^32-1 dimensions", Malformed, `tensor "t.3": has 4294967295 dimensions, more than 4`, func(m *model) {
			m.rawTensor, m.tensorCount = []any{"t.3", ^uint32(0), uint64(0), uint64(0)}, 1
		}),
		withTensor("dimension of 2^63", part+"dimension 1 is 9223372036854775808, more than fits into 63 bits", dims(4, 1<<63)),
		withTensor("2^64 elements", part+"shape [4294967296 4294967296] has more elements than fit into 63 bits", dims(1<<32, 1<<32)),
		withTensor("2^66 bytes", part+"shape [4611686018427387904 2] has more elements than fit into 63 bits", dims(1<<62, 2)),
		withTensor("2^64 bytes", part+"shape [4611686018427387904] of F32 has more bytes than fit into 63 bits", dims(1<<62)),
		withTensor("no rows of 2^64 bytes", part+"shape [4611686018427387904 0] of F32 has more bytes than fit into 63 bits", dims(1<<62, 0)),
		withTensor("2^80 rows of nothing", part+"shape [0 1099511627776 1099511627776] has more elements than fit into 63 bits", dims(0, 1<<40, 1<<40)),
		withTensor("a petabyte", part+"needs 1125899906842624 bytes at 0 of the data, which has 96", dims(1<<24, 1<<24)),
		withTensor("half a block", part+"rows of 48 elements are not whole blocks of 32, as Q4_0 needs", tensor{"t.0", []uint64{48}, q4_0, 0}),
		withTensor("blocks across rows", part+"rows of 16 elements are not whole blocks of 32, as Q4_0 needs", tensor{"t.0", []uint64{16, 2}, q4_0, 0}),
		changed("unknown type", Unsupported, part+"type 43 is not known; a newer gguftool may know it", func(m *model) { m.tensors[0].typ = 43 }),
		changed("type 2^32-1", Unsupported, part+"type 4294967295 is not known", func(m *model) { m.tensors[0].typ = ^uint32(0) }),
		withTensor("offset off the alignment", part+"offset 16 is not a multiple of the alignment 32", tensor{"t.0", []uint64{4, 2}, f32, 16}),
		withTensor("offset of 2^63", part+"offset 9223372036854775808 does not fit into 63 bits", tensor{"t.0", []uint64{4, 2}, f32, 1 << 63}),
		withTensor("offset near 2^63", part+"needs 32 bytes at 9223372036854775776 of the data, which has 96", tensor{"t.0", []uint64{4, 2}, f32, 1<<63 - 32}),
		withTensor("offset past the end", part+"needs 32 bytes at 96 of the data, which has 96", tensor{"t.0", []uint64{4, 2}, f32, 96}),
		withTensor("overlap", part+`overlaps tensor "t.1"`, dims(4, 4)),
		withTensor("one inside the other", part+`overlaps tensor "t.1"`, dims(8, 3)),
		withTensor("the same place twice", `overlaps tensor "t.`, tensor{"t.0", []uint64{4, 2}, f32, 32}),
		changed("other project's type without bytes", Malformed, part+"has no bytes between its offset 0 and the next tensor", func(m *model) {
			m.tensors[0].typ = 144
			m.tensors[1].offset = 0
		}),
	}
}

// shard returns shard i of n with one tensor, after a change.
func shard(i, n int, change func(m *model)) []byte {
	m := base()
	m.tensors = []tensor{{fmt.Sprintf("t.%d", i), []uint64{4}, f32, 0}}
	m.data = 32
	m.add("split.no", uint32(2), uint16(i))
	m.add("split.count", uint32(2), uint16(n))
	m.add("split.tensors.count", i32, int32(n))
	if change != nil {
		change(m)
	}
	return m.bytes()
}

func shards() []Case {
	// split is a model in two shards, the second of them changed.
	split := func(name string, kind Kind, want string, change func(m *model)) Case {
		return Case{Name: name, Kind: kind, Want: want, open: "m-00001-of-00002.gguf", files: map[string][]byte{
			"m-00001-of-00002.gguf": shard(0, 2, nil), "m-00002-of-00002.gguf": shard(1, 2, change),
		}}
	}
	key := func(m *model, name string) *pair {
		for i := range m.keys {
			if m.keys[i].name == name {
				return &m.keys[i]
			}
		}
		panic(name)
	}
	missing := split("missing shard", Missing, "shard 2 of 2 is missing: ", nil)
	delete(missing.files, "m-00002-of-00002.gguf")
	return []Case{
		missing,
		split("damaged shard", Malformed, "m-00002-of-00002.gguf: header: version is 0", func(m *model) { m.version = 0 }),
		split("shards exchanged", Malformed, `m-00002-of-00002.gguf: key "split.no": is 0, but by its name the shard is 1; the shards do not belong together: get all of them from one source`, func(m *model) { key(m, "split.no").value = []any{uint32(2), uint16(0)} }),
		split("shard without number", Malformed, `m-00002-of-00002.gguf: key "split.no": is missing from a shard`, func(m *model) { key(m, "split.no").name = "split.yes" }),
		split("shard number as string", Malformed, `key "split.no": must be an integer but is string`, func(m *model) { key(m, "split.no").value = []any{text, "1"} }),
		split("tensor in two shards", Malformed, `m-00002-of-00002.gguf: tensor "t.0": is also in `, func(m *model) { m.tensors[0].name = "t.0" }),
		split("tensor missing from shards", Malformed, `key "split.tensors.count": is 2, but the shards have 1 tensors`, func(m *model) { m.tensors, m.data = nil, 0 }),
		split("shards of two byte orders", Malformed, `the shard is BigEndian but the first one LittleEndian`, func(m *model) { m.order = binary.BigEndian }),
		file("shard under another name", Malformed, `key "split.count": the model has 2 shards but the file is not named like one of them; give each shard its name back, as in model-00001-of-00002.gguf`, shard(0, 2, nil)),
		file("2^31-1 shards", Malformed, `key "split.count": the model has 2147483647 shards but the file is not named`,
			shard(0, 2, func(m *model) { key(m, "split.count").value = []any{i32, int32(1<<31 - 1)} })),
		file("shard count as string", Malformed, `key "split.count": must be an integer but is string`,
			shard(0, 2, func(m *model) { key(m, "split.count").value = []any{text, "2"} })),
	}
}

func oddities() []Case {
	valid := func(name string, change func(m *model)) Case { return changed(name, Valid, "", change) }
	whole := base().bytes()
	return []Case{
		valid("nothing odd", func(m *model) {}),
		valid("version 2", func(m *model) { m.version = 2 }),
		valid("big-endian", func(m *model) { m.order = binary.BigEndian }),
		file("neither keys nor tensors", Valid, "", (&model{version: 3, order: binary.LittleEndian}).bytes()),
		file("no padding at the end", Valid, "", whole[:len(whole)-27]),
		valid("tensor without dimensions", func(m *model) { m.tensors[0].dims = nil }),
		valid("tensor without elements", func(m *model) { m.tensors[0].dims = []uint64{0, 7} }),
		valid("tensor without rows", func(m *model) { m.tensors[0].dims = []uint64{32, 0} }),
		valid("table in another order", func(m *model) { m.tensors[0], m.tensors[2] = m.tensors[2], m.tensors[0] }),
		valid("gap in the data", func(m *model) { m.tensors = m.tensors[:2:2]; m.tensors[1].offset = 64 }),
		valid("bytes behind the data", func(m *model) { m.data += 1000 }),
		valid("other project's type", func(m *model) { m.tensors[0].typ = 144 }),
		valid("removed type", func(m *model) { m.tensors[0].typ = 31 }),
		valid("alignment 1", func(m *model) {
			m.add("general.alignment", u32, uint32(1))
			m.align = 1
		}),
		valid("arrays nested 8 deep", func(m *model) { m.add("k", nested(8)...) }),
		valid("empty arrays and strings", func(m *model) {
			m.add("e.text", text, "")
			m.add("e.numbers", array, i32, uint64(0))
			m.add("e.words", array, text, uint64(0))
			m.add("e.arrays", array, array, uint64(0))
		}),
		valid("control characters", func(m *model) {
			m.add("terminal", text, "\x1b[2J\x1b]0;title\x07\r\n\x00\xff")
			m.tensors[0].name = "\x1b[31mred"
		}),
		valid("nameless tensor", func(m *model) { m.tensors[0].name = "" }),
		valid("string where a number is usual", func(m *model) { m.add("test.block_count", text, "many") }),
	}
}
