//go:build browser

package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inspectorHTML shows pages in frames and judges them; see there.
//
//go:embed testdata/inspect.html
var inspectorHTML string

// TestInBrowser looks at sample pages with Chromium, which must be there, in the
// widths of telephones and screens, light and dark, and prints them.
func TestInBrowser(t *testing.T) {
	browser := findBrowser(t)
	dir := t.TempDir()
	pages := samplePages()
	names := slices.Sorted(maps.Keys(pages))
	for name, p := range pages {
		var b bytes.Buffer
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name+".html"), b.String())
	}
	for _, scheme := range []struct{ name, flag, background string }{
		{"light", "--blink-settings=preferredColorScheme=1", "rgb(245, 246, 248)"},
		{"dark", "--blink-settings=preferredColorScheme=0", "rgb(15, 19, 24)"},
	} {
		found, console := inspect(t, browser, dir, names, scheme.flag)
		for _, line := range console {
			t.Errorf("%s: the console says %s", scheme.name, line)
		}
		if len(found) != 4*len(names) {
			t.Errorf("%s: %d views, want 4 of each of %d pages", scheme.name, len(found), len(names))
		}
		for _, f := range found {
			at := fmt.Sprintf("%s, %d wide, %s", f.Page, f.Width, scheme.name)
			if f.Background != scheme.background || f.Charts == 0 || f.Texts < 20 {
				t.Errorf("%s: background %s, %d charts, %d texts", at, f.Background, f.Charts, f.Texts)
			}
			for _, p := range f.Problems {
				t.Errorf("%s: %s", at, p)
			}
		}
	}
	for _, name := range names {
		out := filepath.Join(dir, name+".pdf")
		run(t, browser, dir, "--no-pdf-header-footer", "--print-to-pdf="+out, "file://"+filepath.ToSlash(filepath.Join(dir, name+".html")))
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(regexp.MustCompile(`/Type /Page\b`).FindAll(data, -1)); n < 1 || n > 25 {
			t.Errorf("%s is printed on %d pages", name, n)
		}
	}
}

// A page that is wrong in every way is found to be.
func TestInspectorFindsProblems(t *testing.T) {
	browser, dir := findBrowser(t), t.TempDir()
	write(t, filepath.Join(dir, "bad.html"), `<!DOCTYPE html><body style="background: white"><div style="width: 3000px">wide</div>
		<img src="http://127.0.0.1:9/x.png"><script>missing()</script><p id="a" style="color: #ccc">pale</p><p id="a" aria-labelledby="b" style="font-size: 6px">tiny</p>
		<svg class="plot" viewBox="0 0 9000 100" width="900" height="10"><text x="10" y="90" font-size="90">one</text><text x="20" y="90" font-size="90">two</text>
		<circle class="mark" r="9" style="fill: #eee"/></svg>`)
	found, console := inspect(t, browser, dir, []string{"bad"})
	if len(found) != 4 || !slices.ContainsFunc(console, func(line string) bool { return strings.Contains(line, "missing is not defined") }) {
		t.Fatalf("%d views; the console says %q", len(found), console)
	}
	all := strings.Join(found[0].Problems, "\n")
	for _, want := range []string{"wide", "asks for http://127.0.0.1:9/x.png", "has scripts or images", "has an id twice", "labelled by b", `"pale" has a contrast of 1.`,
		`"tiny" is 6px large`, "drawn at 0.1", `"one" and "two" overlap`, "marks of mark have a contrast"} {
		if !strings.Contains(all, want) {
			t.Errorf("nobody says %q:\n%s", want, all)
		}
	}
}

// A view is what testdata/inspect.html says of a page at a width.
type view struct {
	Page, Background string
	Width            int
	Charts, Texts    int
	Problems         []string
}

// inspect looks at pages in dir, and also returns what the console says.
func inspect(t *testing.T, browser, dir string, names []string, flags ...string) (found []view, console []string) {
	t.Helper()
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "inspect.html")
	write(t, path, strings.Replace(inspectorHTML, "PAGES", string(list), 1))
	dom, log := run(t, browser, dir, append(flags, "--allow-file-access-from-files", "--virtual-time-budget=60000", "--dump-dom", "file://"+filepath.ToSlash(path))...)
	for line := range strings.Lines(log) {
		if strings.Contains(line, "CONSOLE") {
			console = append(console, line)
		}
	}
	result := regexp.MustCompile(`(?s)<pre id="result">(.*?)</pre>`).FindStringSubmatch(dom)
	if result == nil {
		t.Fatalf("the browser did not finish:\n%s", log)
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(result[1])), &found); err != nil {
		t.Fatalf("%v in %s", err, result[1])
	}
	return found, console
}

func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no chromium to look at pages with; install the package chromium")
	return ""
}

// run runs the browser.
func run(t *testing.T, browser, dir string, args ...string) (out, log string) {
	t.Helper()
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--enable-logging=stderr", "--v=0", "--window-size=1400,1000"}, args...)
	cmd := exec.CommandContext(t.Context(), browser, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, stderr.String())
	}
	return stdout.String(), stderr.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
