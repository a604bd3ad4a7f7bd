package main

import "testing"

func TestCommandLine(t *testing.T) {
	got := commandLine([]string{"/usr/bin/gguftool", "bench", "a b.gguf", "it's", "", "--text=x,y", "$HOME", "a\u202eb'\n\"\\", `c:\d`, "grün", "$(x)"})
	want := `gguftool bench 'a b.gguf' 'it'\''s' '' --text=x,y '$HOME' $'a\u202eb\'\n"\\' 'c:\d' 'grün' '$(x)'`
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
