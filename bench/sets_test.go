package bench

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/fault"
)

const (
	goodCorpus = `{"_id": "a", "title": "Fox", "text": "a quick one"}
{"_id": "b", "title": "", "text": "a dog"}

{"_id": "c", "text": "no title"}
`
	goodQueries   = "\ufeff" + `{"_id": "q1", "text": "what is quick?"}` + "\r\n" + `{"_id": "q2", "text": "unanswered"}` + "\r\n" + `{"_id": "c", "text": "itself", "metadata": {}}`
	goodJudgments = "query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\tb\t0\nq1\tx\t1\ny\ta\t1\nc\tb\t1\nq2\tmissing\t1\n"
)

func writeBEIR(t *testing.T, corpus, queries, judgments string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "qrels"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": judgments} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadBEIR(t *testing.T) {
	s, err := ReadBEIR(writeBEIR(t, goodCorpus, goodQueries, goodJudgments))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Fox a quick one", "a dog", "no title"}; !reflect.DeepEqual(s.Corpus, want) || !reflect.DeepEqual(s.CorpusIDs, []string{"a", "b", "c"}) {
		t.Errorf("corpus %q", s.Corpus)
	}
	if want := []string{"what is quick?", "itself"}; !reflect.DeepEqual(s.Queries, want) || !reflect.DeepEqual(s.QueryIDs, []string{"q1", "c"}) {
		t.Errorf("queries %q", s.Queries)
	}
	if want := []map[int]int{{0: 2}, {1: 1}}; !reflect.DeepEqual(s.Relevant, want) {
		t.Errorf("relevant %v", s.Relevant)
	}
	// The text with the id of the query stands first and does not count.
	score, err := MeasureRetrieval(t.Context(), nil, s, [][]float32{{1, 0}, {0, 1}}, [][]float32{{1, 0}, {0.1, 0.9}, {0, 1}})
	if err != nil || score.NDCG.Value != 1 || score.MRR.Value != 1 || score.Recall10.Value != 1 || score.Recall.Value != 1 {
		t.Errorf("%+v, %v", score, err)
	}
	part := s.First(1)
	if want := []string{"Fox a quick one"}; !reflect.DeepEqual(part.Corpus, want) || len(part.Queries) != 1 || !reflect.DeepEqual(part.Relevant, []map[int]int{{0: 2}}) {
		t.Errorf("first query: %+v", part)
	}
	if s.First(2) != s {
		t.Error("all queries are no part")
	}
}

// A part keeps what answers its queries, wherever it stands.
func TestFirst(t *testing.T) {
	s := &RetrievalSet{self: map[int]int{1: 5}}
	for i := range 6 {
		s.Corpus, s.CorpusIDs = append(s.Corpus, string(rune('a'+i))), append(s.CorpusIDs, string(rune('a'+i)))
	}
	s.Queries, s.QueryIDs = []string{"1", "2", "3"}, []string{"1", "f", "3"}
	s.Relevant = []map[int]int{{5: 1}, {2: 3}, {0: 1}}
	part := s.First(2) // of four texts
	if want := []string{"a", "b", "c", "f"}; !reflect.DeepEqual(part.CorpusIDs, want) {
		t.Errorf("corpus %v", part.CorpusIDs)
	}
	if want := []map[int]int{{3: 1}, {2: 3}}; !reflect.DeepEqual(part.Relevant, want) || part.self[1] != 3 {
		t.Errorf("relevant %v, self %v", part.Relevant, part.self)
	}
}

var hostileSets = []struct {
	name                       string
	corpus, queries, judgments string
	want                       string
}{
	{"no JSON", "text\n", goodQueries, goodJudgments, "corpus.jsonl: line 1: is not an object"},
	{"another kind", "[]\n", goodQueries, goodJudgments, "corpus.jsonl: line 1: is not an object"},
	{"number for text", `{"_id": "a", "text": 5}`, goodQueries, goodJudgments, "corpus.jsonl: line 1: is not an object"},
	{"no text", `{"_id": "a"}`, goodQueries, goodJudgments, "corpus.jsonl: line 1: has no _id or no text"},
	{"twice", `{"_id": "a", "text": ""}` + "\n" + `{"_id": "a", "text": ""}`, goodQueries, goodJudgments, `line 2: the _id "a" is that of an earlier line`},
	{"not UTF-8", "{\"_id\": \"a\", \"text\": \"\xff\"}", goodQueries, goodJudgments, "line 1: is not UTF-8"},
	{"no query", goodCorpus, "", goodJudgments, "no query has a relevant text"},
	{"two fields", goodCorpus, goodQueries, "q1\ta\n", "test.tsv: line 1: has 2 fields"},
	{"no grade", goodCorpus, goodQueries, "q1\ta\t1\nq1\tb\thigh\n", `line 2: the score "high" is no whole number`},
	{"enormous grade", goodCorpus, goodQueries, "q1\ta\t9000000000000000000\n", "line 1: the score 9000000000000000000 is beyond"},
	{"nothing judged", goodCorpus, goodQueries, "query-id\tcorpus-id\tscore\n", "no query has a relevant text"},
}

func TestReadBEIRHostile(t *testing.T) {
	for _, c := range hostileSets {
		_, err := ReadBEIR(writeBEIR(t, c.corpus, c.queries, c.judgments))
		if _, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want a FormatError with %q", c.name, err, c.want)
		}
	}
	if _, err := ReadBEIR(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty folder: %v", err)
	}
}

func FuzzReadBEIR(f *testing.F) {
	f.Add(goodCorpus, goodQueries, goodJudgments)
	for _, c := range hostileSets {
		f.Add(c.corpus, c.queries, c.judgments)
	}
	f.Fuzz(func(t *testing.T, corpus, queries, judgments string) {
		s, err := ReadBEIR(writeBEIR(t, corpus, queries, judgments))
		if err != nil {
			if _, ok := errors.AsType[*fault.FormatError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		if len(s.Queries) == 0 || len(s.Queries) != len(s.Relevant) || len(s.Corpus) != len(s.CorpusIDs) || len(s.Queries) != len(s.QueryIDs) {
			t.Fatalf("%+v", s)
		}
		for _, part := range []*RetrievalSet{s, s.First(1)} {
			score, err := MeasureRetrieval(t.Context(), nil, part, shortened(randomVectors(len(part.Queries), 3), 3), shortened(randomVectors(len(part.Corpus), 3), 3))
			if err != nil || !(score.NDCG.Value >= 0 && score.NDCG.Value <= 1+1e-9) || !(score.Recall.Value >= 0 && score.Recall.Value <= 1) {
				t.Fatalf("%+v, %v", score, err)
			}
		}
	})
}

func TestParsePairs(t *testing.T) {
	p, err := parsePairs("sts.tsv", strings.NewReader("left\tright\tscore\na\tb\t0.5\r\nc\td\t-1\n\ne\t\t2e1"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (&Pairs{[]string{"a", "c", "e"}, []string{"b", "d", ""}, []float64{0.5, -1, 20}}); !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, want %+v", p, want)
	}
	score, err := MeasurePairs(p, [][]float32{{1, 0}, {1, 0}, {1, 0}}, [][]float32{{1, 1}, {0, 1}, {2, 0}})
	if err != nil || score.Spearman.Value != 1 || score.Pairs != 3 {
		t.Errorf("%+v, %v", score, err)
	}
	if _, err := MeasurePairs(p, nil, nil); err == nil {
		t.Error("no vectors are no error")
	}
}

var hostilePairs = []struct{ name, text, want string }{
	{"empty", "", "has 0 pairs"},
	{"two pairs", "a\tb\t1\na\tb\t2\n", "has 2 pairs, too few"},
	{"two fields", "a\tb\t1\na\t1\n", "line 2: has 2 fields"},
	{"no score", "a\tb\t1\na\tb\tc\n", `line 2: the score "c" is no number`},
	{"not a number", "a\tb\t1\na\tb\tNaN\n", `line 2: the score "NaN" is no number`},
	{"infinite", "a\tb\t1\na\tb\t1e999\n", `line 2: the score "1e999" is no number`},
	{"not UTF-8", "a\t\xff\t1\n", "line 1: is not UTF-8"},
}

func TestParsePairsHostile(t *testing.T) {
	for _, c := range hostilePairs {
		_, err := parsePairs("sts.tsv", strings.NewReader(c.text))
		if _, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "sts.tsv: ") {
			t.Errorf("%s: error %v, want a FormatError with %q", c.name, err, c.want)
		}
	}
}

func FuzzParsePairs(f *testing.F) {
	f.Add("left\tright\tscore\na\tb\t0.5\r\nc\td\t-1\n\ne\t\t2e1")
	for _, c := range hostilePairs {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePairs("sts.tsv", strings.NewReader(text))
		if err != nil {
			if _, ok := errors.AsType[*fault.FormatError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		if len(p.Scores) < MinTexts || len(p.Left) != len(p.Scores) || len(p.Right) != len(p.Scores) {
			t.Fatalf("%+v", p)
		}
		if s := Spearman(p.Scores, p.Scores); s != 0 && !near(s, 1, 1e-9) {
			t.Fatalf("scores and themselves correlate by %v", s)
		}
	})
}
