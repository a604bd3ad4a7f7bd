#!/bin/sh
# Converts checkpoints with gguftool and with llama.cpp's converter and compares
# the files byte for byte: parity.sh GGUFTOOL PYTHON LLAMA_CPP_DIR CHECKPOINT_DIR...
set -eu
gguftool=$1 python=$2 llama_cpp=$3
shift 3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
for checkpoint; do
    for type in f32 f16 bf16 q8_0 auto; do
        "$gguftool" convert "$checkpoint" --outtype "$type" -o "$scratch/ours.gguf" --force --quiet
        "$python" "$llama_cpp/convert_hf_to_gguf.py" "$checkpoint" --outtype "$type" --outfile "$scratch/reference.gguf" \
            >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
        if cmp "$scratch/ours.gguf" "$scratch/reference.gguf"; then
            echo "equal: $(basename "$checkpoint") $type, $(wc -c <"$scratch/ours.gguf") bytes"
        else
            failed=1
        fi
    done
done
exit $failed
