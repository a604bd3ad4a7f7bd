package tokenizer

import (
	"math"
	"strconv"
)

// parseScore returns the number s, which must be JSON, as Hugging Face's
// tokenizers reads it: its JSON parser rounds twice, and the last bit of a score
// decides between two ways to cut a word that are equally good.
func parseScore(s string) float64 {
	i := 0
	negative := s[0] == '-'
	if negative {
		i++
	}
	// The number is digits · 10^exponent; digits that do not fit are dropped.
	digits, exponent := uint64(0), 0
	fraction, full := false, false
loop:
	for ; i < len(s); i++ {
		switch b := s[i]; b {
		case '.':
			fraction, full = true, false
		case 'e', 'E':
			break loop
		default:
			d := uint64(b - '0')
			full = full || digits > (math.MaxUint64-d)/10
			switch {
			case !full:
				digits = digits*10 + d
				if fraction {
					exponent--
				}
			case !fraction:
				exponent++
			}
		}
	}
	if i < len(s) {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil {
			e = math.MaxInt16 // out of range in any case
			if s[i+1] == '-' {
				e = -e
			}
		}
		exponent += max(-math.MaxInt16, min(math.MaxInt16, e))
	}
	f := float64(digits)
	const most = 308 // the highest power of ten
	for ; exponent < -most && f != 0; exponent += most {
		f /= 1e308
	}
	switch {
	case f == 0:
	case exponent < 0:
		f /= math.Pow10(-exponent)
	case exponent > most:
		f = math.Inf(1)
	default:
		f *= math.Pow10(exponent)
	}
	if negative {
		f = -f
	}
	return f
}

// exactDigits is how many digits a number may have of which parseScore makes the
// nearest float64.
const exactDigits = 15

// scoreOf returns a score of a GGUF file as it is after the way through
// tokenizer.json.
func scoreOf(score float32) float64 {
	f := float64(score)
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	if len(s) <= exactDigits+len(".e-00") || math.IsInf(f, 0) || math.IsNaN(f) {
		return f
	}
	return parseScore(string(s))
}
