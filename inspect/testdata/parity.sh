#!/bin/sh
# Compares what gguftool and llama-gguf-split write when models are split and merged, byte for byte:
#   parity.sh LLAMA_GGUF_SPLIT GGUFTOOL MODEL.gguf...
set -eu
[ $# -ge 3 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
llama=$(absolute "$1")
gguftool=$(absolute "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

same() { # FOLDER FOLDER: they hold files of the same names and bytes
	(cd "$1" && cksum ./*) >"$work/theirs.txt"
	(cd "$2" && cksum ./*) >"$work/ours.txt"
	cmp -s "$work/theirs.txt" "$work/ours.txt"
}

failed=
report() { # RESULT WHAT
	[ "$1" = yes ] || failed=yes
	echo "$1: $2"
}

for model; do
	model=$(absolute "$model")
	name=$(basename "$model")
	while read -r options; do
		rm -rf "$work/theirs" "$work/ours"
		mkdir "$work/theirs" "$work/ours"
		theirs=$(printf '%s\n' "$options" | sed 's/--max/--split-max/')
		"$llama" --split $theirs "$model" "$work/theirs/part" >/dev/null 2>&1
		"$gguftool" inspect split --quiet $options "$model" "$work/ours/part"
		result=yes
		same "$work/theirs" "$work/ours" || result=no
		report $result "split $options $name into $(wc -l <"$work/ours.txt") files"

		set -- "$work"/ours/part-00001-of-*.gguf
		"$llama" --merge "$1" "$work/theirs.gguf" >/dev/null 2>&1
		"$gguftool" inspect merge --quiet "$1" "$work/ours.gguf"
		"$gguftool" inspect merge --quiet --drop-split-keys "$1" "$work/original.gguf"
		result=yes
		cmp "$work/theirs.gguf" "$work/ours.gguf" && cmp "$work/original.gguf" "$model" || result=no
		report $result "merge $options $name"
		rm -f "$work"/*.gguf
	done <<-END

		--max-tensors 1
		--max-tensors 40
		--max-tensors 33 --no-tensor-first-split
		--max-size 13M
		--max-size 60M
		--max-size 100M --no-tensor-first-split
		--max-size 1G
	END
done
[ -z "$failed" ]
