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
peers=$(sh "$here/fetch-peers.sh" "$cache/peers" python llamacpp ollama)
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
	"$models/all-MiniLM-L6-v2" "$models/MiniLM-wide" "$models/SmolLM2-135M-Instruct" "$models/gemma-3-270m"
for model in all-MiniLM-L6-v2 MiniLM-wide SmolLM2-135M-Instruct gemma-3-270m; do
	"$gguftool" convert --quiet "$models/$model" -o "$work/$model-f32.gguf"
done

part "quantize" sh "$root/quantize/testdata/parity.sh" "$bin/llama-quantize" "$gguftool" "$python" \
	"$work/all-MiniLM-L6-v2-f32.gguf" "$work/MiniLM-wide-f32.gguf" "$work/SmolLM2-135M-Instruct-f32.gguf"

part "types by measured loss" sh "$root/allocate/testdata/parity.sh" "$bin/llama-quantize" "$gguftool" "$python" \
	"$root/bench/evaluation.txt" "$work/all-MiniLM-L6-v2-f32.gguf" "$work/MiniLM-wide-f32.gguf"

part "split and merge" sh "$root/inspect/testdata/parity.sh" "$bin/llama-gguf-split" "$gguftool" \
	"$work/all-MiniLM-L6-v2-f32.gguf" "$work/MiniLM-wide-f32.gguf"

part "hub" "$python" "$root/hub/testdata/parity.py" "$gguftool" "$models/all-MiniLM-L6-v2"

part "tokenize" "$python" "$root/tokenizer/testdata/parity.py" "$gguftool" "$work/all-MiniLM-L6-v2-f32.gguf" "$models/all-MiniLM-L6-v2"

sentence() { # remakes the goldens of tokenizers of SentencePiece
	mkdir "$work/sentence"
	"$python" "$root/tokenizer/testdata/sentence.py" "$peers/llama.cpp" "$work/sentence" || return
	for file in sentence.txtar.gz sentence.jsonl.gz; do
		cmp "$work/sentence/$file" "$root/tokenizer/testdata/$file" || return
	done
}
part "tokenizer goldens" sentence

for model in all-MiniLM-L6-v2 MiniLM-wide; do
	case $model in *wide) step=16 ;; *) step=1 ;; esac # of lengths
	"$bin/llama-quantize" "$work/$model-f32.gguf" "$work/$model-q4_k_m.gguf" Q4_K_M >/dev/null 2>&1
	part "embed $model" "$python" "$root/infer/testdata/parity.py" --gguftool "$gguftool" --checkpoint "$models/$model" \
		--f32 "$work/$model-f32.gguf" --quantized "$work/$model-q4_k_m.gguf" --llama-embedding "$bin/llama-embedding" \
		--text "$models/all-MiniLM-L6-v2/README.md" --step $step
done

# Text that people wrote, long enough for some dozen chunks.
cat "$models/all-MiniLM-L6-v2/README.md" "$root/README.md" "$root"/docs/*.md >"$work/text.txt"
(cd "$root" && CGO_ENABLED=0 "${GO:-go}" build -o "$work/logits" ./scripts/logits)
for model in SmolLM2-135M-Instruct gemma-3-270m; do
	part "logits $model" "$python" "$root/infer/testdata/parity_logits.py" --logits "$work/logits" \
		--checkpoint "$models/$model" --f32 "$work/$model-f32.gguf" --text "$work/text.txt"
	part "perplexity $model" "$python" "$root/bench/testdata/parity.py" --gguftool "$gguftool" \
		--llama-perplexity "$bin/llama-perplexity" --text "$work/text.txt" "$work/$model-f32.gguf"
done
part "perplexity of a small decoder" "$python" "$root/bench/testdata/golden.py" "$bin" --compare
part "figures of fidelity" "$python" "$root/bench/testdata/metrics.py" --compare
part "labelled texts" "$python" "$root/bench/testdata/labelled.py" --gguftool "$gguftool" \
	--checkpoint "$models/all-MiniLM-L6-v2" --f32 "$work/all-MiniLM-L6-v2-f32.gguf" \
	--beir "$models/wordnet/beir" --sts "$models/wordnet/sts.tsv" --expect ndcg_10=0.1652,recall_10=0.257,spearman=0.7465

importance() { # KIND ARGUMENT...
	part "importance: $*" "$python" "$root/imatrix/testdata/parity.py" "$@"
}
importance golden "$bin/llama-imatrix"
same_statistics() {
	"$python" "$root/imatrix/testdata/statistics.py" "$bin/llama-imatrix" "$work/statistics" &&
		diff -r "$root/imatrix/testdata/statistics" "$work/statistics"
}
part "importance: statistics" same_statistics
for model in all-MiniLM-L6-v2 MiniLM-wide; do
	importance encoder "$gguftool" "$bin" "$work/$model-f32.gguf" "$models/wordnet/calibration.txt"
done
importance decoder "$gguftool" "$bin" "$work/SmolLM2-135M-Instruct-f32.gguf" "$models/wordnet/calibration.txt"

templates() { # chat templates and Modelfiles: transformers and Ollama's own code, whose module is fetched
	"$python" "$root/internal/jinja/testdata/golden.py" | cmp - "$root/internal/jinja/testdata/golden.json" &&
		"$python" "$root/chattemplate/testdata/golden.py" | cmp - "$root/chattemplate/testdata/golden.json" &&
		"$python" "$root/chattemplate/testdata/golden.py" "$peers"/llama.cpp/models/templates/*.jinja >"$work/prompts.json" || return
	(
		cd "$root/scripts/_ollama" || return
		go=${GO:-go}
		"$go" run . golden "$root/modelfile/testdata/cases.txt" | cmp - "$root/modelfile/testdata/ollama.json" &&
			"$go" run . random 400000 && "$go" run . rendered "$work/prompts.json" &&
			"$go" run . prompts "$peers"/llama.cpp/models/templates/*.jinja
	)
}
part "Modelfiles and chat templates" templates

part "store of Ollama" "$python" "$root/ollama/testdata/golden.py" "$peers/ollama/ollama" --compare
part "store of Ollama: real models" "$python" "$root/ollama/testdata/parity.py" "$peers/ollama/ollama" "$gguftool" \
	"$work/all-MiniLM-L6-v2-f32.gguf" "$work/all-MiniLM-L6-v2-q4_k_m.gguf" "$work/SmolLM2-135M-Instruct-f32.gguf"

[ -z "$failed" ] || { echo "parity does not hold"; exit 1; }
echo "parity holds"
