// Package schemas tests bundles against the published schemas of what reads them:
// the Compose specification through its own loader, and the OpenAPI schema of
// Kubernetes and Kustomize. It is a module of its own, so that their libraries
// are no dependencies of gguftool.
package schemas
