#!/bin/sh
# Converts checkpoints with gguftool and with llama.cpp's converter and compares
# the files byte for byte: parity.sh GGUFTOOL PYTHON LLAMA_CPP_DIR CHECKPOINT_DIR...
# First it makes the goldens of the tests again and compares them with those here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
gguftool=$1 python=$2 llama_cpp=$3
shift 3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

quietly() { # COMMAND...: shows what it prints only where it fails
    "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
}

cp -R "$here" "$scratch/testdata"
for script in golden options models; do
    quietly "$python" "$scratch/testdata/$script.py" "$llama_cpp"
done
rm -rf "$scratch/testdata/__pycache__"
if diff -r "$here" "$scratch/testdata"; then
    echo "equal: the goldens made again"
else
    failed=1
fi

printf '%s' '{"general.author": "An Author", "general.tags": null, "general.sampling.top_k": 5, "general.datasets": [{"name": "A"}]}' >"$scratch/keys.json"
for checkpoint; do
    name=$(basename "$checkpoint")
    while read -r options; do
        mkdir "$scratch/ours" "$scratch/theirs"
        quietly "$gguftool" convert "$checkpoint" $options -o "$scratch/ours/m.gguf" --quiet
        quietly "$python" "$llama_cpp/convert_hf_to_gguf.py" "$checkpoint" $options --outfile "$scratch/theirs/m.gguf"
        if diff -r "$scratch/ours" "$scratch/theirs"; then
            echo "equal: $name $options, $(cat "$scratch"/ours/* | wc -c) bytes in $(ls "$scratch/ours" | wc -l) files"
        else
            failed=1
        fi
        rm -r "$scratch/ours" "$scratch/theirs"
    done <<-END
		--outtype f32
		--outtype f16
		--outtype bf16
		--outtype q8_0
		--outtype auto
		--outtype q8_0 --split-max-tensors 30
		--outtype f16 --split-max-size 20M --no-tensor-first-split
		--outtype f32 --vocab-only
		--outtype q8_0 --metadata $scratch/keys.json --model-name Other
	END
done
exit $failed
