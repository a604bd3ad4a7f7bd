package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/ollama"
)

type modelfileCopyOptions struct {
	store storeOptions
	force bool
}

func newModelfileCopy(set *settings) *cobra.Command {
	var o modelfileCopyOptions
	cmd := &cobra.Command{
		Use:     "copy NAME NEW-NAME",
		Aliases: []string{"cp"},
		Short:   "Give a model in Ollama's store a second name",
		Long: `Copy gives a model in the store another name too. Both names stand for the same
blobs, so no space is taken; removing one of them leaves the other as it is.

` + storeHelp,
		Example: `  gguftool modelfile copy embed:q4 embed:latest --force`,
		Args:    exactly(2, "the name of a model and a new name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, names, err := o.store.find(args...)
			if err != nil {
				return err
			}
			if err := s.Copy(cmd.Context(), names[0], names[1], o.force); err != nil || set.quiet {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s too\n", names[0].Short(), names[1].Short())
			return err
		},
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "replace a model of the new name")
	o.store.addFlags(cmd)
	return cmd
}

type modelfileRemoveOptions struct {
	store storeOptions
}

func newModelfileRemove(set *settings) *cobra.Command {
	var o modelfileRemoveOptions
	cmd := &cobra.Command{
		Use:     "remove NAME...",
		Aliases: []string{"rm"},
		Short:   "Remove models from Ollama's store",
		Long: `Remove removes models from the store, and the blobs that no other model refers to.
Those of a model that is being created meanwhile stay. Where there is a manifest
that cannot be read, no blobs are removed, as it may refer to any of them.

` + storeHelp,
		Example: `  gguftool modelfile remove embed:q4 embed:q8`,
		Args:    between(1, -1, "names of models"),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args) },
	}
	o.store.addFlags(cmd)
	return cmd
}

func (o *modelfileRemoveOptions) run(cmd *cobra.Command, set *settings, args []string) error {
	s, names, err := o.store.find(args...)
	if err != nil {
		return err
	}
	var failed []error
	for _, n := range names {
		r, err := s.Remove(cmd.Context(), n)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for _, bad := range r.Kept {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: blobs of %s stay, as a manifest cannot be read: %s\n", n.Short(), texttable.Safe(bad.Err.Error()))
		}
		if !set.quiet {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "removed %s: %s bytes in %d blobs\n", n.Short(), texttable.Grouped(r.Bytes), r.Blobs); err != nil {
				return err
			}
		}
	}
	return errors.Join(failed...)
}

type modelfileVerifyOptions struct {
	store storeOptions
	json  bool
}

func newModelfileVerify(set *settings) *cobra.Command {
	var o modelfileVerifyOptions
	cmd := &cobra.Command{
		Use:   "verify [NAME...]",
		Short: "Check the models in Ollama's store",
		Long: `Verify checks models in the store, without names all of them: that each manifest and
config can be read, that every blob that one refers to is there with the size that it
says, and that the content has the digest that is its name. What does not hold is
listed, and the exit code is 5.

Without names it also tells which blobs belong to no model, and which files were
never completed. They are no problems: an Ollama server removes them when it starts.

` + storeHelp,
		Example: `  gguftool modelfile verify
  gguftool modelfile verify --json embed:q4`,
		Args: between(0, -1, "names of models"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	o.store.addFlags(cmd)
	return cmd
}

func (o *modelfileVerifyOptions) run(cmd *cobra.Command, set *settings, args []string) error {
	s, names, err := o.store.find(args...)
	if err != nil {
		return err
	}
	update, finish := newProgress(cmd.ErrOrStderr(), set, "verifying")
	v, err := s.Verify(cmd.Context(), update, names...)
	finish()
	if err != nil {
		return err
	}
	if err := o.print(cmd.OutOrStdout(), set, s, v); err != nil {
		return err
	}
	return v.Err()
}

// A verificationReport is what verify --json prints.
type verificationReport struct {
	Store    string          `json:"store"`
	Models   int             `json:"models"`
	Blobs    int             `json:"blobs"` // that are right
	Bytes    int64           `json:"bytes"` // of them
	Problems []string        `json:"problems"`
	Orphans  []ollama.Digest `json:"orphans"`   // blobs of no model
	Leftover []string        `json:"leftovers"` // files that were never completed
}

func (o *modelfileVerifyOptions) print(w io.Writer, set *settings, s *ollama.Store, v *ollama.Verification) error {
	r := verificationReport{s.Dir, v.Models, v.Blobs, v.Bytes, []string{}, []ollama.Digest{}, append([]string{}, v.Leftover...)}
	for _, p := range v.Problems {
		r.Problems = append(r.Problems, p.Error())
	}
	for _, l := range v.Orphans {
		r.Orphans = append(r.Orphans, l.Digest)
	}
	if o.json {
		return json.NewEncoder(w).Encode(r)
	}
	out := &printer{w: w}
	for _, p := range r.Problems {
		out.printf("problem: %s\n", texttable.Safe(p))
	}
	if !set.quiet {
		for _, d := range r.Orphans {
			out.printf("belongs to no model: %s\n", s.BlobPath(d))
		}
		for _, path := range r.Leftover {
			out.printf("never completed: %s\n", texttable.Safe(path))
		}
		out.printf("%d models, %d blobs with %s bytes are right, %d problems\n", r.Models, r.Blobs, texttable.Grouped(r.Bytes), len(r.Problems))
	}
	return out.err
}

// A printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
