// Package emulator lets tests that start programs of their own, most of all
// themselves once more, run under an emulator of another processor, such as
// qemu-aarch64 in user mode: the kernel cannot start these programs by
// themselves. Without an emulator the functions change nothing.
package emulator

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// command is the emulator and its arguments, divided by spaces, as given to
// "go test -exec"; scripts/test-arm64.sh sets the variable.
var command = strings.Fields(os.Getenv("GGUFTOOL_TEST_EMULATOR"))

// On reports whether the tests run under an emulator.
func On() bool { return len(command) > 0 }

// Command is exec.Command for a program that is built for the processor of the
// tests.
func Command(program string, args ...string) *exec.Cmd {
	words := append(append([]string{}, command...), program)
	words = append(words, args...)
	return exec.Command(words[0], words[1:]...)
}

// Shadow makes a program in PATH, built for the processor of the tests, one that
// can be started by its name as long as t runs: a shell script that starts the
// emulator takes its place.
func Shadow(t *testing.T, name string) {
	t.Helper()
	if !On() {
		return
	}
	program, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec %s '%s' \"$@\"\n", strings.Join(command, " "), program)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}
