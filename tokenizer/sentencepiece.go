package tokenizer

import (
	"encoding/binary"
	"math"

	"github.com/gguftool/gguftool/internal/fault"
)

// A sentenceModel is what a model file of SentencePiece says: a message
// ModelProto of protocol buffers, of which these fields are read.
//
//	ModelProto            1 pieces, repeated   2 trainer_spec   3 normalizer_spec
//	SentencePiece         1 piece   2 score, f32   3 type
//	TrainerSpec           3 model_type   40 unk_id
//	NormalizerSpec        2 precompiled_charsmap   3 add_dummy_prefix   4 remove_extra_whitespaces
//
// A field is its number and the form of its value, then the value:
//
//	varint  number<<3 | form
//	        0: varint   1: 8 bytes   2: varint n, n bytes   5: 4 bytes
type sentenceModel struct {
	kind        int64 // one of the constants below
	tokens      []string
	scores      []float32
	types       []tokenType // the numbers are those of GGUF
	charsmap    []byte
	addPrefix   bool // texts begin with a space
	removeExtra bool // white space at the ends, and more than one in a row
}

// Values of model_type.
const (
	unigramKind = 1
	bpeKind     = 2
)

// decodeSentenceModel decodes a model file of SentencePiece.
func decodeSentenceModel(data []byte) (*sentenceModel, error) {
	m := &sentenceModel{kind: unigramKind, addPrefix: true, removeExtra: true}
	r := protoReader{data: data}
	for r.next() {
		switch r.field {
		case 1:
			m.piece(r.inner())
		case 2:
			for in := r.inner(); in.next(); {
				if in.field == 3 {
					m.kind = int64(in.number)
				}
			}
		case 3:
			for in := r.inner(); in.next(); {
				switch in.field {
				case 2:
					m.charsmap = in.bytes
				case 3:
					m.addPrefix = in.number != 0
				case 4:
					m.removeExtra = in.number != 0
				}
			}
		}
	}
	switch {
	case r.failed():
		return nil, fault.Malformed("", "", "is no model of SentencePiece: byte %d begins no field of a message that ends with the file", r.at)
	case len(m.tokens) == 0:
		return nil, fault.Malformed("", "", "has no pieces")
	case len(m.tokens) > math.MaxInt32:
		return nil, fault.Malformed("", "", "has %d pieces", len(m.tokens))
	}
	return m, nil
}

// piece adds the piece of a message.
func (m *sentenceModel) piece(r protoReader) {
	token, score, kind := "", float32(0), normalToken
	for r.next() {
		switch r.field {
		case 1:
			token = string(r.bytes)
		case 2:
			score = math.Float32frombits(uint32(r.number))
		case 3:
			kind = tokenType(r.number)
		}
	}
	m.tokens, m.scores, m.types = append(m.tokens, token), append(m.scores, score), append(m.types, kind)
}

// A protoReader reads the fields of a message.
type protoReader struct {
	data   []byte
	at     int
	broken *bool // of the message and those in it

	// the field that next found
	field  uint64
	number uint64 // its value if it is a number
	bytes  []byte // or else
}

func (r *protoReader) failed() bool { return r.broken != nil && *r.broken }

func (r *protoReader) fail() bool {
	if r.broken == nil {
		r.broken = new(bool)
	}
	*r.broken = true
	return false
}

// next moves to the next field, and reports whether there is one.
func (r *protoReader) next() bool {
	if r.failed() || r.at == len(r.data) {
		return false
	}
	if r.broken == nil {
		r.broken = new(bool)
	}
	rest := r.data[r.at:]
	tag, n := binary.Uvarint(rest)
	if n <= 0 {
		return r.fail()
	}
	rest = rest[n:]
	r.field, r.number, r.bytes = tag>>3, 0, nil
	var size int
	switch tag & 7 {
	case 0:
		if r.number, size = binary.Uvarint(rest); size <= 0 {
			return r.fail()
		}
	case 1:
		if size = 8; len(rest) < size {
			return r.fail()
		}
		r.number = binary.LittleEndian.Uint64(rest)
	case 2:
		length, k := binary.Uvarint(rest)
		if k <= 0 || length > uint64(len(rest)-k) {
			return r.fail()
		}
		size = k + int(length)
		r.bytes = rest[k:size]
	case 5:
		if size = 4; len(rest) < size {
			return r.fail()
		}
		r.number = uint64(binary.LittleEndian.Uint32(rest))
	default:
		return r.fail()
	}
	r.at += n + size
	return true
}

// inner returns a reader of the message that is the value of the field.
func (r *protoReader) inner() protoReader { return protoReader{data: r.bytes, broken: r.broken} }
