package hub

import (
	"cmp"
	"sync"
	"time"
)

// A Client fetches models into a cache. FromEnvironment makes one; its fields
// may be changed before it is used.
type Client struct {
	Endpoint  string // address of the hub, without a slash at its end
	Cache     string // an absolute path
	Token     string // sent to the hub alone; may be empty
	UserAgent string // "gguftool/VERSION", or what Go sends
	Offline   bool   // send nothing, use what the cache has
	NoLinks   bool   // put files instead of links into snapshots
	Parallel  int    // files to fetch at once; 0 is 4

	// Progress, if set, is called with the bytes of the model that are there and
	// that it has, never from two goroutines at once.
	Progress func(done, total int64)

	// Note, if set, is called with sentences that a person should see, maybe from
	// several goroutines at once.
	Note func(text string)

	tokenFrom string // where the token was found
	patience  patience
	requester requester
	once      sync.Once // for requester
}

// patience says how long a Client waits for what.
type patience struct {
	silence time.Duration // between two pieces of an answer
	first   time.Duration // before the second attempt; it doubles with each further one
	longest time.Duration // before an attempt
	asked   time.Duration // before an attempt, where the server says how long
	listing int           // attempts for an answer of the API
	file    int           // attempts for a file without a byte that is new
	lock    time.Duration // between two looks at a lock that another program holds
}

// usualPatience fits the hub, where limits hold for five minutes at most.
var usualPatience = patience{
	silence: time.Minute,
	first:   time.Second,
	longest: 30 * time.Second,
	asked:   6 * time.Minute,
	listing: 3,
	file:    6,
	lock:    200 * time.Millisecond,
}

const defaultParallel = 4

func (c *Client) note(text string) {
	if c.Note != nil {
		c.Note(text)
	}
}

// waits returns how long c waits.
func (c *Client) waits() patience {
	if c.patience == (patience{}) {
		return usualPatience
	}
	return c.patience
}

// tokenName tells a person which token is sent.
func (c *Client) tokenName() string { return cmp.Or(c.tokenFrom, "the client") }
