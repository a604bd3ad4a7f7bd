package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// defaultEndpoint is where the hub is.
const defaultEndpoint = "https://huggingface.co"

// FromEnvironment returns a client with the settings of the variables that
// huggingface_hub reads, the first one counting:
//
//	HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE       the cache; else hub in the home
//	HF_HOME                                   the home; else huggingface in the next
//	XDG_CACHE_HOME                            else .cache in the user's home
//	HF_TOKEN, HUGGING_FACE_HUB_TOKEN          the token; else it is read from a file
//	HF_TOKEN_PATH                             this file; else token in the home
//	HF_HUB_DISABLE_IMPLICIT_TOKEN             send no token
//	HF_ENDPOINT                               another server than https://huggingface.co
//	HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE      use the cache alone
//	HF_HUB_DISABLE_SYMLINKS                   no links in the cache
//
// Empty ones count as absent. Proxies come from HTTP_PROXY, HTTPS_PROXY and
// NO_PROXY.
func FromEnvironment() (*Client, error) {
	c := &Client{
		Endpoint: strings.TrimRight(variable(defaultEndpoint, "HF_ENDPOINT"), "/"),
		Offline:  isSet("HF_HUB_OFFLINE") || isSet("TRANSFORMERS_OFFLINE"),
		NoLinks:  isSet("HF_HUB_DISABLE_SYMLINKS"),
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("HF_ENDPOINT is %q, which is no address of a server; it should look like %s", c.Endpoint, defaultEndpoint)
	}
	home, homeErr := hubHome()
	if c.Cache = expand(variable("", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")); c.Cache == "" {
		if homeErr != nil {
			return nil, homeErr
		}
		c.Cache = filepath.Join(home, "hub")
	}
	// Errors name it, and the current folder may change.
	if c.Cache, err = filepath.Abs(c.Cache); err != nil {
		return nil, err
	}
	if isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN") || c.Offline {
		return c, nil
	}
	if err := c.readToken(home); err != nil {
		return nil, err
	}
	return c, nil
}

// hubHome returns the folder of the cache and the token.
func hubHome() (string, error) {
	if home := expand(variable("", "HF_HOME")); home != "" {
		return home, nil
	}
	if cache := expand(variable("", "XDG_CACHE_HOME")); cache != "" {
		return filepath.Join(cache, "huggingface"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for a cache: %w; name a folder in HF_HUB_CACHE", err)
	}
	return filepath.Join(user, ".cache", "huggingface"), nil
}

// maxTokenFile is far more than a token takes.
const maxTokenFile = 64 << 10

// readToken sets the token, if there is one.
func (c *Client) readToken(home string) error {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if value := os.Getenv(name); value != "" {
			return c.setToken(value, name)
		}
	}
	path := expand(variable("", "HF_TOKEN_PATH"))
	if path == "" {
		if home == "" {
			return nil
		}
		path = filepath.Join(home, "token")
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the token: %w; HF_TOKEN can hold it instead", err)
	}
	defer f.Close()
	data, err := readAtMost(f, maxTokenFile)
	if err != nil {
		return fmt.Errorf("the token in %s: %w; HF_TOKEN can hold it instead", path, err)
	}
	return c.setToken(string(data), path)
}

// setToken takes a token without the white space around it. from tells a person
// where it was found.
func (c *Client) setToken(token, from string) error {
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("the token in %s has a character that no token has; copy it again", from)
	}
	c.Token, c.tokenFrom = token, from
	return nil
}

// variable returns the first of the variables that is not empty, or fallback.
func variable(fallback string, names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return fallback
}

// isSet reports whether a variable says yes.
func isSet(name string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(os.Getenv(name)))
}

// expand replaces variables, as in $HOME, and ~ at the start of a path.
func expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/' || runtime.GOOS == "windows" && rest[0] == '\\') {
		if user, err := os.UserHomeDir(); err == nil {
			path = user + rest
		}
	}
	return os.Expand(path, func(name string) string {
		if value, ok := os.LookupEnv(name); ok {
			return value
		}
		return "$" + name
	})
}
