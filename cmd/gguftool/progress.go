package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// isTerminal reports whether w is shown to a person.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newProgress returns a function that shows how many of total bytes are done,
// and one that removes the bar. Both do nothing when w is no terminal or when
// the user asked for quiet.
func newProgress(w io.Writer, set *settings, what string) (update func(done, total int64), finish func()) {
	if set.quiet || !isTerminal(w) {
		return func(int64, int64) {}, func() {}
	}
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
			if bar == nil {
				bar = progressbar.NewOptions64(total,
					progressbar.OptionSetWriter(w),
					progressbar.OptionSetDescription(what),
					progressbar.OptionShowBytes(true),
					progressbar.OptionThrottle(100*time.Millisecond),
					progressbar.OptionClearOnFinish(),
				)
			}
			bar.Set64(done)
		}, func() {
			if bar != nil {
				bar.Finish()
			}
		}
}

// A counter is a bar that shows how many things are done. The zero value shows
// nothing.
type counter struct{ bar *progressbar.ProgressBar }

// newCounter returns a bar on w for total things, or an unknown number where
// total is negative, or one that shows nothing.
func newCounter(w io.Writer, show bool, what string, total int) *counter {
	if !show {
		return new(counter)
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionClearOnFinish(),
	}
	if total >= 0 {
		options = append(options, progressbar.OptionShowCount())
	}
	return &counter{progressbar.NewOptions(total, options...)}
}

// update shows that done things are done, and what is going on.
func (c *counter) update(done int, what string) {
	if c.bar != nil {
		c.bar.Describe(what)
		c.bar.Set(done)
	}
}

// clear makes room for a message.
func (c *counter) clear() {
	if c.bar != nil {
		c.bar.Clear()
	}
}

// finish removes the bar.
func (c *counter) finish() {
	if c.bar != nil {
		c.bar.Finish()
		c.bar = nil
	}
}

// stages shows a bar for each of several stages, one after the other.
type stages struct {
	w     io.Writer
	show  bool
	stage string
	bar   *counter
}

// update shows how many things of a stage are done.
func (c *stages) update(stage string, done, total int) {
	if stage != c.stage {
		c.finish()
		c.stage, c.bar = stage, newCounter(c.w, c.show, stage, total)
	}
	c.bar.update(done, stage)
}

// finish removes the bar.
func (c *stages) finish() {
	if c.bar != nil {
		c.bar.finish()
	}
}
