package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/ollama/remote"
)

// registryHelp is a part of the help of commands that talk to registries.
const registryHelp = `Credentials are those of docker login and podman login: DOCKER_CONFIG or
~/.docker/config.json with the helpers that it names, then REGISTRY_AUTH_FILE.
A registry on this machine, or one named as http://HOST/..., is talked to without
encryption; --plain-http does so with any.`

// remoteOptions say how a registry is talked to.
type remoteOptions struct {
	store storeOptions
	plain bool
}

func (o *remoteOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.plain, "plain-http", false, "talk to the registry without encryption")
	o.store.addFlags(cmd)
}

// transfer finds the store and the names of a model here and there, which are one
// where the second is not given, and calls do.
func (o *remoteOptions) transfer(cmd *cobra.Command, set *settings, what string, args []string, do func(s *ollama.Store, names []ollama.Name, r *remote.Options) error) error {
	s, err := o.store.open()
	if err != nil {
		return err
	}
	names, err := parseModelNames(args)
	if err != nil {
		return err
	}
	if len(names) == 1 {
		names = append(names, names[0])
	}
	update, finish := newProgress(cmd.ErrOrStderr(), set, what)
	defer finish()
	return do(s, names, &remote.Options{PlainHTTP: o.plain, UserAgent: "gguftool/" + strings.Trim(versionString(), "()"), Progress: update})
}

func newModelfilePush(set *settings) *cobra.Command {
	var o remoteOptions
	cmd := &cobra.Command{
		Use:   "push NAME [REMOTE-NAME]",
		Short: "Give a model of Ollama's store to a registry",
		Long: `Push gives a model of the store to a registry that speaks the distribution protocol,
as those of Docker, GitHub, GitLab and Harbor do. Its name says where it goes:
HOST/NAMESPACE/MODEL:TAG. What the registry has already is not sent, so that a push
that was interrupted does only the rest. "ollama pull" takes the model from there.

The registry of ollama.com takes models from "ollama push" alone.

` + registryHelp + "\n\n" + storeHelp,
		Example: `  gguftool modelfile push ghcr.io/me/embed:q4
  gguftool modelfile push embed:q4 localhost:5000/team/embed:q4`,
		Args: between(1, 2, "the name of a model, and perhaps its name in the registry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.transfer(cmd, set, "pushing", args, func(s *ollama.Store, names []ollama.Name, r *remote.Options) error {
				here, err := s.Find(names[0])
				if err != nil {
					return err
				}
				return remote.Push(cmd.Context(), s, here, names[1], r)
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}

func newModelfilePull(set *settings) *cobra.Command {
	var o remoteOptions
	cmd := &cobra.Command{
		Use:   "pull REMOTE-NAME [NAME]",
		Short: "Take a model of a registry into Ollama's store",
		Long: `Pull fetches a model from a registry into the store. What the store has already is
not fetched; a pull that was interrupted goes on in the middle of a file, where the
registry can. Every file is checked by its digest, and the model appears, in place of
one of that name, when all of them are there.

` + registryHelp + "\n\n" + storeHelp,
		Example: `  gguftool modelfile pull ghcr.io/me/embed:q4
  gguftool modelfile pull localhost:5000/team/embed:q4 embed:q4`,
		Args: between(1, 2, "the name of a model in a registry, and perhaps one for the store"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.transfer(cmd, set, "pulling", args, func(s *ollama.Store, names []ollama.Name, r *remote.Options) error {
				here := names[1]
				here.Scheme = ""
				here, err := s.Find(here)
				if err != nil {
					return err
				}
				return remote.Pull(cmd.Context(), s, names[0], here, r)
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}
