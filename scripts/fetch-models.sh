#!/bin/sh
# Fetches the models of the comparisons and prints the folder that holds them:
# $GGUFTOOL_MODELS if set, DIR otherwise. What is there already is kept.
#   fetch-models.sh DIR PYTHON
# FOLDER/all-MiniLM-L6-v2  384 columns: no K-quant fits its rows
# FOLDER/MiniLM-wide       the same function 768 columns wide: every K-quant fits (made by widen.py)
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
(cd "$dir" && pwd)
