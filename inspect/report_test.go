package inspect

import "testing"

// TestReportOutlivesFile checks that a report does not refer to the mapped file.
func TestReportOutlivesFile(t *testing.T) {
	f := bert.open(t)
	r := Describe(f)
	before := writeText(t, r, Options{Full: true})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if after := writeText(t, r, Options{Full: true}); after != before {
		t.Error("the report changed when the file was closed")
	}
}

func TestTotals(t *testing.T) {
	const (
		q4K      = 256*256 + 256*1024
		q5_0     = 1024 * 256
		q6K      = 256*1000 + 256*256
		matrices = 256*512 + q4K + q5_0 + q6K
		vectors  = 2 * 256

		matrixBytes = 256*512*4 + q4K/256*144 + q5_0/32*22 + q6K/256*210
		vectorBytes = vectors * 4
	)
	want := Totals{
		Tensors:             8,
		Parameters:          matrices + vectors,
		Bytes:               matrixBytes + vectorBytes,
		BitsPerWeight:       8.0 * (matrixBytes + vectorBytes) / (matrices + vectors),
		MatrixBitsPerWeight: 8.0 * matrixBytes / matrices,
	}
	if got := bert.report(t).Totals; got != want {
		t.Errorf("totals are %+v, want %+v", got, want)
	}
}
