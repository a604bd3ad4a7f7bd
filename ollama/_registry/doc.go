// Package registry tests pushing and pulling against a real registry server, that of
// the distribution project, which Docker Hub, GitHub and GitLab build on. It is a
// module of its own, so that the server is no dependency of gguftool.
package registry
