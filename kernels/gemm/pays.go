package gemm

// QuantizedPays reports whether products with Quantized weights are faster than
// those with floats on the path that is chosen.
func QuantizedPays() bool { return active.int8Tiles != nil }
