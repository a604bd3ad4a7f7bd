package infer

import "testing"

func TestParsePrecision(t *testing.T) {
	for p, name := range precisionNames {
		if got, err := ParsePrecision(name); err != nil || got != Precision(p) || got.String() != name {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
	want := `unknown precision "f16"; choose one of auto, f32, int8`
	if _, err := ParsePrecision("f16"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if got := Precision(9).String(); got != "precision 9" {
		t.Errorf("precision 9 is called %q", got)
	}
}
