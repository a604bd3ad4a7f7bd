package gemm

// QuantizedPays reports whether products of quantized weights are faster than
// those of the same weights in f32 on the path of this process. narrow says that
// all quants are within ±64, which is so in all block formats but Q8_0.
func QuantizedPays(narrow bool) bool { return active.int8(16, narrow).pays }
