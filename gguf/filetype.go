package gguf

import (
	"fmt"
	"strconv"
	"strings"
)

// KeyFileType is the key of a model's FileType, a u32.
const KeyFileType = "general.file_type"

// A FileType is the recipe that most tensors of a file were written by
// (llama_ftype): a tensor type, or a mixture of several.
type FileType uint32

// File types of llama.cpp. The gaps are numbers of recipes that were removed.
const (
	FileF32      FileType = 0
	FileF16      FileType = 1
	FileQ4_0     FileType = 2
	FileQ4_1     FileType = 3
	FileQ8_0     FileType = 7
	FileQ5_0     FileType = 8
	FileQ5_1     FileType = 9
	FileQ2_K     FileType = 10
	FileQ3_K_S   FileType = 11
	FileQ3_K_M   FileType = 12
	FileQ3_K_L   FileType = 13
	FileQ4_K_S   FileType = 14
	FileQ4_K_M   FileType = 15
	FileQ5_K_S   FileType = 16
	FileQ5_K_M   FileType = 17
	FileQ6_K     FileType = 18
	FileIQ2XXS   FileType = 19
	FileIQ2XS    FileType = 20
	FileQ2_K_S   FileType = 21
	FileIQ3XS    FileType = 22
	FileIQ3XXS   FileType = 23
	FileIQ1S     FileType = 24
	FileIQ4NL    FileType = 25
	FileIQ3S     FileType = 26
	FileIQ3M     FileType = 27
	FileIQ2S     FileType = 28
	FileIQ2M     FileType = 29
	FileIQ4XS    FileType = 30
	FileIQ1M     FileType = 31
	FileBF16     FileType = 32
	FileTQ1_0    FileType = 36
	FileTQ2_0    FileType = 37
	FileMXFP4MoE FileType = 38
	FileNVFP4    FileType = 39
	FileQ1_0     FileType = 40
	FileQ2_0     FileType = 41
	FileGuessed  FileType = 1024 // a file without general.file_type
)

var fileTypeNames = map[FileType]string{
	FileF32: "F32", FileF16: "F16", FileBF16: "BF16",
	FileQ4_0: "Q4_0", FileQ4_1: "Q4_1", FileQ5_0: "Q5_0", FileQ5_1: "Q5_1", FileQ8_0: "Q8_0",
	4: "Q4_1_SOME_F16", 5: "Q4_2", 6: "Q4_3", 33: "Q4_0_4_4", 34: "Q4_0_4_8", 35: "Q4_0_8_8",
	FileQ2_K: "Q2_K", FileQ2_K_S: "Q2_K_S", FileQ3_K_S: "Q3_K_S", FileQ3_K_M: "Q3_K_M", FileQ3_K_L: "Q3_K_L",
	FileQ4_K_S: "Q4_K_S", FileQ4_K_M: "Q4_K_M", FileQ5_K_S: "Q5_K_S", FileQ5_K_M: "Q5_K_M", FileQ6_K: "Q6_K",
	FileIQ1S: "IQ1_S", FileIQ1M: "IQ1_M", FileIQ2XXS: "IQ2_XXS", FileIQ2XS: "IQ2_XS", FileIQ2S: "IQ2_S", FileIQ2M: "IQ2_M",
	FileIQ3XXS: "IQ3_XXS", FileIQ3XS: "IQ3_XS", FileIQ3S: "IQ3_S", FileIQ3M: "IQ3_M", FileIQ4NL: "IQ4_NL", FileIQ4XS: "IQ4_XS",
	FileTQ1_0: "TQ1_0", FileTQ2_0: "TQ2_0", FileMXFP4MoE: "MXFP4_MOE", FileNVFP4: "NVFP4", FileQ1_0: "Q1_0", FileQ2_0: "Q2_0",
	FileGuessed: "GUESSED",
}

// fileTypeAliases are the short names that llama-quantize accepts.
var fileTypeAliases = map[string]FileType{
	"Q3_K": FileQ3_K_M,
	"Q4_K": FileQ4_K_M,
	"Q5_K": FileQ5_K_M,
}

// String returns the name of t as llama-quantize prints it, as in "Q4_K_M".
func (t FileType) String() string {
	if name, ok := fileTypeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("file type %d", uint32(t))
}

// Removed reports whether t is a recipe that llama.cpp once wrote and no longer
// reads.
func (t FileType) Removed() bool {
	return 4 <= t && t <= 6 || 33 <= t && t <= 35
}

// ParseFileType returns the file type that s names, in any case, or numbers.
// Q3_K, Q4_K and Q5_K stand for their medium mixtures.
func ParseFileType(s string) (FileType, error) {
	name := strings.ToUpper(s)
	if t, ok := fileTypeAliases[name]; ok {
		return t, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	for t, known := range fileTypeNames {
		if known == name || err == nil && FileType(n) == t {
			return t, nil
		}
	}
	return 0, fmt.Errorf("file type %q does not exist; examples are F16, Q8_0 and Q4_K_M", s)
}
