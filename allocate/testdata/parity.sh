#!/bin/sh
# Gives recipes of types that were chosen by measured loss to llama-quantize, and compares the tensors:
#   parity.sh LLAMA_QUANTIZE GGUFTOOL PYTHON TEXT MODEL.gguf...
# PYTHON has the packages numpy and gguf. The models are F32. llama-quantize keeps position embeddings.
set -eu
[ $# -ge 5 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
llama_quantize=$1
gguftool=$2
python=$3
text=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

for model in "$@"; do
	"$gguftool" imatrix "$model" --text "$text" -o "$work/imatrix.gguf" --force --quiet --chunks 100 --mode texts
	for like in Q2_K Q4_K_M; do
		"$gguftool" quantize AUTO --target-like $like --text "$text" --imatrix "$work/imatrix.gguf" --recipe "$work/recipe.txt" \
			"$model" "$work/auto.gguf" --force --quiet --state "$work/$(basename "$model").state"
		"$llama_quantize" --imatrix "$work/imatrix.gguf" --tensor-type-file "$work/recipe.txt" \
			"$model" "$work/llama.gguf" $like >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
		"$python" - "$work/auto.gguf" "$work/llama.gguf" <<'PYTHON'
import sys

import numpy as np
from gguf import GGUFReader

ours, theirs = ({t.name: t for t in GGUFReader(path).tensors} for path in sys.argv[1:])
different = [name for name, t in ours.items()
             if name != "position_embd.weight"
             and (t.tensor_type != theirs[name].tensor_type or not np.array_equal(t.data, theirs[name].data))]
if different or len(ours) != len(theirs):
    sys.exit(f"{len(different)} tensors differ: {different[:5]}")
PYTHON
		echo "$(basename "$model"), the size of $like: the recipe makes the same tensors"
	done
done
