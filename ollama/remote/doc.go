// Package remote moves models between an Ollama store and registries that speak
// the distribution protocol of the Open Container Initiative, as those of Docker,
// GitHub, GitLab, Harbor and Ollama do. The protocol is that of oras-go.
//
// A transfer that was interrupted goes on where it stopped: pulled blobs in the
// middle, where the registry gives out ranges, pushed ones from the next blob on.
// A model appears in the store, and its manifest in the registry, when all of its
// blobs are there, checked by their digests.
package remote
