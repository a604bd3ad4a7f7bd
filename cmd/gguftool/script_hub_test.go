package main

import (
	"net/http"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gguftool/gguftool/internal/hubtest"
)

// hubKey finds the *hubtest.Hub of a script.
type hubKey struct{}

// setUpHub starts a hub for the commands of a script, which find it through
// HF_ENDPOINT, and their cache in $WORK/cache.
func setUpHub(env *testscript.Env) error {
	h := hubtest.New()
	env.Defer(h.Close)
	env.Values[hubKey{}] = h
	env.Setenv("HF_ENDPOINT", h.URL)
	env.Setenv("HF_HUB_CACHE", env.WorkDir+"/cache")
	return nil
}

// commandHub changes the hub:
//
//	hub serve MODEL BRANCH FOLDER   it has a model; $COMMIT is its commit
//	hub gate MODEL TOKEN            it gives a model to those with the token alone
//	hub break                       connections break in the middle of large files, all but those that go on from there
//	hub damage                      large files change on their way
//	hub repair                      neither any more
//	hub stop                        it is gone
func commandHub(ts *testscript.TestScript, neg bool, args []string) {
	h := ts.Value(hubKey{}).(*hubtest.Hub)
	words := map[string]int{"serve": 4, "gate": 3, "break": 1, "damage": 1, "repair": 1, "stop": 1}
	if neg || len(args) == 0 || words[args[0]] != len(args) {
		ts.Fatalf("usage: hub serve MODEL BRANCH FOLDER | hub gate MODEL TOKEN | hub break | hub damage | hub repair | hub stop")
	}
	switch args[0] {
	case "serve":
		_, commit, err := h.AddDir(args[1], args[2], ts.MkAbs(args[3]))
		ts.Check(err)
		ts.Setenv("COMMIT", commit)
	case "gate":
		h.Gate(args[1], args[2])
	case "break":
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if !cdn || r.Header.Get("Range") != "" {
				return false
			}
			data := h.Large(r.URL.Path[1:])
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			w.Write(data[:len(data)/2])
			panic(http.ErrAbortHandler)
		})
	case "damage":
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if cdn {
				w.Write(make([]byte, len(h.Large(r.URL.Path[1:]))))
			}
			return cdn
		})
	case "repair":
		h.Intercept(nil)
	case "stop":
		h.Close()
	}
}
