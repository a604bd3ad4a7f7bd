package infer

import (
	"context"
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// EmbedOptions change what Embed returns. The zero value is the default.
type EmbedOptions struct {
	Pooling Pooling // instead of the model's
	Raw     bool    // do not scale vectors to length 1
	First   int     // index of the first text, where the batch is part of a list: for errors, Truncated and Watch

	// Truncated, when set, allows texts that are longer than the context: they
	// are cut to it, and Truncated is told of each, in order, before anything is
	// computed. As with Hugging Face tokenizers a text keeps its special tokens:
	// a closing token at the end stays at the end.
	Truncated func(text, from, to int)

	// Watch, when set, sees the inputs of all products, among them those of the
	// layers that follow pooling.
	Watch Watcher
}

// A TooLongError reports a text that does not fit the context of a model.
type TooLongError struct {
	Text   int // index in the batch, plus EmbedOptions.First
	Tokens int
	Limit  int
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("text %d has %d tokens, but the model takes at most %d; shorten or split it, or ask for truncation",
		e.Text, e.Tokens, e.Limit)
}

// An EmptyTextError reports a text without tokens, which has no vector: an empty
// one, where the model's tokenizer adds no special tokens.
type EmptyTextError struct {
	Text int // index in the batch, plus EmbedOptions.First
}

func (e *EmptyTextError) Error() string { return fmt.Sprintf("text %d has no tokens", e.Text) }

// Embed returns one vector of m.Dimensions() elements for each text of batch,
// which are token ids with the special tokens that the model expects. Where o is
// nil, the defaults hold.
//
// A text that is empty, has unknown ids or is too long is an error that names
// its index in the batch, and so is a vector that is not finite.
func (m *Model) Embed(ctx context.Context, batch [][]int32, o *EmbedOptions) ([][]float32, error) {
	if o == nil {
		o = new(EmbedOptions)
	}
	pooling, err := m.poolingOr(o.Pooling)
	if err != nil {
		return nil, err
	}
	texts, err := m.fit(batch, o)
	if err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(texts))
	embed := func(s *session, group []int, states gemm.View) error {
		pooled := m.pooled(s, pooling, states)
		for i, t := range group {
			vectors[t] = slices.Clone(pooled.Row(i))
			if !o.Raw {
				vec.Normalize(vectors[t])
			}
		}
		return nil
	}
	if err := m.eachGroup(ctx, texts, o.First, o.Watch, embed); err != nil {
		return nil, err
	}
	for t, v := range vectors {
		if vec.NotFinite(v) >= 0 {
			return nil, fmt.Errorf("the vector of text %d is not finite: the model's numbers overflow, or its token embeddings are damaged", o.First+t)
		}
	}
	return vectors, nil
}

// poolingOr returns p, or the pooling of the model where p is the default, if there
// are vectors with it.
func (m *Model) poolingOr(p Pooling) (Pooling, error) {
	if p == PoolingDefault {
		p = m.config.pooling
	}
	switch p {
	case PoolingMean, PoolingCLS, PoolingLast:
		return p, nil
	case poolingRank:
		return 0, fault.Unsupported(m.weights.tokens.file.Path, keyPart(m.config.arch+".pooling_type"), "choose a pooling to get vectors nevertheless",
			"the model ranks texts, it gives no vectors")
	}
	return 0, fmt.Errorf("unknown %v", p)
}

// pooled returns the vectors of texts, (texts, dimensions), from their final states.
func (m *Model) pooled(s *session, p Pooling, states gemm.View) gemm.View {
	vectors := buffer(&s.pooled[0], len(s.spans), m.config.width)
	for i, t := range s.spans {
		p.pool(vectors.Row(i), states.Part(t.from, t.to, 0, states.Cols))
	}
	return m.densely(s, vectors)
}

// convoyGroups is how many groups for each worker may be begun beyond the first
// that is not done, where texts are watched.
const convoyGroups = 4

// eachGroup passes texts through the layers in groups, several at once with a
// worker each, or one after the other with all workers. It calls f with the
// indices of a group in texts, which are numbered from first on for watch, and
// their final states, text after text as s.spans says.
func (m *Model) eachGroup(ctx context.Context, texts [][]int32, first int, watch Watcher, f func(s *session, group []int, states gemm.View) error) error {
	lengths := make([]int, len(texts))
	for t, ids := range texts {
		lengths[t] = len(ids)
	}
	ahead := len(texts)
	if watch != nil {
		ahead = convoyGroups * m.pool.Workers()
	}
	c := newConvoy(ahead)
	return m.divide(lengths, watch != nil, func(pool *cpu.Pool, i int, group []int) error {
		c.begin(i)
		defer c.end(i)
		return m.withSession(pool, func(s *session) error {
			return s.watched(watch, first, group, func() error {
				inputs := make([][]int32, len(group))
				for k, t := range group {
					inputs[k] = texts[t]
				}
				states, err := m.forward(ctx, s, inputs)
				if err != nil {
					return err
				}
				return f(s, group, states)
			})
		})
	})
}

// divide calls f for groups of texts of the given lengths, which plan makes, several
// at once with a worker each, or one after the other with all workers: those of the
// pool that f is given.
func (m *Model) divide(lengths []int, inOrder bool, f func(pool *cpu.Pool, i int, group []int) error) error {
	groups, apart := plan(lengths, m.pool.Workers(), inOrder)
	var outer, inner *cpu.Pool
	if apart {
		outer = m.pool
	} else {
		var end func()
		inner, end = m.pool.Awake()
		defer end()
	}
	return outer.Try(len(groups), func(_, i int) error { return f(inner, i, groups[i]) })
}

// withSession calls f with a session that nothing else uses.
func (m *Model) withSession(pool *cpu.Pool, f func(s *session) error) error {
	s, _ := m.sessions.Get().(*session)
	if s == nil {
		s = new(session)
	}
	defer m.sessions.Put(s)
	s.pool, s.observers, s.reached = pool, nil, nil
	return f(s)
}

// fit checks texts and cuts those that are too long where that is allowed.
func (m *Model) fit(batch [][]int32, o *EmbedOptions) (texts [][]int32, err error) {
	limit := m.config.context
	texts = slices.Clone(batch)
	for t, ids := range batch {
		if len(ids) == 0 {
			return nil, &EmptyTextError{o.First + t}
		}
		for i, id := range ids {
			if id < 0 || int(id) >= m.config.vocab {
				return nil, fmt.Errorf("text %d: token %d has id %d, but the model knows ids from 0 to %d", o.First+t, i, id, m.config.vocab-1)
			}
		}
		if len(ids) > limit {
			if o.Truncated == nil {
				return nil, &TooLongError{Text: o.First + t, Tokens: len(ids), Limit: limit}
			}
			texts[t] = slices.Clone(ids[:limit])
			if last := ids[len(ids)-1]; slices.Contains(m.closing, last) {
				texts[t][limit-1] = last
			}
			o.Truncated(o.First+t, len(ids), limit)
		}
	}
	return texts, nil
}

// An Encoder turns a text into token ids, with the special tokens that the
// model expects where special is set. Several goroutines may use it at once.
type Encoder interface {
	Encode(text string, special bool) []int32
}

// EmbedTexts is Embed for texts. It also returns how many tokens of each text
// the model saw.
func (m *Model) EmbedTexts(ctx context.Context, enc Encoder, texts []string, o *EmbedOptions) (vectors [][]float32, tokens []int, err error) {
	batch := make([][]int32, len(texts))
	m.pool.Each(len(texts), func(_, i int) { batch[i] = enc.Encode(texts[i], true) })
	vectors, err = m.Embed(ctx, batch, o)
	if err != nil {
		return nil, nil, err
	}
	for _, ids := range batch {
		tokens = append(tokens, min(len(ids), m.config.context))
	}
	return vectors, tokens, nil
}
