package modelfile_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/modelfile"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		keyword     modelfile.Keyword
		name, value string
		want        string
	}{
		{"FROM", "", "./a b.gguf", "FROM ./a b.gguf\n"},
		{"FROM", "", " edge ", "FROM \" edge \"\n"},
		{"FROM", "", "", "FROM \"\"\n"},
		{"FROM", "", `"quoted"`, "FROM \"\"quoted\"\"\n"},
		{"FROM", "", `""quoted""`, "FROM \"\"\"\"\"quoted\"\"\"\"\"\n"},
		{"PARAMETER", "num_ctx", "4096", "PARAMETER num_ctx 4096\n"},
		{"PARAMETER", "stop", "x", "PARAMETER stop \"x\"\n"},
		{"PARAMETER", "stop", "a\"\nb", "PARAMETER stop \"\"\"a\"\nb\"\"\"\n"},
		{"SYSTEM", "", "a\nb", "SYSTEM \"\"\"a\nb\"\"\"\n"},
		{"SYSTEM", "", "a\"\"\" \nb", "error: no quotes can hold the value \"a\\\"\\\"\\\" \\nb\""},
		{"SYSTEM", "", "a\u200bb", "error: a value cannot hold the character U+200B"},
		{"SYSTEM", "", "a\xff", "error: is not UTF-8"},
		{"MESSAGE", "user", "hi", "MESSAGE user hi\n"},
		{"MESSAGE", "tool", "hi", "error: a message has the role"},
		{"PARAMETER", "a b", "hi", "error: \"a b\" cannot be the name of a parameter"},
		{"PARAMETER", "", "hi", "error: \"\" cannot be the name of a parameter"},
		{"SYSTEM", "x", "hi", "error: only parameters and messages have a name"},
		{"from", "", "x", "error: there is no instruction \"from\""},
	} {
		var f modelfile.File
		f.Add(c.keyword, c.name, c.value)
		text, err := modelfile.Format(&f)
		if wanted, isError := strings.CutPrefix(c.want, "error: "); isError {
			if err == nil || !strings.Contains(err.Error(), wanted) {
				t.Errorf("%+v: got %q, %v", c, text, err)
			}
			continue
		}
		if err != nil || string(text) != c.want {
			t.Errorf("%+v: got %q, %v", c, text, err)
		}
	}
	for _, above := range []string{"no mark", "# two\nlines", "# \xff"} {
		f := modelfile.File{Below: []string{above}}
		if text, err := modelfile.Format(&f); err == nil {
			t.Errorf("%q is written as %q", above, text)
		}
	}
}

// What is read is written, and read again as the same; writing that anew changes
// nothing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"FROM x\nPARAMETER stop \"a\nb\"\nTEMPLATE \"\"\"{{ .Prompt }}\n\"\"\"\n# c\n",
		"from \"x\"\r\nmessage user \"\"\"\"a\"\"\"\"\r\n\r\n#\r\n",
		"\xff\xfeF\x00R\x00O\x00M\x00 \x00x\x00",
		"\xef\xbb\xbf\u200bFROM x\u200d\xff",
		"SYSTEM \"a\" b\"\nREQUIRES v1\nRENDERER x\nPARSER y\nDRAFT z\nADAPTER q\nLICENSE \t",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := modelfile.Parse(data)
		if err != nil {
			return
		}
		modelfile.Check(first)
		first.Settings()
		text, err := modelfile.Format(first)
		if err != nil {
			t.Fatalf("%q is read and cannot be written: %v", data, err)
		}
		second, err := modelfile.Parse(text)
		if err != nil {
			t.Fatalf("%q cannot be read: %v", text, err)
		}
		if !reflect.DeepEqual(plain(first), plain(second)) {
			t.Fatalf("%+v\nis written as %q, which is read as\n%+v", plain(first), text, plain(second))
		}
		again, err := modelfile.Format(second)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%q becomes %q, %v", text, again, err)
		}
	})
}
