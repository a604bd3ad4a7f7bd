#!/bin/sh
# Runs tests for linux/arm64 under emulation: test-arm64.sh [PACKAGE...], all packages by default.
# The kernels run once more on a processor without dot products (SDOT, UDOT).
set -eu
cd "$(dirname "$0")/.."
if ! command -v qemu-aarch64 >/dev/null; then
    echo "test-arm64: qemu-aarch64 is missing; install QEMU's user mode (Debian, Ubuntu: apt-get install qemu-user)" >&2
    exit 1
fi
[ $# -gt 0 ] || set -- ./...

# on CPU PACKAGE...: tests on that model of a processor. Those that start programs read the variable.
on() {
    echo "arm64 under $(qemu-aarch64 --version | sed -n 1p), -cpu $1"
    GGUFTOOL_TEST_EMULATOR="qemu-aarch64 -cpu $1"
    export GGUFTOOL_TEST_EMULATOR
    shift
    GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go test -exec "$GGUFTOOL_TEST_EMULATOR" -timeout 30m "$@"
}

on max "$@"
on cortex-a53 ./kernels/cpu ./kernels/gemm ./kernels/vec
