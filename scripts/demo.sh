#!/bin/sh
# The whole path on a real model: demo.sh GGUFTOOL CACHE_DIR
set -eu
gguftool=$1
cache=$2
here=$(dirname "$0")
out=$cache/demo
mkdir -p "$out"

run() {
    { # to standard error, as some results go to files
        printf '\n$ gguftool'
        for arg; do
            case $arg in
            *' '*) printf ' "%s"' "$arg" ;;
            *) printf ' %s' "$arg" ;;
            esac
        done
        echo
    } >&2
    "$gguftool" "$@"
}

sh "$here/fetch-demo.sh" "$cache"
model=$cache/all-MiniLM-L6-v2
run convert "$model" -o "$out/minilm-f32.gguf" --force
run quantize Q4_K_M "$out/minilm-f32.gguf" "$out/minilm-q4_k_m.gguf" --force
run inspect "$out/minilm-q4_k_m.gguf"
run tokenize "$out/minilm-q4_k_m.gguf" "a quick brown fox"

cat >"$out/texts.txt" <<'TEXTS'
a quick brown fox
The fox jumped over the lazy dog.
How do I reset my password?
Steps to recover a forgotten login
Photosynthesis turns light into sugar.
TEXTS
run embed "$out/minilm-f32.gguf" --json --input "$out/texts.txt" >"$out/f32.json"
run embed "$out/minilm-q4_k_m.gguf" --json --input "$out/texts.txt" >"$out/q4_k_m.json"
echo
python3 "$here/compare-embeddings.py" "$out/f32.json" "$out/q4_k_m.json" "$out/texts.txt"
ls -l "$out"/*.gguf | awk '{ printf "%12d bytes  %s\n", $5, $NF }'
