package schemas

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/gguftool/gguftool/deploy"
)

// bundles are the options that change what templates give.
func bundles() map[string]*deploy.Options {
	const manifest = "registry.ollama.ai/library/my-embed/q4"
	encoder := deploy.Defaults("my-embed:q4", manifest, 24<<20)
	encoder.Embedding = true
	decoder := deploy.Defaults("host.example/team/chat:8b", "host.example/team/chat/8b", 5<<30)
	decoder.Replicas, decoder.CPUs, decoder.Rate, decoder.Namespace = 5, 0.25, 0, "models"
	large := deploy.Defaults("chat:8b", "registry.ollama.ai/library/chat/8b", 5<<30)
	large.Memory, large.CPUs, large.Port = 64<<30, 31.5, 80
	return map[string]*deploy.Options{"encoder": encoder, "decoder": decoder, "large": large}
}

// write makes the folder of a bundle.
func write(t *testing.T, target deploy.Target, o *deploy.Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	err := deploy.Write(dir, target, o, false, func(dir string) error {
		at := filepath.Join(dir, "manifests", filepath.FromSlash(o.Manifest))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		return os.WriteFile(at, []byte("{}"), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCompose(t *testing.T) {
	for name, o := range bundles() {
		t.Run(name, func(t *testing.T) {
			dir := write(t, deploy.Compose, o)
			options, err := cli.NewProjectOptions([]string{filepath.Join(dir, "compose.yaml")}, cli.WithProfiles([]string{"metrics"}))
			if err != nil {
				t.Fatal(err)
			}
			// The loader validates against the schema of the specification.
			project, err := options.LoadProject(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			servers := project.Services["ollama"]
			if servers.Deploy == nil || servers.Deploy.Replicas == nil || *servers.Deploy.Replicas != o.Replicas {
				t.Errorf("replicas: %+v", servers.Deploy)
			}
			limit := servers.Deploy.Resources.Limits
			if float64(limit.NanoCPUs) < o.CPUs*0.99 || int64(limit.MemoryBytes) < o.ModelBytes || o.Memory > 0 && int64(limit.MemoryBytes) != o.Memory {
				t.Errorf("limits: %+v", limit)
			}
			if servers.HealthCheck == nil || servers.DependsOn["import"].Condition != types.ServiceConditionCompletedSuccessfully {
				t.Errorf("a server has the health check %v and depends on %v", servers.HealthCheck, servers.DependsOn)
			}
			for _, service := range project.Services {
				for _, volume := range service.Volumes {
					if volume.Type != types.VolumeTypeBind {
						continue
					}
					if _, err := os.Stat(volume.Source); err != nil {
						t.Errorf("%s mounts what the bundle does not have: %v", service.Name, err)
					}
				}
			}
		})
	}
}

// TestComposeSchemaFails makes sure that the loader refuses what the schema does not have.
func TestComposeSchemaFails(t *testing.T) {
	path := filepath.Join(write(t, deploy.Compose, bundles()["encoder"]), "compose.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "\nservises: {}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := options.LoadProject(context.Background()); err == nil {
		t.Error("a misspelt key was not refused")
	}
}
