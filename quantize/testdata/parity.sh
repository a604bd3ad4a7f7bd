#!/bin/sh
# Compares what gguftool and llama-quantize write, byte for byte, over types, options and importance files:
#   parity.sh LLAMA_QUANTIZE GGUFTOOL PYTHON MODEL.gguf...
# PYTHON has the packages numpy and gguf. The models are F32. The first one is quantized to every type with every
# option and importance file, the others to every type with every importance file and to some with every option.
set -eu
[ $# -ge 4 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
start=$PWD
absolute() { case $1 in /*) echo "$1" ;; *) echo "$start/$1" ;; esac; }
llama_quantize=$(absolute "$1")
gguftool=$(absolute "$2")
python=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

types="F32 F16 BF16 Q8_0 Q6_K Q5_1 Q5_K_M Q5_K_S Q5_0 Q4_1 Q4_K_M Q4_K_S Q4_0 Q3_K_L Q3_K_M Q3_K_S Q2_K Q2_K_S IQ3_M IQ3_S IQ3_XS IQ3_XXS IQ2_M IQ2_S IQ2_XS IQ2_XXS IQ1_M IQ1_S IQ4_NL IQ4_XS MXFP4_MOE TQ1_0 TQ2_0 Q1_0 Q2_0 COPY"
some="Q4_K_M Q3_K_M"

# needy are the types that are refused where a weight has no importance. The importance files leave one weight out.
needy=" Q2_K_S IQ3_XS IQ3_XXS IQ2_M IQ2_S IQ2_XS IQ2_XXS IQ1_M IQ1_S "
needs_importance() { case "$needy" in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# plan prints one comparison a line: input, type, options.
plan() {
	input=$1
	for type in $2; do
		for importance in "" "--imatrix imatrix.gguf" "--imatrix imatrix.dat"; do
			left_out=
			if needs_importance "$type"; then
				[ -n "$importance" ] || continue
				left_out='--tensor-type blk\.1\.attn_k=q3_k'
			fi
			printf '%s\n' "$3" | while read -r options; do
				printf '%s\n' "$input $type $importance $left_out $options"
			done
		done
	done
}

options="
--pure
--leave-output-tensor
--output-tensor-type q5_1
--output-tensor-type f16 --token-embedding-type q5_0
--token-embedding-type q8_0
--tensor-type attn_v=q8_0
--tensor-type blk\\.[0-2]\\.(attn_q|ffn_up)=q4_1 --tensor-type ffn=bf16 --tensor-type attn=f32 --pure
--tensor-type-file types.txt
--override-kv general.name=str:parity --override-kv bert.context_length=int:256 --override-kv new.key=float:0.3
--override-kv bert.block_count=int:48
--prune-layers 0
--prune-layers 4,1 --override-kv general.name=str:pruned
--keep-split"
weights="
--include-weights attn
--exclude-weights ffn_down --exclude-weights blk.1"

turn=0
compare() {
	input=$1 type=$2
	shift 2
	dir=$(mktemp -d "$work/run.XXXXXX")
	rc=0
	"$llama_quantize" "$@" "$input" "$dir/theirs.gguf" "$type" 2 >"$dir/theirs.log" 2>&1 || rc=$?
	mine=0
	# Neither threads nor instructions may change a byte: they take turns.
	turn=$((turn + 1))
	case $((turn % 3)) in 0) threads=1 ;; 1) threads=2 ;; 2) threads=7 ;; esac
	cpu=
	case $((turn / 3 % 3)) in 0) cpu=scalar ;; 1) [ "$(uname -m)" != x86_64 ] || cpu=avx2 ;; esac
	GGUFTOOL_CPU=$cpu "$gguftool" quantize "$@" --quiet --threads $threads "$type" "$input" "$dir/ours.gguf" >"$dir/ours.log" 2>&1 || mine=$?
	if [ $rc -ne 0 ] && [ $mine -ne 0 ]; then
		echo "yes, both refuse: $type $* $(basename "$input"): $(tail -n 1 "$dir/ours.log")"
		rm -rf "$dir"
		return
	fi
	same=yes
	if [ $rc -ne 0 ] || [ $mine -ne 0 ]; then
		same="no: exit codes $rc and $mine: $(tail -n 1 "$dir/theirs.log") / $(tail -n 1 "$dir/ours.log")"
	fi
	found=0
	for theirs in "$dir"/theirs*.gguf; do
		ours=$dir/ours${theirs#"$dir/theirs"}
		found=1
		cmp "$theirs" "$ours" >"$dir/cmp" 2>&1 || same="no: $(cat "$dir/cmp")"
	done
	[ $found = 1 ] || same="no: there is no output"
	echo "$same: $type $* $(basename "$input") (${cpu:-fastest}, $threads threads)"
	rm -rf "$dir"
}

first=yes
for model; do
	model=$(absolute "$model")
	cd "$work"
	rm -f ./*.gguf imatrix.dat
	ln -s "$model" f32.gguf
	for t in F16 BF16 Q8_0; do
		"$llama_quantize" f32.gguf "$t.gguf" "$t" 2 >/dev/null 2>&1
	done
	"$python" "$here/make_inputs.py" f32.gguf
	printf 'attn_q=q5_k\nffn_up.weight$=q3_K  ATTN_OUTPUT=Q6_K\n' >types.txt
	{
		if [ $first = yes ]; then
			plan f32.gguf "$types" "$options"
		else
			plan f32.gguf "$types" ""
			plan f32.gguf "$some" "$options"
		fi
		for type in $some; do
			printf '%s\n' "$weights" | while read -r options; do
				echo "f32.gguf $type --imatrix imatrix.gguf $options"
			done
		done
		for type in $types; do
			needs_importance "$type" && continue
			echo "F16.gguf $type"
			echo "BF16.gguf $type"
			echo "Q8_0.gguf $type --allow-requantize"
		done
		for type in Q4_K_S Q5_K_M COPY; do
			echo "split-00001-of-00003.gguf $type"
			echo "split-00001-of-00003.gguf $type --keep-split --imatrix imatrix.gguf"
		done
	} >plan.txt
	while read -r input type options; do
		set -f # patterns in options are not for files
		set -- $options
		set +f
		compare "$input" "$type" "$@"
	done <plan.txt | tee "$work/results.txt" | grep -v '^yes' || true
	total=$(wc -l <plan.txt)
	same=$(grep -c '^yes' results.txt || true)
	echo "$(basename "$model"): $same of $total runs give equal bytes, or are refused by both"
	[ "$same" = "$total" ] || failed=yes
	first=no
done
[ -z "${failed:-}" ]
