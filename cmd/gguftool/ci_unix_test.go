//go:build unix

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
)

// elsewhere begins the steps of docs/ci.md that need a network or a program that is
// not there; a test cannot run them.
var elsewhere = []string{"go install ", "docker login ", "gguftool modelfile push ", "echo \"${{ secrets.", "test \"$CI_", "printf '{\"auths\""}

// TestContinuousIntegration runs the steps of the jobs in docs/ci.md.
func TestContinuousIntegration(t *testing.T) {
	text, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	jobs := map[string][]string{}
	for i, block := range yamlBlocks(string(text)) {
		var job map[string]any
		if err := yaml.Unmarshal([]byte(block), &job); err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
		switch {
		case job["jobs"] != nil:
			jobs["github"] = gitHubSteps(t, job)
		default:
			jobs["gitlab"] = gitLabSteps(t, job)
		}
	}
	if len(jobs) != 2 {
		t.Fatalf("docs/ci.md has jobs for %v", slices.Collect(maps.Keys(jobs)))
	}
	dir := t.TempDir()
	for name, steps := range jobs {
		var script, files strings.Builder
		script.WriteString("env OLLAMA_MODELS=$WORK/.store\nsynth checkpoint model 256\n")
		ran := 0
		for i, step := range steps {
			commands := runnable(step)
			if commands == "" {
				continue
			}
			ran++
			fmt.Fprintf(&script, "exec sh -e step%d.sh\n", i)
			fmt.Fprintf(&files, "-- step%d.sh --\n%s\n", i, commands)
		}
		if ran < 2 {
			t.Errorf("only %d steps of the job for %s can be run", ran, name)
		}
		script.WriteString("exists my-embed-q4.tar.zst build.json .cache/gguftool\ngrep '\"name\":\"my-embed:q4\"' build.json\n" +
			"exec gguftool modelfile import my-embed-q4.tar.zst --store other\n" +
			// A second run finds everything in the cache and makes the same.
			"rm my-embed-q4.tar.zst\n")
		for i, step := range steps {
			if runnable(step) != "" {
				fmt.Fprintf(&script, "exec sh -e step%d.sh\n", i)
			}
		}
		files.WriteString("-- Modelfile --\nFROM ./model\nPARAMETER num_ctx 64\n")
		if err := os.WriteFile(filepath.Join(dir, name+".txtar"), []byte(script.String()+"\n"+files.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"synth": synthesize},
	})
}

// yamlBlocks returns the blocks of a page that are marked as YAML.
func yamlBlocks(page string) (blocks []string) {
	for {
		_, rest, ok := strings.Cut(page, "```yaml\n")
		if !ok {
			return blocks
		}
		block, after, _ := strings.Cut(rest, "```\n")
		blocks, page = append(blocks, block), after
	}
}

// known fails for keys that a CI system does not have.
func known(t *testing.T, what string, m map[string]any, keys ...string) {
	t.Helper()
	for k := range m {
		if !slices.Contains(keys, k) {
			t.Errorf("%s has the key %q, which is unknown", what, k)
		}
	}
}

func gitHubSteps(t *testing.T, workflow map[string]any) (steps []string) {
	known(t, "the workflow", workflow, "name", "on", "permissions", "jobs", "env", "concurrency", "defaults", "run-name")
	for name, j := range workflow["jobs"].(map[string]any) {
		job := j.(map[string]any)
		known(t, name, job, "name", "runs-on", "env", "steps", "needs", "if", "permissions", "timeout-minutes", "strategy", "container", "services")
		if job["runs-on"] == nil {
			t.Errorf("%s does not say where it runs", name)
		}
		for _, s := range job["steps"].([]any) {
			step := s.(map[string]any)
			known(t, "a step", step, "name", "uses", "with", "run", "env", "if", "id", "shell", "working-directory", "continue-on-error", "timeout-minutes")
			if (step["uses"] == nil) == (step["run"] == nil) {
				t.Errorf("the step %v neither uses nor runs, or does both", step)
			}
			if run, ok := step["run"].(string); ok {
				steps = append(steps, run)
			}
		}
	}
	return steps
}

func gitLabSteps(t *testing.T, file map[string]any) (steps []string) {
	for name, j := range file {
		job := j.(map[string]any)
		known(t, name, job, "image", "rules", "variables", "cache", "before_script", "script", "after_script", "artifacts", "stage", "needs", "tags", "timeout")
		for _, part := range []string{"before_script", "script", "after_script"} {
			for _, line := range job[part].([]any) {
				steps = append(steps, line.(string))
			}
		}
	}
	return steps
}

// runnable returns the commands of a step without those that run elsewhere.
func runnable(step string) string {
	var lines []string
	for _, line := range strings.Split(strings.ReplaceAll(step, "\\\n", " "), "\n") {
		begins := func(s string) bool { return strings.HasPrefix(strings.TrimSpace(line), s) }
		if strings.TrimSpace(line) != "" && !slices.ContainsFunc(elsewhere, begins) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
