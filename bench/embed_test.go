package bench

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/synth"
)

// A text that comes again has the vector that it had, and is computed and counted
// as tokens once. The same text behind another prompt is another.
func TestEmbedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f32.gguf")
	if err := (synth.BERT{}).WriteGGUF(path); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path, &infer.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	long := string(slices.Repeat([]byte("fox "), m.ContextLength()+5))
	e := &embedder{model: m, prompts: &embedding.Prompts{Names: []string{"query"}, Texts: []string{"a quick "}}}
	done := 0
	e.done = func(n int) { done += n }
	texts := []string{"the dog", long, "the dog", "fox", long}
	got, err := e.embed(t.Context(), texts, RoleText)
	if err != nil {
		t.Fatal(err)
	}
	once := e.tokens
	if done != len(texts) || e.truncated != 2 || !reflect.DeepEqual(got[0], got[2]) || !reflect.DeepEqual(got[1], got[4]) || reflect.DeepEqual(got[0], got[3]) {
		t.Errorf("%d texts are done, %d cut; vectors %v", done, e.truncated, got)
	}
	again, err := e.embed(t.Context(), append(slices.Repeat(texts, embedStep), "a new one"), RoleText)
	if err != nil || len(again) != len(texts)*embedStep+1 || !reflect.DeepEqual(again[:5], got) || e.tokens <= once || e.tokens > once+8 {
		t.Errorf("%d vectors of %d and then %d tokens, %v", len(again), once, e.tokens, err)
	}
	query, err := e.embed(t.Context(), []string{"fox", "the dog"}, RoleQuery)
	if err != nil || reflect.DeepEqual(query[0], got[3]) || reflect.DeepEqual(query[1], got[0]) {
		t.Errorf("queries have no prompt: %v", err)
	}
	prompted, err := e.embed(t.Context(), []string{"a quick fox"}, RoleText)
	if err != nil || !reflect.DeepEqual(prompted[0], query[0]) {
		t.Errorf("a text with the words of the prompt has another vector: %v", err)
	}
}
