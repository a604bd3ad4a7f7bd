package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// variables are all that are read.
var variables = []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH",
	"HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_SYMLINKS"}

// setenv sets the variables, and no others, with a home of its own.
func setenv(t *testing.T, home string, set map[string]string) {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, set[name])
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
}

func TestFromEnvironment(t *testing.T) {
	home := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(home, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".cache/huggingface/token", "of_home\n")
	write("other/token", " of_other \r\n")
	write("secret", "of_file")
	write("empty/token", "\n")
	type vars = map[string]string
	for _, c := range []struct {
		set             vars
		cache, token    string // cache below home
		endpoint        string
		offline, noLink bool
	}{
		{set: vars{}, cache: ".cache/huggingface/hub", token: "of_home"},
		{set: vars{"XDG_CACHE_HOME": "~/x"}, cache: "x/huggingface/hub"},
		{set: vars{"HF_HOME": "~/other", "XDG_CACHE_HOME": "/x"}, cache: "other/hub", token: "of_other"},
		{set: vars{"HF_HOME": "$HOME/other"}, cache: "other/hub", token: "of_other"},
		{set: vars{"HF_HOME": "~/empty"}, cache: "empty/hub"},
		{set: vars{"HF_HUB_CACHE": "~/c", "HUGGINGFACE_HUB_CACHE": "~/d"}, cache: "c", token: "of_home"},
		{set: vars{"HUGGINGFACE_HUB_CACHE": "${HOME}/d/$NONE"}, cache: "d/$NONE", token: "of_home"},
		{set: vars{"HF_TOKEN": "a", "HUGGING_FACE_HUB_TOKEN": "b", "HF_TOKEN_PATH": "~/secret"}, cache: ".cache/huggingface/hub", token: "a"},
		{set: vars{"HUGGING_FACE_HUB_TOKEN": " b\n", "HF_TOKEN_PATH": "~/secret"}, cache: ".cache/huggingface/hub", token: "b"},
		{set: vars{"HF_TOKEN_PATH": "~/secret"}, cache: ".cache/huggingface/hub", token: "of_file"},
		{set: vars{"HF_TOKEN_PATH": "~/none"}, cache: ".cache/huggingface/hub"},
		{set: vars{"HF_TOKEN": "a", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, cache: ".cache/huggingface/hub"},
		{set: vars{"HF_ENDPOINT": "http://mirror:8080/hub/"}, cache: ".cache/huggingface/hub", token: "of_home", endpoint: "http://mirror:8080/hub"},
		{set: vars{"HF_HUB_OFFLINE": "yes"}, cache: ".cache/huggingface/hub", offline: true},
		{set: vars{"TRANSFORMERS_OFFLINE": "True", "HF_HUB_OFFLINE": "0"}, cache: ".cache/huggingface/hub", offline: true},
		{set: vars{"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_SYMLINKS": "ON"}, cache: ".cache/huggingface/hub", token: "of_home", noLink: true},
	} {
		setenv(t, home, c.set)
		client, err := FromEnvironment()
		if err != nil {
			t.Errorf("%v: %v", c.set, err)
			continue
		}
		if c.endpoint == "" {
			c.endpoint = "https://huggingface.co"
		}
		if want := filepath.Join(home, filepath.FromSlash(c.cache)); client.Cache != want {
			t.Errorf("%v: the cache is %s, want %s", c.set, client.Cache, want)
		}
		if client.Token != c.token || client.Endpoint != c.endpoint || client.Offline != c.offline || client.NoLinks != c.noLink {
			t.Errorf("%v: got %+v, want %+v", c.set, client, c)
		}
	}
}

func TestFromEnvironmentRefuses(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "long"), make([]byte, maxTokenFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, want string }{
		{"HF_ENDPOINT", "huggingface.co", "should look like https://huggingface.co"},
		{"HF_ENDPOINT", "ftp://huggingface.co", "should look like"},
		{"HF_ENDPOINT", "http://", "should look like"},
		{"HF_ENDPOINT", "http://a b", "should look like"},
		{"HF_TOKEN", "hf_secret\nX-Header: y", "the token in HF_TOKEN has a character"},
		{"HF_TOKEN", "hf_secrét", "the token in HF_TOKEN has a character"},
		{"HF_TOKEN_PATH", "~", "HF_TOKEN can hold it instead"},
		{"HF_TOKEN_PATH", "~/long", "far too long"},
	} {
		setenv(t, home, map[string]string{c.name: c.value})
		client, err := FromEnvironment()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secr") {
			t.Errorf("%s=%s: %+v, error %v, want one with %q", c.name, c.value, client, err, c.want)
		}
	}
}
