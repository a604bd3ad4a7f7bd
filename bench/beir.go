package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gguftool/gguftool/internal/fault"
)

// ReadBEIR reads a retrieval set in the layout of BEIR
// (https://github.com/beir-cellar/beir), a folder with
//
//	corpus.jsonl      {"_id": "d1", "title": "...", "text": "..."}  title may be absent or empty
//	queries.jsonl     {"_id": "q1", "text": "..."}
//	qrels/test.tsv    query-id  corpus-id  score                   with that header, separated by tabs
//
// A title stands before its text, with a blank between. Queries for which the
// judgments name no relevant text of the corpus are left out, as nothing could be
// found for them; judgments of queries or texts that are missing count as Strays.
// Errors about the content are *fault.FormatError.
func ReadBEIR(dir string) (*RetrievalSet, error) {
	s := &RetrievalSet{corpus: map[string]int{}, queries: map[string]int{}, self: map[int]int{}}
	for _, part := range []struct {
		name string
		read func(name string, r io.Reader) error
	}{
		{"corpus.jsonl", s.readCorpus},
		{"queries.jsonl", s.readQueries},
		{filepath.Join("qrels", "test.tsv"), s.readJudgments},
	} {
		path := filepath.Join(dir, part.name)
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		err = part.read(path, f)
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	s.dropUnanswered()
	if len(s.Queries) == 0 {
		return nil, fault.Malformed(dir, "", "no query has a relevant text in the corpus")
	}
	for q, id := range s.QueryIDs {
		if text, ok := s.corpus[id]; ok {
			s.self[q] = text
		}
	}
	return s, nil
}

func (s *RetrievalSet) readCorpus(name string, r io.Reader) error {
	return eachRecord(name, r, s.corpus, func(id, title, text string) {
		s.CorpusIDs = append(s.CorpusIDs, id)
		s.Corpus = append(s.Corpus, strings.TrimSpace(title+" "+text))
	})
}

func (s *RetrievalSet) readQueries(name string, r io.Reader) error {
	err := eachRecord(name, r, s.queries, func(id, _, text string) {
		s.QueryIDs = append(s.QueryIDs, id)
		s.Queries = append(s.Queries, text)
	})
	s.Relevant = make([]map[int]int, len(s.Queries))
	return err
}

// eachRecord calls add for each line of JSON, and numbers their ids.
func eachRecord(name string, r io.Reader, numbers map[string]int, add func(id, title, text string)) error {
	return eachLine(name, r, func(n int, line string) error {
		if strings.TrimSpace(line) == "" {
			return nil
		}
		var record struct {
			ID    *string `json:"_id"`
			Title string  `json:"title"`
			Text  *string `json:"text"`
		}
		at := fmt.Sprintf("line %d", n)
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			return fault.Malformed(name, at, "is not an object with the strings _id and text: %v", err)
		}
		if record.ID == nil || record.Text == nil {
			return fault.Malformed(name, at, "has no _id or no text")
		}
		if _, twice := numbers[*record.ID]; twice {
			return fault.Malformed(name, at, "the _id %q is that of an earlier line", *record.ID)
		}
		numbers[*record.ID] = len(numbers)
		add(*record.ID, record.Title, *record.Text)
		return nil
	})
}

func (s *RetrievalSet) readJudgments(name string, r io.Reader) error {
	return eachLine(name, r, func(n int, line string) error {
		fields := strings.Split(line, "\t")
		at := fmt.Sprintf("line %d", n)
		switch {
		case strings.TrimSpace(line) == "":
			return nil
		case len(fields) != 3:
			return fault.Malformed(name, at, "has %d fields separated by tabs, expected query-id, corpus-id and score", len(fields))
		case n == 1 && fields[2] == "score":
			return nil
		}
		grade, err := strconv.Atoi(strings.TrimSpace(fields[2]))
		if err != nil {
			return fault.Malformed(name, at, "the score %q is no whole number", fields[2])
		}
		const most = 1 << 20 // far beyond any scale; sums of such grades are exact
		if grade > most {
			return fault.Malformed(name, at, "the score %d is beyond %d", grade, most)
		}
		q, known := s.queries[fields[0]]
		text, inCorpus := s.corpus[fields[1]]
		if !known || !inCorpus {
			s.Strays++
			return nil
		}
		if grade <= 0 {
			return nil
		}
		if s.Relevant[q] == nil {
			s.Relevant[q] = map[int]int{}
		}
		s.Relevant[q][text] = grade
		return nil
	})
}

// dropUnanswered leaves out queries without a relevant text.
func (s *RetrievalSet) dropUnanswered() {
	kept := 0
	for q, relevant := range s.Relevant {
		if len(relevant) > 0 {
			s.Queries[kept], s.QueryIDs[kept], s.Relevant[kept] = s.Queries[q], s.QueryIDs[q], relevant
			kept++
		}
	}
	s.Queries, s.QueryIDs, s.Relevant = s.Queries[:kept], s.QueryIDs[:kept], s.Relevant[:kept]
	s.queries = nil // the numbers changed
}

// First returns the part of s with its first n queries, and of the corpus the
// texts that answer one of them and the first others, up to n times as many texts
// as the corpus has for each query. It is s where it has no more queries.
// Searching less is easier: compare scores of equal parts only.
func (s *RetrievalSet) First(n int) *RetrievalSet {
	if n >= len(s.Queries) {
		return s
	}
	wanted := map[int]bool{}
	for _, relevant := range s.Relevant[:n] {
		for text := range relevant {
			wanted[text] = true
		}
	}
	others := n*len(s.Corpus)/len(s.Queries) - len(wanted)
	part := &RetrievalSet{QueryIDs: s.QueryIDs[:n], Queries: s.Queries[:n], self: map[int]int{}}
	numbers := map[int]int{} // in the part, of the texts of s
	for text := range s.Corpus {
		if !wanted[text] {
			if others <= 0 {
				continue
			}
			others--
		}
		numbers[text] = len(part.Corpus)
		part.Corpus, part.CorpusIDs = append(part.Corpus, s.Corpus[text]), append(part.CorpusIDs, s.CorpusIDs[text])
	}
	for q, relevant := range s.Relevant[:n] {
		renumbered := map[int]int{}
		for text, grade := range relevant {
			renumbered[numbers[text]] = grade
		}
		part.Relevant = append(part.Relevant, renumbered)
		if self, ok := s.self[q]; ok {
			if number, ok := numbers[self]; ok {
				part.self[q] = number
			}
		}
	}
	return part
}

// eachLine calls f with each line, without its end, and its number from 1.
func eachLine(name string, r io.Reader, f func(n int, line string) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := br.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if line == "" && err != nil {
			return nil
		}
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if !utf8.ValidString(line) {
			return fault.Malformed(name, fmt.Sprintf("line %d", n), "is not UTF-8")
		}
		if err := f(n, strings.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
}
