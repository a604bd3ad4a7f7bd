// Package archive moves models of an Ollama store as files.
//
// An archive is a tar file in zstd frames. Its first entry is the manifest, which
// says what follows: every blob once, in the manifest's order.
//
//	manifests/registry.ollama.ai/library/my-embed/q4
//	blobs/sha256-46555631...                              the configuration
//	blobs/sha256-d7789a32...                              the layers
//
// Owners, times and permissions are the same in every archive, and the manifest is
// as Portable makes it, so that the same model gives the same bytes everywhere.
// Who has no other tool unpacks it right into a store with tar and zstd.
//
// The other form is the image layout of the Open Container Initiative, a folder or
// a tar file of it, which registries' tools read:
//
//	oci-layout  index.json  blobs/sha256/46555631...
//
// Nothing in what is imported is trusted: names must be those above, every blob
// must have the size and the digest that the manifest says, and nothing is written
// but blobs and, when all of them are there, the manifest.
package archive
