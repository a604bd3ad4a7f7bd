// Package ollama keeps models in the store of Ollama (version 0.24), so that an
// Ollama server on the same store lists and runs them. No server is needed.
//
//	<store>/blobs/sha256-<hex>                             content, named by its digest
//	<store>/manifests/<host>/<namespace>/<model>/<tag>     JSON: which blobs make the model
//	<store>/.gguftool/                                     locks, see below; Ollama never looks there
//
// The same input gets the same digests here as from "ollama create".
//
// # Order and locks
//
// A blob appears whole under its name or not at all, and a manifest is written
// after all that it refers to. So the store is valid at any moment, whenever a
// process is killed; what may be left is a blob that nothing refers to, and on
// systems other than Linux a temporary file.
//
// Between a blob and its manifest nothing refers to the blob, and whoever
// removes models must leave it alone. A Transaction therefore keeps a file with
// the digests that it uses, locked as long as its process lives:
//
//	.gguftool/gate        locked for moments: to note a digest, to write a manifest, to remove
//	.gguftool/<id>.lock   locked by a transaction as long as it lives
//	.gguftool/<id>.use    what it uses, a digest on each line
//
// Remove, under the gate, spares the digests in the files of living
// transactions, and clears away those of dead ones with their temporary files.
//
// An Ollama server knows nothing of this. When it starts it removes blobs that
// no manifest refers to and that are older than an hour by their time of
// modification, so a Transaction renews the time of every blob that it uses, and
// looks once more whether all are there when it writes the manifest.
package ollama
