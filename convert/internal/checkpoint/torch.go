package checkpoint

import (
	"archive/zip"
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

// An archive is a file that torch.save wrote: a zip archive without
// compression, whose entries are in one folder.
//
//	name/data.pkl   the state dict as a pickle, tensors referring to storages by key
//	name/byteorder  "little" or "big"; absent in old files
//	name/data/0     storage "0": its elements and nothing else
//	name/data/1     ...
type archive struct {
	data    []byte // the whole file
	folder  string // "name/"
	entries map[string]*zip.File
}

// A storage is a run of elements that tensors are views of.
type storage struct {
	dtype  DType
	offset int64 // in the file
	count  int64 // of elements
}

const saveHint = "load it with PyTorch and save it as safetensors"

// parseTorch returns the tensors of a PyTorch file in the order of its state dict.
func parseTorch(data []byte) ([]*Tensor, error) {
	a, err := openArchive(data)
	if err != nil {
		return nil, err
	}
	state, err := a.content("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	tensors, err := readStateDict(state, a.storage)
	for _, t := range tensors {
		t.data = data
	}
	return tensors, err
}

func openArchive(data []byte) (*archive, error) {
	if bytes.HasPrefix(data, []byte{0x80, 0x02, 0x8a, 0x0a}) { // a pickle with the magic number as its first value
		return nil, fault.Unsupported("", "", saveHint, "it was saved in the format of PyTorch before version 1.6")
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		e := fault.Malformed("", "", "not a PyTorch file: %v", err)
		e.Hint = "it may be incomplete or a pointer of Git LFS; download it again"
		return nil, e
	}
	a := &archive{data: data, entries: make(map[string]*zip.File, len(r.File))}
	pickles := 0
	for _, f := range r.File {
		if a.entries[f.Name] != nil {
			return nil, fault.Malformed("", fmt.Sprintf("entry %q", f.Name), "it appears twice in the archive")
		}
		a.entries[f.Name] = f
		if folder, name := path.Split(f.Name); name == "data.pkl" && strings.Count(folder, "/") <= 1 {
			a.folder = folder
			pickles++
		}
	}
	if pickles != 1 {
		return nil, fault.Malformed("", "", "the archive has %d entries data.pkl; torch.save writes one", pickles)
	}
	if a.entries[a.folder+"constants.pkl"] != nil {
		return nil, fault.Unsupported("", "", saveHint, "it is a TorchScript program, not a state dict")
	}
	if a.entries[a.folder+"byteorder"] != nil {
		order, err := a.content("byteorder", 16)
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, fault.Unsupported("", "", saveHint, "its byte order is %q", order)
		}
	}
	return a, nil
}

// locate returns where the bytes of an entry are in the file.
func (a *archive) locate(name string) (offset, size int64, err error) {
	part := fmt.Sprintf("entry %q", a.folder+name)
	f := a.entries[a.folder+name]
	if f == nil {
		return 0, 0, fault.Malformed("", part, "the archive does not have it")
	}
	if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
		return 0, 0, fault.Unsupported("", part, saveHint, "it is compressed, which torch.save never does")
	}
	offset, err = f.DataOffset()
	if err != nil {
		return 0, 0, fault.Malformed("", part, "%v", err)
	}
	total := int64(len(a.data))
	if offset > total || f.UncompressedSize64 > uint64(total-offset) {
		return 0, 0, fault.Malformed("", part, "its %d bytes run past the end of the file", f.UncompressedSize64)
	}
	return offset, int64(f.UncompressedSize64), nil
}

// content returns the bytes of an entry of at most limit bytes.
func (a *archive) content(name string, limit int64) ([]byte, error) {
	offset, size, err := a.locate(name)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fault.Malformed("", fmt.Sprintf("entry %q", a.folder+name), "it has %d bytes, more than %d", size, limit)
	}
	return a.data[offset : offset+size], nil
}

// storage returns the storage called key, which must hold count elements.
func (a *archive) storage(key string, dtype DType, count int64) (*storage, error) {
	offset, size, err := a.locate("data/" + key)
	if err != nil {
		return nil, err
	}
	if count < 0 || count != size/dtype.Size() || size%dtype.Size() != 0 {
		return nil, fault.Malformed("", fmt.Sprintf("storage %q", key), "it has %d bytes for %d elements of type %s", size, count, dtype)
	}
	return &storage{dtype, offset, count}, nil
}
