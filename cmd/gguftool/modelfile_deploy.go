package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/deploy"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/ollama/archive"
)

type modelfileDeployOptions struct {
	store          storeOptions
	target, output string
	force          bool
	replicas       int
	cpus           float64
	memory         string
	port, rate     int
	image          string
	namespace      string
}

func newModelfileDeploy(set *settings) *cobra.Command {
	var o modelfileDeployOptions
	d := deploy.Defaults("", "", 0)
	cmd := &cobra.Command{
		Use:   "deploy NAME --target compose|kubernetes -o FOLDER",
		Short: "Write a bundle that serves a model of Ollama's store",
		Long: `Deploy writes a folder with all that runs a model of the store behind Ollama servers:
for Docker Compose, or for Kubernetes with Kustomize. It holds the model itself, a
step that imports it with every digest checked, the servers with health checks and
limits, a gateway that balances them, limits the requests of a client and counts for
Prometheus, and a README.md that says how to start it.

A server gets the memory that the model needs, with a quarter to spare; --memory says
another amount.

` + storeHelp,
		Example: `  gguftool modelfile deploy embed:q4 --target compose -o embed
  gguftool modelfile deploy embed:q4 --target kubernetes -o embed --replicas 4 --cpus 8 --namespace search`,
		Args: exactly(1, "the name of a model"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.target, "target", "", "`WHAT` the bundle is for: compose or kubernetes")
	f.StringVarP(&o.output, "output", "o", "", "write to `FOLDER`")
	f.BoolVar(&o.force, "force", false, "replace a bundle that is there")
	f.IntVar(&o.replicas, "replicas", d.Replicas, "`N` servers")
	f.Float64Var(&o.cpus, "cpus", d.CPUs, "`N` processors for each server")
	f.StringVar(&o.memory, "memory", "", "`SIZE` of the memory of each server, as in 4G (default: what the model needs)")
	f.IntVar(&o.port, "port", d.Port, "`PORT` of the gateway")
	f.IntVar(&o.rate, "rate", d.Rate, "`N` requests per second of one client at most; 0: no limit")
	f.StringVar(&o.image, "image", d.Image, "`IMAGE` of the Ollama server")
	f.StringVar(&o.namespace, "namespace", "", "`NAMESPACE` of Kubernetes (default: that of kubectl)")
	o.store.addFlags(cmd)
	return cmd
}

func (o *modelfileDeployOptions) run(cmd *cobra.Command, set *settings, model string) error {
	target := deploy.Target(o.target)
	switch {
	case o.target == "":
		return usagef("say what the bundle is for: --target compose or --target kubernetes")
	case target != deploy.Compose && target != deploy.Kubernetes:
		return usagef("--target: unknown target %q; choose one of %s, %s", o.target, deploy.Compose, deploy.Kubernetes)
	case o.output == "":
		return usagef("name the folder of the bundle, as in -o bundle")
	case o.namespace != "" && target != deploy.Kubernetes:
		return usagef("--namespace is about Kubernetes")
	}
	s, names, err := o.store.find(model)
	if err != nil {
		return err
	}
	name := names[0]
	options, err := o.describe(s, name)
	if err != nil {
		return err
	}
	if err := options.Check(); err != nil {
		return usageError{err}
	}
	update, finish := newProgress(cmd.ErrOrStderr(), set, "packing")
	defer finish()
	err = deploy.Write(o.output, target, options, o.force, func(dir string) error {
		return archive.ExportFolder(cmd.Context(), s, name, dir, update)
	})
	finish()
	if err != nil || set.quiet {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s; %s/README.md says how to start it\n", texttable.Safe(o.output), texttable.Safe(o.output))
	return err
}

// describe returns what a bundle needs to know of a model.
func (o *modelfileDeployOptions) describe(s *ollama.Store, name ollama.Name) (*deploy.Options, error) {
	m, err := s.Read(name)
	if err != nil {
		return nil, err
	}
	manifest := strings.Join([]string{name.Host, name.Namespace, name.Model, name.Tag}, "/")
	d := deploy.Defaults(name.Short(), manifest, m.Manifest.Size())
	d.Replicas, d.CPUs, d.Port, d.Rate, d.Image, d.Namespace = o.replicas, o.cpus, o.port, o.rate, o.image, o.namespace
	if o.memory != "" {
		if d.Memory, err = parseSize(o.memory); err != nil {
			return nil, usagef("--memory: %w", err)
		}
	}
	layers := m.Manifest.Find(ollama.TypeModel)
	if len(layers) == 0 {
		return nil, fmt.Errorf("%s has no GGUF file that a server could run", name.Short())
	}
	contents, err := s.Contents(m)
	if err != nil {
		return nil, err
	}
	f, err := gguf.Open(s.BlobPath(layers[0].Digest))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, d.Embedding = f.Metadata.Lookup(f.Metadata.Architecture() + ".pooling_type")
	if !d.Embedding {
		d.WorkBytes += cacheBytes(f.Metadata, contextOf(contents))
	}
	return d, nil
}

// defaultContext is how many tokens Ollama gives a model that does not say it.
const defaultContext = 4096

// contextOf returns the tokens of a conversation that a server keeps.
func contextOf(c *ollama.Contents) int64 {
	if n, ok := c.Params["num_ctx"].(json.Number); ok {
		if tokens, err := n.Int64(); err == nil && tokens > 0 {
			return tokens
		}
	}
	return defaultContext
}

// cacheBytes returns the memory of keys and values of so many tokens, 16 bits each.
func cacheBytes(md *gguf.Metadata, tokens int64) int64 {
	number := func(name string) int64 {
		n, _ := md.Int(md.Architecture() + "." + name)
		return max(0, min(n, 1<<20))
	}
	heads := cmp.Or(number("attention.head_count"), 1)
	size := number("embedding_length") / heads
	keys := cmp.Or(number("attention.key_length"), size)
	values := cmp.Or(number("attention.value_length"), size)
	return 2 * tokens * number("block_count") * cmp.Or(number("attention.head_count_kv"), heads) * (keys + values)
}
