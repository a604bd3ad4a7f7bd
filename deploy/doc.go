// Package deploy writes bundles that run a packaged model behind Ollama servers:
// for Docker Compose, and for Kubernetes with Kustomize.
//
// A bundle is a folder with all that a cluster needs to be told:
//
//	package/            the model in the layout of an Ollama store: manifests/, blobs/
//	import.sh           copies it into the volume of a server and checks every digest
//	haproxy.cfg         the gateway: balances the servers that have the model, limits
//	                    the requests of a client, allows inference alone, counts for Prometheus
//	README.md           how to start, look, change and stop it
//	compose.yaml, prometheus.yml                        for Compose
//	kustomization.yaml, ollama.yaml, gateway.yaml,
//	Dockerfile                                          for Kubernetes
//
// The servers need no network: the model comes with the bundle, or in Kubernetes
// with an image that its Dockerfile builds of the same files.
package deploy
