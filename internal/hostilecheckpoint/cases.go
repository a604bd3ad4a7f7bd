package hostilecheckpoint

import (
	"archive/zip"
	"encoding/json"
	"strings"
)

// Cases returns all cases.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{
		configs(), headers(), tensors(), methods(), scales(), formats(), indexes(), archives(), pickles(), modules(), descriptions(), tokenizers(),
	} {
		all = append(all, group...)
	}
	return all
}

// changed is the base after a change.
func changed(name string, kind Kind, want string, change func(f files)) Case {
	f := base()
	change(f)
	return Case{Name: name, Kind: kind, Want: want, files: f}
}

// withFile is the base with another content of one file.
func withFile(name string, kind Kind, want, file, content string) Case {
	return changed(name, kind, want, func(f files) { f[file] = []byte(content) })
}

// withConfig is the base with another value of one field of config.json, which
// is absent if the value is nil.
func withConfig(name string, kind Kind, want, field string, value any) Case {
	return changed(name, kind, want, func(f files) {
		c := config()
		c[field] = value
		if value == nil {
			delete(c, field)
		}
		f.setJSON("config.json", c)
	})
}

// withTensors is the base with other tensors.
func withTensors(name string, kind Kind, want string, change func(ts []tensor) []tensor) Case {
	return changed(name, kind, want, func(f files) { f["model.safetensors"] = safetensors(change(weights())) })
}

// withArchive is the base with its weights in a PyTorch file.
func withArchive(name string, kind Kind, want string, change func(a *archive)) Case {
	return changed(name, kind, want, func(f files) {
		a := stateDict()
		change(&a)
		delete(f, "model.safetensors")
		f["pytorch_model.bin"] = a.bytes()
	})
}

// withPickle is the base with a pickle of its own.
func withPickle(name string, kind Kind, want, pickle string) Case {
	return withArchive(name, kind, want, func(a *archive) { a.pickle = []byte(pickle) })
}

func configs() []Case {
	notCount := func(name string, value any, shown string) Case {
		return withConfig("hidden_size "+name, Malformed, `"hidden_size": it is `+shown+", want a whole number from 1 to 4294967295", "hidden_size", value)
	}
	return []Case{
		{Name: "empty folder", Kind: Missing, Want: "is not the folder of a Hugging Face checkpoint", files: files{}},
		withFile("config.json is empty", Malformed, "config.json: invalid JSON: unexpected end of JSON input (at byte 0)", "config.json", ""),
		withFile("config.json is cut off", Malformed, "config.json: invalid JSON: unexpected end of JSON input (at byte 25)", "config.json", `{"architectures": ["BertM`),
		withFile("config.json has a comma too many", Malformed, "config.json: invalid JSON: invalid character '}' looking for beginning of object key string (at byte 10)", "config.json", `{"a": 1, }`),
		withFile("config.json is an array", Malformed, "config.json: the value is a JSON array, want object (at byte 1)", "config.json", `[]`),
		withFile("config.json is null", Malformed, "config.json: it is null, want an object", "config.json", `null`),
		withFile("config.json is not UTF-8", Malformed, "config.json: invalid UTF-8 (at byte 2)", "config.json", "{\"\xff\": 1}"),
		withFile("config.json nests 20000 deep", Malformed, "config.json: invalid JSON: invalid character '[' exceeded max depth (at byte 10005)", "config.json", `{"a":`+strings.Repeat("[", 20000)),
		withConfig("no architectures", Malformed, `"architectures": it does not name the class of the model`, "architectures", nil),
		withConfig("no architecture", Malformed, `"architectures": it does not name the class of the model`, "architectures", []string{}),
		withConfig("architecture as a number", Malformed, `"architectures": it is [5]: `, "architectures", []int{5}),
		withConfig("Mixtral", Unsupported, "models of class MixtralForCausalLM are not supported; supported are BertModel, ", "architectures", []string{"MixtralForCausalLM"}),
		withConfig("XLM-R XL", Unsupported, "models of class XLMRobertaXLModel are not supported", "architectures", []string{"XLMRobertaXLModel"}),
		notCount("-4", -4, "-4"),
		notCount("0", 0, "0"),
		notCount("4.5", 4.5, "4.5"),
		notCount("as text", "4", `"4"`),
		notCount("2^32", int64(1)<<32, "4294967296"),
		notCount("2^100", json.Number("1267650600228229401496703205376"), "1267650600228229401496703205376"),
		notCount("as a long text", strings.Repeat("4", 1000), `"`+strings.Repeat("4", 39)+"…"),
		withConfig("hidden_size absent", Malformed, "its shape is [4], want [768] by hidden_size (768 where config.json has none)", "hidden_size", nil),
		withConfig("hidden_size contradicts", Malformed,
			`tensor "embeddings.LayerNorm.bias": its shape is [4], want [8] by hidden_size of config.json (8)`, "hidden_size", 8),
		withConfig("vocab_size contradicts", Malformed, "its shape is [8 4], want [9 4] by vocab_size of config.json (9)", "vocab_size", 9),
		withConfig("no layers", Malformed, `"num_hidden_layers": it is 0, want a whole number`, "num_hidden_layers", 0),
		withConfig("2^32-1 layers", Malformed,
			`"num_hidden_layers": it is 4294967295, more than 65536`, "num_hidden_layers", uint32(1<<32-1)),
		withConfig("60000 layers", Malformed,
			`tensor "encoder.layer.1.attention.self.query.weight": it is missing; a BertModel of 60000 layers has it`, "num_hidden_layers", 60000),
		withConfig("3 heads", Malformed, `"num_attention_heads": 3 heads cannot share hidden_size of config.json (4)`, "num_attention_heads", 3),
		withConfig("epsilon of 1e300", Malformed, `"layer_norm_eps": it is 1e+300, want a number`, "layer_norm_eps", 1e300),
		withConfig("epsilon as text", Malformed, `"layer_norm_eps": it is "1e-12", want a number`, "layer_norm_eps", "1e-12"),
		withConfig("label without a number", Malformed, `"id2label": the key "one" is no id of its own`, "id2label", object{"0": "x", "one": "y"}),
		withConfig("two labels of one number", Malformed, `is no id of its own`, "id2label", object{"1": "x", "01": "y"}),
		withConfig("2^31 labels", Malformed, `"num_labels": it is 2147483648, more than 1048576`, "num_labels", int64(1)<<31),
		changed("sampling by text", Malformed, `generation_config.json: "top_k": it is "many", want a whole number`, func(f files) {
			f.setJSON("generation_config.json", object{"top_k": "many"})
		}),
	}
}

func headers() []Case {
	whole := safetensors(weights())
	header := func(name string, kind Kind, want, text string, size int) Case {
		return withFile(name, kind, want, "model.safetensors", string(safetensorsFile(text, size)))
	}
	entry := func(name, want, text string) Case {
		return header(name, Malformed, want, `{"t":`+text+`}`, 8)
	}
	const invalid = "not a valid safetensors file: "
	return []Case{
		changed("no weights", Missing, "has no weights, neither model.safetensors nor shards of it nor pytorch_model.bin", func(f files) { delete(f, "model.safetensors") }),
		withFile("weights of no bytes", Malformed, invalid+"it has 0 bytes, not even the length of a header", "model.safetensors", ""),
		withFile("weights of seven bytes", Malformed, invalid+"it has 7 bytes, not even", "model.safetensors", string(whole[:7])),
		withFile("header past the end", Malformed, invalid+"its header would have 2041 bytes, but only 92 follow", "model.safetensors", string(whole[:100])),
		withFile("header of 2^64-1 bytes", Malformed, invalid+"its header would have 18446744073709551615 bytes, more than the 100000000 that are read", "model.safetensors", strings.Repeat("\xff", 64)),
		withFile("Git LFS pointer", Malformed, "the file is incomplete, or a pointer of Git LFS; download it again", "model.safetensors",
			"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
		withFile("data cut off", Malformed, `: its data ends at `, "model.safetensors", string(whole[:len(whole)-1])),
		withFile("data too long", Malformed, invalid+"1 bytes of data belong to no tensor", "model.safetensors", string(whole)+"\x00"),
		header("header without an end", Malformed, "invalid JSON: unexpected end of JSON input (at byte 14)", `{"t": `, 8),
		header("header as an array", Malformed, "the value is a JSON array, want object (at byte 9)", `[]`, 8),
		header("header not in UTF-8", Malformed, "invalid UTF-8 (at byte 10)", "{\"\xff\":1}", 8),
		header("header with a name twice", Malformed, `the key "t" appears twice (at byte `,
			`{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		entry("field twice", `the key "shape" appears twice`, `{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}`),
		entry("field too many", `tensor "t": invalid entry: there is no field "Shape"`, `{"dtype":"F32","shape":[2],"Shape":[2],"data_offsets":[0,8]}`),
		entry("entry of null", `tensor "t": there is no type "" of elements`, `null`),
		entry("no shape", `tensor "t": its data is from 0 to 8, which are not the bytes of [] elements`, `{"dtype":"F32","data_offsets":[0,8]}`),
		entry("negative dimension", `tensor "t": its shape [-2] is impossible`, `{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}`),
		entry("fraction as a dimension", `tensor "t": invalid entry: shape is a JSON number 2.0, want int64`, `{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}`),
		entry("dimension of 2^64", `tensor "t": invalid entry: shape is a JSON number 18446744073709551616, want int64`, `{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}`),
		entry("shape that overflows", `tensor "t": its shape [4294967296 4294967296] is impossible`, `{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}`),
		entry("shape that overflows beside 0", `tensor "t": its shape [4294967296 4294967296 0] is impossible`, `{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}`),
		entry("size that overflows", `tensor "t": its shape [4611686018427387904] is impossible`, `{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}`),
		entry("size that contradicts the shape", `tensor "t": its data is from 0 to 8, which are not the bytes of [3] elements of type F32`, `{"dtype":"F32","shape":[3],"data_offsets":[0,8]}`),
		entry("gap before the data", `tensor "t": its data begins at 4, but that of the tensors before it ends at 0; the file is incomplete`, `{"dtype":"F32","shape":[1],"data_offsets":[4,8]}`),
		entry("end before start", `tensor "t": its data is from 8 to 0, which are not`, `{"dtype":"F32","shape":[2],"data_offsets":[8,0]}`),
		entry("data of 2^63 bytes", `tensor "t": its data is from 0 to 9223372036854775808, which`, `{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775808]}`),
		entry("element type that is none", `tensor "t": there is no type "F33" of elements`, `{"dtype":"F33","shape":[2],"data_offsets":[0,8]}`),
		header("8-bit exponents", Unsupported, `tensor "t": elements of type F8_E8M0 are not supported; convert the model in full precision`,
			`{"t":{"dtype":"F8_E8M0","shape":[8],"data_offsets":[0,8]}}`, 8),
		header("unsigned elements", Unsupported, `tensor "t": elements of type U32 are not supported`,
			`{"t":{"dtype":"U32","shape":[2],"data_offsets":[0,8]}}`, 8),
	}
}

func tensors() []Case {
	return []Case{
		withTensors("overlap", Malformed, `tensor "embeddings.word_embeddings.weight": its data begins at 0, but that of the tensors before it ends at 80`, func(ts []tensor) []tensor {
			ts[1].offsets = []any{0, ts[1].size}
			return ts
		}),
		withTensors("tensor missing", Malformed, `tensor "encoder.layer.0.output.LayerNorm.bias": it is missing; a BertModel of 1 layers has it`,
			func(ts []tensor) []tensor { return ts[:len(ts)-1] }),
		withTensors("tensor that BERT lacks", Unsupported, `tensor "lm_head.weight": a BertModel of 1 layers has no such tensor`,
			func(ts []tensor) []tensor { return append(ts, f32("lm_head.weight", 2, 2)) }),
		withTensors("layer too many", Unsupported, `tensor "encoder.layer.1.output.dense.bias": a BertModel of 1 layers has no such tensor`,
			func(ts []tensor) []tensor { return append(ts, f32("encoder.layer.1.output.dense.bias", width)) }),
		withTensors("layer 00", Unsupported, `tensor "encoder.layer.00.output.dense.bias": a BertModel of 1 layers has no such tensor`,
			func(ts []tensor) []tensor { return append(ts, f32("encoder.layer.00.output.dense.bias", width)) }),
		withTensors("layer 2^64", Unsupported, `has no such tensor`,
			func(ts []tensor) []tensor {
				return append(ts, f32("encoder.layer.18446744073709551616.output.dense.bias", width))
			}),
		withTensors("two names for one weight", Malformed, `it is the same weight as "`,
			func(ts []tensor) []tensor { return append(ts, f32("bert.embeddings.LayerNorm.bias", width)) }),
		withTensors("weight with a dimension more", Malformed, `tensor "embeddings.LayerNorm.bias": its shape is [4 1], want [4]`,
			func(ts []tensor) []tensor {
				ts[4] = f32("embeddings.LayerNorm.bias", width, 1)
				return ts
			}),
		withTensors("weight without dimensions", Malformed, `tensor "embeddings.LayerNorm.bias": its shape is [], want [4]`,
			func(ts []tensor) []tensor {
				ts[4] = f32("embeddings.LayerNorm.bias")
				return ts
			}),
		withTensors("transposed weight", Malformed, "its shape is [4 6], want [6 4] by intermediate_size of config.json (6)",
			func(ts []tensor) []tensor {
				for i := range ts {
					if ts[i].name == "encoder.layer.0.intermediate.dense.weight" {
						ts[i].shape = []any{width, feedForward}
					}
				}
				return ts
			}),
	}
}

func indexes() []Case {
	const index = "model.safetensors.index.json"
	all := func(file string) object {
		m := object{}
		for _, t := range weights() {
			m[t.name] = file
		}
		return m
	}
	withIndex := func(name string, kind Kind, want string, change func(f files, where object)) Case {
		return changed(name, kind, want, func(f files) {
			where := all("model.safetensors")
			change(f, where)
			f.setJSON(index, object{"weight_map": where})
		})
	}
	return []Case{
		withFile("index without a map", Malformed, index+": weight_map names no tensors", index, `{"metadata": {}}`),
		withFile("index with numbers", Malformed, index+": weight_map is a JSON number, want string", index, `{"weight_map": {"a": 1}}`),
		withFile("index with a name twice", Malformed, `the key "a" appears twice`, index, `{"weight_map": {"a": "model.safetensors", "a": "model-2.safetensors"}}`),
		withFile("index cut off", Malformed, index+": invalid JSON: unexpected end of JSON input", index, `{"weight_map": {`),
		withIndex("shard missing", Malformed, index+": it names the file model-00002-of-00002.safetensors, which is missing; download all files of the model",
			func(f files, where object) { where["embeddings.LayerNorm.bias"] = "model-00002-of-00002.safetensors" }),
		withIndex("shard outside the folder", Malformed, `its file "../model.safetensors" is outside the model's folder`,
			func(f files, where object) { where["embeddings.LayerNorm.bias"] = "../model.safetensors" }),
		withIndex("shard with a root", Malformed, `its file "/etc/passwd" is outside the model's folder`,
			func(f files, where object) { where["embeddings.LayerNorm.bias"] = "/etc/passwd" }),
		withIndex("tensor not in its shard", Malformed, `tensor "embeddings.LayerNorm.gamma": it is not in model.safetensors; the file is incomplete`,
			func(f files, where object) { where["embeddings.LayerNorm.gamma"] = "model.safetensors" }),
		withIndex("tensor not in the index", Malformed, `tensor "embeddings.LayerNorm.bias": model.safetensors.index.json does not name it`,
			func(f files, where object) { delete(where, "embeddings.LayerNorm.bias") }),
		withIndex("tensor in another shard", Malformed, `tensor "embeddings.LayerNorm.bias": model.safetensors.index.json says that it is in two.safetensors`,
			func(f files, where object) {
				where["embeddings.LayerNorm.bias"] = "two.safetensors"
				where["x"] = "two.safetensors"
				f["two.safetensors"] = safetensors([]tensor{f32("x", 1)})
			}),
		withIndex("tensor in two shards", Malformed, `tensor "embeddings.LayerNorm.bias": model.safetensors has this tensor too; keep only the files of one version`,
			func(f files, where object) {
				where["x"] = "two.safetensors"
				f["two.safetensors"] = safetensors([]tensor{f32("embeddings.LayerNorm.bias", width), f32("x", 1)})
			}),
		changed("two versions without an index", Malformed, `has this tensor too; keep only the files of one version`, func(f files) {
			f["model.fp16.safetensors"] = f["model.safetensors"]
		}),
	}
}

func archives() []Case {
	return []Case{
		changed("PyTorch before 1.6", Unsupported, "it was saved in the format of PyTorch before version 1.6; load it with PyTorch and save it as safetensors", func(f files) {
			delete(f, "model.safetensors")
			f["pytorch_model.bin"] = []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
		}),
		changed("no archive", Malformed, "not a PyTorch file: zip: not a valid zip file; it may be incomplete", func(f files) {
			delete(f, "model.safetensors")
			f["pytorch_model.bin"] = []byte("hello")
		}),
		changed("archive cut off", Malformed, "not a PyTorch file: zip: not a valid zip file", func(f files) {
			delete(f, "model.safetensors")
			data := stateDict().bytes()
			f["pytorch_model.bin"] = data[:len(data)-40]
		}),
		withArchive("archive without a pickle", Malformed, "the archive has 0 entries data.pkl", func(a *archive) { a.pickle = nil }),
		withArchive("archive with two pickles", Malformed, "the archive has 2 entries data.pkl", func(a *archive) { a.extra = map[string]string{"other/data.pkl": ""} }),
		withArchive("TorchScript", Unsupported, "it is a TorchScript program", func(a *archive) { a.extra = map[string]string{"archive/constants.pkl": ""} }),
		withArchive("big-endian", Unsupported, `its byte order is "big"`, func(a *archive) { a.extra = map[string]string{"archive/byteorder": "big"} }),
		withArchive("compressed", Unsupported, `entry "archive/data.pkl": it is compressed, which torch.save never does`, func(a *archive) { a.method = zip.Deflate }),
		withArchive("storage missing", Malformed, `entry "archive/data/0": the archive does not have it`, func(a *archive) { delete(a.storages, "0") }),
		withArchive("storage too small", Malformed, `storage "0": it has 124 bytes for 32 elements of type F32`, func(a *archive) { a.storages["0"] = 31 }),
	}
}

func pickles() []Case {
	view := func(name string, offset int, shape, strides []int) Case {
		return withPickle(name, Malformed, "does not fit its storage of 32 elements",
			pickleStart+pickleText("t")+pickleTensor("0", 32, offset, shape, strides)+"s"+pickleEnd)
	}
	return []Case{
		withPickle("pickle that runs a command", Unsupported, "it asks for the Python object posix.system; only tensors are read and no code is run",
			"\x80\x02cposix\nsystem\n("+pickleText("echo hacked")+"tR."),
		withPickle("pickle that builds any object", Unsupported, "it asks for the Python object __builtin__.eval", "\x80\x02c__builtin__\neval\n("+pickleText("1")+"tR."),
		withPickle("pickle that names by the stack", Malformed, "opcode 0x93 is no part of a state dict of tensors (at byte 2)", "\x80\x02\x93."),
		withPickle("pickle of extensions", Malformed, "opcode 0x82 is no part of a state dict", "\x80\x02\x82\x01."),
		withPickle("pickle with opcode 255", Malformed, "opcode 0xff is no part of a state dict", "\x80\x02\xff."),
		withPickle("pickle with bytes of 2^63", Malformed, "opcode 0x8e is no part of a state dict", "\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7f."),
		withPickle("pickle with a text of 2^32-1", Malformed, "the argument of opcode 'X' runs past the end", "\x80\x02X\xff\xff\xff\xff."),
		withPickle("pickle without an end", Malformed, "it has no end", pickleStart),
		withPickle("empty pickle", Malformed, "it has no end", ""),
		withPickle("pickle of nothing", Malformed, "not a valid pickle", "."),
		withPickle("integer of no bytes", Malformed, "not a valid pickle", "\x80\x02\x8a\x00."),
		withPickle("recall of nothing", Unsupported, "it holds no state dict", "\x80\x02h\x07."),
		withPickle("call of a list", Unsupported, "it holds no state dict", "\x80\x02])R."),
		withPickle("call of a list with several arguments", Malformed, "not a valid pickle", "\x80\x02]q\x00h\x00h\x00\x86R."),
		withPickle("call of a number", Malformed, "not a valid pickle", "\x80\x02K\x01)R."),
		withPickle("storage of a wrong kind", Malformed, `a storage is not described as`, "\x80\x02(X\x05\x00\x00\x00helloQ."),
		withPickle("no state dict", Unsupported, "it holds no state dict; load it with PyTorch", "\x80\x02N."),
		withPickle("training checkpoint", Unsupported, `entry "epoch" is no tensor`, pickleStart+pickleText("epoch")+"K\x03s."),
		withPickle("key that is a number", Malformed, "a key of the state dict is no string", pickleStart+"K\x01K\x03s."),
		withPickle("tensor of nothing", Malformed, "_rebuild_tensor_v2 has arguments of the wrong types", pickleStart+pickleText("t")+"ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtRs."),
		withPickle("parameter of nothing", Malformed, "_rebuild_parameter has no tensor", pickleStart+pickleText("t")+"ctorch._utils\n_rebuild_parameter\n(NNNtRs."),
		view("view past the end", 8, []int{8, 4}, []int{4, 1}),
		view("view behind the end", 32, []int{1}, []int{1}),
		view("view before the start", -1, []int{8, 4}, []int{4, 1}),
		view("view with a negative stride", 31, []int{8, 4}, []int{-4, -1}),
		view("view with a huge stride", 0, []int{2, 4}, []int{1<<31 - 1, 1}),
		view("view that repeats its storage", 0, []int{1 << 20, 1 << 10}, []int{0, 0}),
		view("view with a negative dimension", 0, []int{-8, 4}, []int{4, 1}),
		withPickle("tensor twice", Malformed, `tensor "t": pytorch_model.bin has this tensor too`,
			pickleStart+strings.Repeat(pickleText("t")+pickleTensor("0", 32, 0, []int{32}, []int{1})+"s", 2)+pickleEnd),
	}
}

func modules() []Case {
	const pooling = "1_Pooling/config.json"
	withModules := func(name string, kind Kind, want string, types ...string) Case {
		return changed(name, kind, want, func(f files) {
			list := []object{}
			for _, typ := range types {
				path := ""
				if typ == "Pooling" {
					path = "1_Pooling"
				}
				list = append(list, object{"type": "sentence_transformers.models." + typ, "path": path})
			}
			f.setJSON("modules.json", list)
			f.setJSON(pooling, object{"pooling_mode_mean_tokens": true})
		})
	}
	withPooling := func(name, want string, fields object) Case {
		c := withModules(name, Unsupported, want, "Transformer", "Pooling")
		c.files.setJSON(pooling, fields)
		return c
	}
	missing := withModules("no pooling configuration", Malformed, "config.json: modules.json refers to it, but it is missing; download all files", "Transformer", "Pooling")
	delete(missing.files, pooling)
	negative := withModules("negative length", Malformed, "sentence_bert_config.json: max_seq_length is a JSON number -1, want uint32", "Transformer", "Pooling")
	negative.files.setJSON("sentence_bert_config.json", object{"max_seq_length": -1})
	return []Case{
		missing,
		withModules("Dense module", Unsupported, `modules.json: the modules ["Dense"] cannot be stored in GGUF`, "Transformer", "Pooling", "Dense", "Normalize"),
		withModules("LayerNorm module", Unsupported, `modules.json: the modules ["LayerNorm"] cannot be stored in GGUF`, "Transformer", "Pooling", "LayerNorm"),
		withPooling("pooling by maximum", "pooling by pooling_mode_max_tokens is not supported; supported are mean, cls and lasttoken", object{"pooling_mode_max_tokens": true}),
		withPooling("pooling by two", "pooling by pooling_mode_cls_token and pooling_mode_mean_tokens is not supported",
			object{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}),
		withPooling("pooling by nothing", "pooling by nothing is not supported", object{"word_embedding_dimension": width}),
		withPooling("pooling by weights", "pooling by weightedmean is not supported", object{"pooling_mode": "weightedmean"}),
		withFile("modules.json is cut off", Malformed, "modules.json: invalid JSON: unexpected end of JSON input", "modules.json", `[{"type": `),
		withFile("modules.json is an object", Malformed, "modules.json: the value is a JSON object, want array", "modules.json", `{}`),
		withFile("pooling outside the folder", Malformed, `modules.json: the path "../.." is outside the model's folder`, "modules.json", `[{"type": "Pooling", "path": "../.."}]`),
		negative,
	}
}

func descriptions() []Case {
	card := func(name, want, yaml string) Case {
		return withFile(name, Malformed, "README.md: front matter, "+want, "README.md", "---\n"+yaml+"\n---\n# Card\n")
	}
	return []Case{
		card("list without an end", "line 2: invalid YAML: ", "tags: [a, b"),
		card("text without an end", "line 3: invalid YAML: ", "license: mit\nname: \"x"),
		card("mapping in a text", "line 2: invalid YAML: ", "a: b: c"),
		card("alias of nothing", "line 2: invalid YAML: the alias *x has no anchor before it", "name: *x"),
		card("lists nested too deep", "line 2: invalid YAML: it nests deeper than 100 levels", "tags: "+strings.Repeat("[", 5000)),
		card("mappings nested too deep", "line 2: invalid YAML: it nests deeper than 100 levels", strings.Repeat("{a: ", 5000)),
		card("entries nested too deep", "line 2: invalid YAML: it nests deeper than 100 levels", strings.Repeat("- ", 5000)),
	}
}

func tokenizers() []Case {
	return []Case{
		changed("no tokenizer", Missing, "no tokenizer", func(f files) {
			delete(f, "tokenizer.json")
			delete(f, "tokenizer_config.json")
		}),
		changed("BPE", Unsupported, "BPE of characters with a prefix", func(f files) {
			t := tokenizer()
			t["model"].(object)["type"] = "BPE"
			f.setJSON("tokenizer.json", t)
		}),
		withFile("chat template of numbers", Malformed, `tokenizer_config.json: "chat_template": an entry is no object of the texts name and template`,
			"tokenizer_config.json", `{"chat_template": [5]}`),
		withFile("chat_template.json is cut off", Malformed, "chat_template.json: invalid JSON: unexpected end", "chat_template.json", `{"chat_template": `),
		withFile("chat template not in UTF-8", Malformed, "chat_template.jinja: invalid UTF-8 (at byte 1)", "chat_template.jinja", "{\xff}"),
		withFile("tokenizer.json is cut off", Malformed, "tokenizer.json: ", "tokenizer.json", `{"version": `),
		changed("token beyond the vocabulary", Malformed, "vocab", func(f files) {
			t := tokenizer()
			t["model"].(object)["vocab"].(object)["z"] = 100
			f.setJSON("tokenizer.json", t)
		}),
	}
}
