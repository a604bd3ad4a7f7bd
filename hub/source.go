package hub

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Scheme begins the name of a model on the hub.
const Scheme = "hf://"

// defaultRevision is the branch that a model has always.
const defaultRevision = "main"

// A Source names a model on the hub, and a version of it.
type Source struct {
	Model    string // "org/name", or "name" as of some old models
	Revision string // a branch, a tag, a commit, or a reference such as "refs/pr/1"
}

// IsSource reports whether arg is meant to be the name of a model on the hub.
func IsSource(arg string) bool { return strings.HasPrefix(arg, Scheme) }

// ParseSource reads hf://org/name[@revision]. hf://models/org/name is the same,
// and %2F may stand for a slash in the revision, as huggingface_hub writes it.
func ParseSource(arg string) (Source, error) {
	rest, ok := strings.CutPrefix(arg, Scheme)
	if !ok {
		return Source{}, fmt.Errorf("%q does not begin with %s", arg, Scheme)
	}
	model, revision, named := strings.Cut(rest, "@")
	model = strings.TrimPrefix(model, "models/")
	for _, other := range []string{"datasets/", "spaces/", "kernels/", "buckets/"} {
		if strings.HasPrefix(model, other) {
			return Source{}, fmt.Errorf("%s: it is in %s, which hold no models", arg, other)
		}
	}
	if err := checkModel(model); err != nil {
		return Source{}, fmt.Errorf("%s: %w", arg, err)
	}
	if !named {
		return Source{model, defaultRevision}, nil
	}
	revision = strings.NewReplacer("%2F", "/", "%2f", "/").Replace(revision)
	if err := checkRevision(revision); err != nil {
		return Source{}, fmt.Errorf("%s: %w", arg, err)
	}
	return Source{model, revision}, nil
}

// String returns the source as ParseSource reads it.
func (s Source) String() string {
	if s.Revision == defaultRevision {
		return Scheme + s.Model
	}
	return Scheme + s.Model + "@" + s.Revision
}

// Name returns the model's name without the organization.
func (s Source) Name() string { return path.Base(s.Model) }

// nameForm matches an organization or the name of a model.
var nameForm = regexp.MustCompile(`^[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?$`)

// checkModel holds names to the rules of the hub, which also make them safe as
// names of files: two dashes stand for the slash there.
func checkModel(model string) error {
	parts := strings.Split(model, "/")
	if len(parts) > 2 {
		return fmt.Errorf("it names a file or folder inside a model; the whole model is %s", Scheme+strings.Join(parts[:2], "/"))
	}
	for _, part := range parts {
		switch {
		case part == "":
			return fmt.Errorf("a part of the name is empty; it should look like %sorg/name", Scheme)
		case len(model) > 96:
			return fmt.Errorf("the name has %d characters, and 96 are allowed", len(model))
		case !nameForm.MatchString(part):
			return fmt.Errorf("%q has other characters than letters, digits, '-', '_' and '.', or one of '-' and '.' at an end", part)
		case strings.Contains(part, "--"), strings.Contains(part, ".."), strings.HasSuffix(part, ".git"):
			return fmt.Errorf("%q may not contain '--' or '..', or end in '.git'", part)
		}
	}
	return nil
}

// checkRevision holds revisions to the rules of git, which also make them safe
// as paths of files.
func checkRevision(revision string) error {
	bad := func(why string) error { return fmt.Errorf("the revision %q %s", revision, why) }
	switch {
	case revision == "":
		return fmt.Errorf("the revision after '@' is empty")
	case len(revision) > 200:
		return fmt.Errorf("the revision has %d bytes, and 200 are allowed", len(revision))
	case strings.ContainsFunc(revision, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\"<>|@`, r) }):
		return bad("has a character that git does not allow")
	case strings.Contains(revision, ".."):
		return bad("has two dots in a row")
	}
	for part := range strings.SplitSeq(revision, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock") {
			return bad(fmt.Sprintf("has a part %q, which git does not allow", part))
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(revision)) {
		return bad("is no name for a file on this system")
	}
	return nil
}

// commitForm matches a commit, which names the same files for ever.
var commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)
