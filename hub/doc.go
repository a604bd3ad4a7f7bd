// Package hub fetches models from the Hugging Face hub, or another server that
// speaks its API, into the cache that huggingface_hub, the Python library, uses
// too: what either has fetched, the other finds.
//
//	HF_HUB_CACHE/                           or HF_HOME/hub, or ~/.cache/huggingface/hub
//	  .locks/models--org--name/HASH.lock    held while a file is fetched
//	  models--org--name/
//	    refs/main                           the commit that the branch was last seen at
//	    trees/COMMIT.json                   paths, sizes and hashes of the files of a commit
//	    trees/COMMIT.gguftool.json          the same, where not all of them were fetched
//	    blobs/HASH                          the content of a file
//	    blobs/HASH.incomplete               the beginning of one
//	    snapshots/COMMIT/config.json        a link to ../../blobs/HASH
//
// A model is resolved to a commit first, and everything after that is asked for
// by commit. The listing of the commit gives each file's size and hash: the
// SHA-256 of files in large file storage, and the SHA-1 of a git blob for the
// others. A file gets its name in blobs when its bytes have this hash, whoever
// has sent them. So a beginning that was left behind is continued without asking
// whether the server still has the same file: if it were another one, the hash
// would not fit, and the file is fetched once more from its start.
//
// The token goes to the hub alone. Large files come from other hosts, to which
// the hub redirects, and these do not see it.
//
// Go libraries for this exist, but none that was found keeps to all of it.
// github.com/gomlx/go-huggingface v0.3.1, the one that uses the same cache, does
// not continue downloads, does not compare hashes, refuses redirects to other
// hosts, reads neither HF_HOME nor HF_HUB_CACHE, has no offline mode, and prints
// to standard output. So this package is small and has its own client;
// github.com/gofrs/flock provides the locks.
package hub
