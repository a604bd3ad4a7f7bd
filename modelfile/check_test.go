package modelfile_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/modelfile"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"FROM x\nPARAMETER num_ctx 4096\nPARAMETER temperature 0.7\nPARAMETER use_mmap false\nPARAMETER stop a\nPARAMETER stop b\nPARAMETER num_predict -2\nPARAMETER seed -5": nil,
		"SYSTEM x":                                                         {"0:0 error: the file has no FROM; name the model with FROM"},
		"FROM ":                                                            {"1:6 error: FROM has no value"},
		"FROM x\nPARAMETER num_ctxx 1":                                     {`2:11 error: unknown parameter "num_ctxx"; did you mean num_ctx?`},
		"FROM x\nPARAMETER temprature 1":                                   {`2:11 error: unknown parameter "temprature"; did you mean temperature?`},
		"FROM x\nPARAMETER Temperature 1":                                  {`2:11 error: unknown parameter "Temperature"; did you mean temperature?`},
		"FROM x\nPARAMETER top_kp 1":                                       {`2:11 error: unknown parameter "top_kp"; did you mean top_k?`},
		"FROM x\nPARAMETER num_ctx 4k":                                     {`2:19 error: num_ctx is a whole number, not "4k"; write 4096`},
		"FROM x\nPARAMETER num_ctx 4096.0":                                 {`2:19 error: num_ctx is a whole number, not "4096.0"; write 4096`},
		"FROM x\nPARAMETER num_ctx 1 # one":                                {`2:19 error: num_ctx is a whole number, not "1 # one"; a comment needs a line of its own`},
		"FROM x\nPARAMETER num_ctx 0":                                      {"2:19 error: num_ctx 0 is not 1 or more"},
		"FROM x\nPARAMETER num_ctx 99999999999":                            {"2:19 error: num_ctx 99999999999 is not 1 or more"},
		"FROM x\nPARAMETER top_p 1.5":                                      {"2:17 error: top_p 1.5 is not from 0 to 1"},
		"FROM x\nPARAMETER top_p NaN":                                      {"2:17 error: top_p NaN is not from 0 to 1"},
		"FROM x\nPARAMETER temperature -1":                                 {"2:23 error: temperature -1 is not 0 or more"},
		"FROM x\nPARAMETER temperature hot":                                {`2:23 error: temperature is a number, not "hot"`},
		"FROM x\nPARAMETER use_mmap yes":                                   {`2:20 error: use_mmap is true or false, not "yes"; write true`},
		"FROM x\nPARAMETER stop \"\"":                                      {"2:16 error: an empty stop text ends every answer before it begins"},
		"FROM x\nPARAMETER mirostat 1\nPARAMETER low_vram maybe":           {"2:11 warning: the parameter mirostat has no effect any more; leave it out", "3:11 warning: the parameter low_vram has no effect any more; leave it out"},
		"FROM x\nPARAMETER penalize_newline 1":                             {"2:11 warning: the parameter penalize_newline has no effect any more; leave it out"},
		"FROM x\nPARAMETER top_k 1\nPARAMETER top_k 2":                     {"3:1 warning: this PARAMETER top_k replaces that of line 2"},
		"FROM x\nPARAMETER draft_num_predict 2":                            {"2:11 warning: Ollama 0.24 does not know the parameter draft_num_predict and refuses the file; newer versions do"},
		"FROM x\nPARAMETER num_ctx 100\nPARAMETER num_batch 200":           {"0:0 warning: num_batch 200 is more than num_ctx 100, which is taken instead"},
		"FROM x\nPARAMETER num_ctx 100\nPARAMETER num_keep 100":            {"0:0 warning: num_keep 100 leaves no room in num_ctx 100"},
		"FROM x\nSYSTEM a\nSYSTEM b":                                       {"3:1 warning: this SYSTEM replaces that of line 2"},
		"FROM x\nREQUIRES 0.14.0":                                          nil,
		"FROM x\nREQUIRES v0.14":                                           nil,
		"FROM x\nREQUIRES latest":                                          {`2:10 error: "latest" is no semantic version; write it as in REQUIRES 0.14.0`},
		"FROM x\nREQUIRES 01.2":                                            {`2:10 error: "01.2" is no semantic version; write it as in REQUIRES 0.14.0`},
		"FROM x\nRENDERER qwen3-codr":                                      {`2:10 warning: Ollama 0.24 has no renderer "qwen3-codr"; did you mean qwen3-coder?`},
		"FROM x\nPARSER mine":                                              {`2:8 warning: Ollama 0.24 has no parser "mine"`},
		"FROM x\nRENDERER cogito\nPARSER cogito":                           nil,
		"FROM x\nDRAFT ./d.gguf":                                           {"2:1 warning: Ollama 0.24 takes DRAFT only with --experimental"},
		"FROM x\nSYSTEM a\u200db":                                          {"2:9 warning: the character U+200D is left out of the value, as it cannot be printed"},
		"FROM x\nTEMPLATE {{ .Prompt }}":                                   nil,
		"FROM x\nTEMPLATE {{ range .Messages }}{{ .Content }}{{ end }}":    nil,
		"FROM x\nTEMPLATE {{ .Propmt }}":                                   {"2:10 warning: templates see no .Propmt, so that nothing stands in its place; did you mean Prompt?", "2:10 warning: the template has neither .Messages nor .Prompt, so that the model does not see what it is asked"},
		"FROM x\nTEMPLATE \"\"\"a\n{{ .Prompt }}\n{{ $.Sistem }}\"\"\"":    {"4:1 warning: templates see no .Sistem, so that nothing stands in its place; did you mean System?"},
		"FROM x\nTEMPLATE \"\"\"{{ .Prompt }}\n{{ if }}\"\"\"":             {"3:1 error: the template is not valid: missing value for if"},
		"FROM x\nTEMPLATE {{ .Prompt }}{{ trim .System }}":                 {`2:10 error: the template is not valid: function "trim" not defined`},
		"FROM x\nTEMPLATE {{ json .Tools }}{{ currentDate }}{{ .Prompt }}": nil,
	} {
		var got []string
		for _, p := range modelfile.Check(parse(t, text)) {
			got = append(got, fmt.Sprintf("%v %v", p.At, p))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %s\nwant %s", text, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

func TestManyOmissionsAreToldOnce(t *testing.T) {
	if p := modelfile.Check(parse(t, "FROM x"+strings.Repeat("\u200b", 9))); len(p) != 4 || p[3].Text != "and 6 more" {
		t.Errorf("got %v", p)
	}
}

func TestSettings(t *testing.T) {
	f := parse(t, "FROM x\nPARAMETER stop a\nPARAMETER temperature 0.1\nPARAMETER num_ctx 1\nPARAMETER mirostat 1\nPARAMETER stop \"\"\"b\"\"\"\nPARAMETER num_ctx 2\nPARAMETER use_mmap T")
	got, err := f.Settings()
	want := map[string]any{"stop": []string{"a", "b"}, "temperature": float32(0.1), "num_ctx": int64(2), "use_mmap": true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for text, want := range map[string]string{
		"PARAMETER nun_ctx 1":     `1:11: unknown parameter "nun_ctx"; did you mean num_ctx?`,
		"PARAMETER num_ctx one":   `1:19: num_ctx is a whole number, not "one"`,
		"PARAMETER use_mmap 2":    `1:20: use_mmap is true or false, not "2"`,
		"PARAMETER top_p 1e999":   `1:17: top_p is a number, not "1e999"`,
		"PARAMETER num_ctx  0x10": `1:20: num_ctx is a whole number, not "0x10"`,
	} {
		if _, err := parse(t, text).Settings(); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestValuesAndLast(t *testing.T) {
	f := parse(t, "FROM a\nFROM b\nLICENSE c")
	if got := f.Values(modelfile.From); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
	if v, ok := f.Last(modelfile.From); v != "b" || !ok {
		t.Errorf("got %q, %v", v, ok)
	}
	if v, ok := f.Last(modelfile.System); v != "" || ok {
		t.Errorf("got %q, %v", v, ok)
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]string{"0.14.0": "0.14.0", "v1.2.3-rc.1": "1.2.3-rc.1", "1": "1", "vv1": "", "": "", "1.2.3.4": "", "a": ""} {
		got, ok := modelfile.Version(text)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v", text, got, ok)
		}
	}
}
