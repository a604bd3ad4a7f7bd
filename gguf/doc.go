// Package gguf reads and writes GGUF, the container of llama.cpp models.
//
// A GGUF file is a header, metadata (ordered key-value pairs), a table of
// tensors, and the tensors' bytes, each aligned:
//
//	magic "GGUF" | version u32 | tensor count u64 | key count u64
//	keys:    name string | value type u32 | value
//	tensors: name string | dimensions u32 | shape u64 each | type u32 | offset u64
//	padding to general.alignment (32 if absent)
//	data:    at each tensor's offset, padded to the alignment
//
// A string is a u64 length and that many bytes, an array its element type u32,
// a u64 length and the elements. Everything is little-endian; version 3 also
// allows big-endian files, which the version field betrays. testdata/tiny.txt
// is an annotated dump.
//
// Open validates a file totally before it returns: after it, every tensor lies
// inside the file and every size has been checked for overflow, so that callers
// never need to. It maps the file and reads only the part before the data, so
// its time does not depend on the size of the model.
//
// Open refuses what llama.cpp refuses, with three exceptions that cannot hurt:
// arrays inside arrays (up to eight deep), tables that are not in the order of
// the data or leave gaps in it, and types that only other projects write, which
// can be named and copied but not decoded. It is stricter where readers would
// disagree about a file or be hurt by it: names must be UTF-8 without NUL and
// keys at most 65535 bytes long, booleans must be 0 or 1, the alignment must
// not exceed 2 MiB, and everything before the data must lie in the first 256 MiB.
package gguf
