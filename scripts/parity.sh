#!/bin/sh
# Compares gguftool with the reference programs on real models: parity.sh GGUFTOOL CACHE_DIR
# Fetches both into CACHE_DIR unless GGUFTOOL_PEERS and GGUFTOOL_MODELS name folders that hold them.
# Remakes the goldens too and fails when one differs. Takes about an hour on two cores, without the builds.
set -eu
[ $# -eq 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
gguftool=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cache=$2
peers=$(sh "$here/fetch-peers.sh" "$cache/peers")
python=$peers/venv/bin/python
bin=$peers/llama.cpp/build/bin
models=$(sh "$here/fetch-models.sh" "$cache/models" "$python")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
failed=

part() { # NAME COMMAND...: runs it and goes on when it fails
	echo "== $1"
	shift
	"$@" || failed=yes
}

part "convert" sh "$root/convert/testdata/parity.sh" "$gguftool" "$python" "$peers/llama.cpp" \
	"$models/all-MiniLM-L6-v2" "$models/MiniLM-wide"
for model in all-MiniLM-L6-v2 MiniLM-wide; do
	"$gguftool" convert --quiet "$models/$model" -o "$work/$model-f32.gguf"
done

# Our converter does not know Llama yet; the reference turns the file back into floats.
"$bin/llama-quantize" --allow-requantize "$models/SmolLM2-135M-Instruct.Q4_1.gguf" "$work/SmolLM2-135M-f32.gguf" F32 >/dev/null 2>&1
part "quantize" sh "$root/quantize/testdata/parity.sh" "$bin/llama-quantize" "$gguftool" "$python" \
	"$work/all-MiniLM-L6-v2-f32.gguf" "$work/MiniLM-wide-f32.gguf" "$work/SmolLM2-135M-f32.gguf"

part "split and merge" sh "$root/inspect/testdata/parity.sh" "$bin/llama-gguf-split" "$gguftool" \
	"$work/all-MiniLM-L6-v2-f32.gguf" "$work/MiniLM-wide-f32.gguf"

part "tokenize" "$python" "$root/tokenizer/testdata/parity.py" "$gguftool" "$work/all-MiniLM-L6-v2-f32.gguf" "$models/all-MiniLM-L6-v2"

for model in all-MiniLM-L6-v2 MiniLM-wide; do
	case $model in *wide) step=16 ;; *) step=1 ;; esac # of lengths
	"$bin/llama-quantize" "$work/$model-f32.gguf" "$work/$model-q4_k_m.gguf" Q4_K_M >/dev/null 2>&1
	part "embed $model" "$python" "$root/infer/testdata/parity.py" --gguftool "$gguftool" --checkpoint "$models/$model" \
		--f32 "$work/$model-f32.gguf" --quantized "$work/$model-q4_k_m.gguf" --llama-embedding "$bin/llama-embedding" \
		--text "$models/all-MiniLM-L6-v2/README.md" --step $step
done

[ -z "$failed" ] || { echo "parity does not hold"; exit 1; }
echo "parity holds"
