#!/bin/sh
# Runs every fuzz target of the module for a time each: fuzz.sh TIME [PACKAGE...]
# Minimizing takes a second at most: it would else use up the time of targets that write files.
set -eu
time=$1
shift
[ $# -gt 0 ] || set -- ./...
for package in $(go list "$@"); do
    for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
        echo "$package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s "$package"
    done
done
