package hostilecheckpoint

import "encoding/json"

// methods are cases of what config.json says about quantized weights.
func methods() []Case {
	quantized := func(method string, fields object) Case {
		return withConfig("quantized by "+method, Unsupported,
			`"quantization_config": the weights are already quantized (`+method+"); convert the model that it was quantized from",
			"quantization_config", fields)
	}
	return []Case{
		quantized("GPTQ", object{"quant_method": "gptq", "bits": 4}),
		quantized("AWQ", object{"quant_method": "awq", "bits": 4}),
		quantized("bitsandbytes", object{"load_in_4bit": true}),
		quantized("bitsandbytes", object{"quant_method": "bitsandbytes", "load_in_8bit": true}),
		quantized("MXFP4", object{"quant_method": "mxfp4"}),
		quantized("compressed-tensors pack-quantized", object{"quant_method": "compressed-tensors", "format": "pack-quantized"}),
		quantized("modelopt NVFP4", object{"quant_method": "modelopt", "quant_algo": "NVFP4"}),
		quantized("some-method", object{"quant_method": "some-method"}),
		quantized(`{"bits":4}`, object{"bits": 4}),
		withConfig("quantization_config as text", Malformed, `"quantization_config": it is "gptq", want an object`, "quantization_config", "gptq"),
		withConfig("method as a number", Malformed, `"quantization_config": it is {"quant_method":5}: json: cannot unmarshal`, "quantization_config", object{"quant_method": 5}),
		withConfig("blocks of no size", Malformed, `"quantization_config": the blocks of the weights have the sizes [128 0]`,
			"quantization_config", object{"quant_method": "fp8", "weight_block_size": []int{128, 0}}),
		withConfig("blocks without sizes", Malformed, `the blocks of the weights have the sizes []`,
			"quantization_config", object{"quant_method": "fp8", "weight_block_size": []int{}}),
		withConfig("blocks of 2^64", Malformed, `"quantization_config": it is {`,
			"quantization_config", object{"quant_method": "fp8", "weight_block_size": []json.Number{"18446744073709551616"}}),
		withConfig("blocks of two sizes", Unsupported, `the weights have blocks of different sizes, [128 128] and [64 64]; convert the model`,
			"quantization_config", object{"quant_method": "compressed-tensors", "format": "float-quantized", "weight_block_size": []int{128, 128},
				"config_groups": object{"group_0": object{"weights": object{"block_structure": []int{64, 64}}}}}),
		withFile("hf_quant_config.json is cut off", Malformed, "hf_quant_config.json: invalid JSON", "hf_quant_config.json", `{"quantization": `),
		withFile("NVFP4 by hf_quant_config.json", Unsupported, "hf_quant_config.json: the weights are already quantized (modelopt NVFP4); convert the model",
			"hf_quant_config.json", `{"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4"}}`),
	}
}

// scales are cases of weights that are to be multiplied.
func scales() []Case {
	const weight = "encoder.layer.0.output.dense.weight" // width x feedForward
	withScale := func(name, want string, method object, scale string, shape ...int) Case {
		c := withTensors(name, Malformed, want, func(ts []tensor) []tensor {
			for i := range ts {
				if ts[i].name == weight {
					ts[i].dtype = "F8_E4M3"
					ts[i].size /= 4
				}
			}
			if scale == "" {
				return ts
			}
			return append(ts, f32(scale, shape...))
		})
		if method != nil {
			fields := config()
			fields["quantization_config"] = method
			c.files.setJSON("config.json", fields)
		}
		return c
	}
	fp8 := object{"quant_method": "fp8"}
	blocks := object{"quant_method": "fp8", "weight_block_size": []int{2, 4}}
	return []Case{
		withScale("8-bit floats without a scale", `tensor "`+weight+`": its elements are F8_E4M3, but it has no scale`, fp8, ""),
		withScale("scale of nothing", `tensor "x.weight_scale": it is the scale of "x.weight", which is missing`, fp8, "x.weight_scale", 1),
		withScale("scale with a dimension more", `its shape [4 1 1] fits no weight of shape [4 6]`, fp8, weight+"_scale", width, 1, 1),
		withScale("scale for each column", `its shape [6] fits no weight of shape [4 6]`, fp8, weight+"_scale", feedForward),
		withScale("scale of no rows", `its shape [0 1] fits no weight of shape [4 6]`, nil, weight+"_scale", 0, 1),
		withScale("too few blocks", `its shape [2 3] fits no weight of shape [4 6] in blocks of [2 4]`, blocks, weight+"_scale_inv", 2, 3),
		withScale("blocks of more dimensions", `fits no weight of shape [4 6] in blocks of [1 2 4]`,
			object{"quant_method": "fp8", "weight_block_size": []int{1, 2, 4}}, weight+"_scale_inv", 2, 2),
		withScale("huge blocks", `its shape [2 2] fits no weight of shape [4 6] in blocks of [9223372036854775807 9223372036854775807]`,
			object{"quant_method": "fp8", "weight_block_size": []int64{1<<63 - 1, 1<<63 - 1}}, weight+"_scale_inv", 2, 2),
		func() Case {
			c := withScale("two scales", `"`+weight+`" has another scale`, fp8, "")
			ts := append(weights(), f32(weight+"_scale", 1), f32(weight+"_scale_inv", 1))
			c.files["model.safetensors"] = safetensors(ts)
			return c
		}(),
	}
}

// formats are cases of quantized weights that config.json does not tell of.
func formats() []Case {
	named := func(format string, names ...string) Case {
		return withTensors(format+" by names", Unsupported, `: the weights are already quantized (`+format+"); convert the model that it was quantized from",
			func(ts []tensor) []tensor {
				for _, name := range names {
					ts = append(ts, f32(name, 1))
				}
				return ts
			})
	}
	return []Case{
		named("GPTQ", "encoder.layer.0.output.dense.qweight", "encoder.layer.0.output.dense.qzeros", "encoder.layer.0.output.dense.g_idx"),
		named("AWQ", "encoder.layer.0.output.dense.qweight", "encoder.layer.0.output.dense.qzeros"),
		named("EETQ", "encoder.layer.0.output.dense.qweight", "encoder.layer.0.output.dense.weight_scales"),
		named("bitsandbytes", "encoder.layer.0.output.dense.weight.absmax", "encoder.layer.0.output.dense.weight.quant_map"),
		named("bitsandbytes", "encoder.layer.0.output.dense.SCB"),
		named("compressed-tensors pack-quantized", "encoder.layer.0.output.dense.weight_packed"),
		named("NVFP4", "encoder.layer.0.output.dense.weight_scale_2"),
		named("MXFP4", "encoder.layer.0.experts.down_proj_blocks", "encoder.layer.0.experts.down_proj_scales"),
		named("Quanto", "encoder.layer.0.output.dense.weight._data"),
		named("HQQ", "encoder.layer.0.output.dense.W_q"),
		named("AQLM", "encoder.layer.0.output.dense.codebooks", "encoder.layer.0.output.dense.codes"),
	}
}
