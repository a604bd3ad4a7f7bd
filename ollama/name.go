package ollama

import (
	"fmt"
	"runtime"
	"strings"
)

// What a name means where it does not say.
const (
	DefaultHost      = "registry.ollama.ai"
	DefaultNamespace = "library"
	DefaultTag       = "latest"
)

// A Name names a model: host/namespace/model:tag.
type Name struct {
	Scheme                      string // of the host's address, "" for https
	Host, Namespace, Model, Tag string
}

// ParseName reads a name, of which only the model is needed:
//
//	embed                        registry.ollama.ai/library/embed:latest
//	embed:q4                     registry.ollama.ai/library/embed:q4
//	me/embed                     registry.ollama.ai/me/embed:latest
//	localhost:5000/me/embed:q4
//	http://localhost:5000/me/embed
//
// Parts are of letters, digits, "_", "-" and "." ("." not in a namespace, ":"
// only in a host) and start with a letter, a digit or "_". A part has at most 80
// bytes, a host 350.
func ParseName(s string) (Name, error) {
	n := Name{Host: DefaultHost, Namespace: DefaultNamespace, Tag: DefaultTag}
	rest := s
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		if scheme != "http" && scheme != "https" {
			return Name{}, fmt.Errorf("the name %s starts with %s; only http and https address a registry", quoted(s), quoted(scheme+"://"))
		}
		if strings.Count(after, "/") != 2 {
			return Name{}, fmt.Errorf("the name %s has no host, namespace and model behind %s://", quoted(s), scheme)
		}
		n.Scheme, rest = scheme, after
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, n.Tag = rest[:i], rest[i+1:]
	}
	switch parts := strings.Split(rest, "/"); len(parts) {
	case 1:
		n.Model = parts[0]
	case 2:
		n.Namespace, n.Model = parts[0], parts[1]
	case 3:
		n.Host, n.Namespace, n.Model = parts[0], parts[1], parts[2]
	default:
		return Name{}, fmt.Errorf("the name %s has more parts than host/namespace/model:tag", quoted(s))
	}
	if err := n.check(); err != nil {
		return Name{}, fmt.Errorf("the name %s: %w", quoted(s), err)
	}
	return n, nil
}

// check returns what is wrong with n.
func (n Name) check() error {
	for _, p := range []struct {
		what, text, marks string
		most              int
	}{
		{"host", n.Host, "-_.:", 350},
		{"namespace", n.Namespace, "-_", 80},
		{"model", n.Model, "-_.", 80},
		{"tag", n.Tag, "-_.", 80},
	} {
		switch {
		case p.text == "":
			return fmt.Errorf("the %s is empty", p.what)
		case len(p.text) > p.most:
			return fmt.Errorf("the %s has %d bytes, more than %d", p.what, len(p.text), p.most)
		case p.text[0] != '_' && !isAlphanumeric(p.text[0]):
			return fmt.Errorf("the %s %s does not start with a letter, a digit or _", p.what, quoted(p.text))
		}
		for i := range len(p.text) {
			if c := p.text[i]; !isAlphanumeric(c) && strings.IndexByte(p.marks, c) < 0 {
				return fmt.Errorf("the %s %s has %q; allowed are letters, digits and %s", p.what, quoted(p.text), c, strings.Join(strings.Split(p.marks, ""), " "))
			}
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// quoted shows text of others in a message.
func quoted(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// String returns all parts of the name, without the scheme.
func (n Name) String() string {
	return n.Host + "/" + n.Namespace + "/" + n.Model + ":" + n.Tag
}

// Short returns the name as Ollama lists it: without a host and namespace that
// are the default, and always with the tag.
func (n Name) Short() string {
	switch {
	case !strings.EqualFold(n.Host, DefaultHost):
		return n.String()
	case !strings.EqualFold(n.Namespace, DefaultNamespace):
		return n.Namespace + "/" + n.Model + ":" + n.Tag
	}
	return n.Model + ":" + n.Tag
}

// parts are the folders and the file of the manifest.
func (n Name) parts() []string { return []string{n.Host, n.Namespace, n.Model, n.Tag} }

// checkStorable refuses a name that cannot be a path here.
func (n Name) checkStorable() error {
	if runtime.GOOS == "windows" && strings.Contains(n.Host, ":") {
		return fmt.Errorf("the host %s has a port, and Windows allows no : in the name of a folder", n.Host)
	}
	return nil
}
