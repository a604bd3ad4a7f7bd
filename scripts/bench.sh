#!/bin/sh
# Times gguftool and the reference programs in turn on real models:
#   bench.sh GGUFTOOL CACHE_DIR [convert | quantize [OPTION...] | embed [OPTION...] | prefill [OPTION...] | importance [OPTION...]]   (all unless named)
# convert   convert and embed as whole processes (bench.py)
# quantize  quantize to every type as whole processes (bench_quantize.py; quantize --help tells its options)
# embed     embedding inside a process, accuracy and loading (bench_embed.py; embed --help tells its options)
# prefill   a decoder on a text of 512 tokens (bench_prefill.py; prefill --help tells its options)
# importance what importance does to the vectors of encoders (bench_importance.py; importance --help tells its options)
# Fetches both into CACHE_DIR unless GGUFTOOL_PEERS and GGUFTOOL_MODELS name folders that hold them.
# Derived files stay in CACHE_DIR/bench. GO names the go command.
set -eu
usage() {
	sed -n '2,10s/^# //p' "$0" >&2
	exit 2
}
[ $# -ge 2 ] || usage
gguftool=$1
cache=$2
part=${3:-all}
case $part in
all | quantize | embed | prefill | importance) ;;
convert) [ $# -eq 3 ] || usage ;;
*) usage ;;
esac
if [ $# -gt 3 ]; then shift 3; else shift $#; fi
here=$(cd "$(dirname "$0")" && pwd)
peers=$(sh "$here/fetch-peers.sh" "$cache/peers")
python=$peers/venv/bin/python
models=$(sh "$here/fetch-models.sh" "$cache/models" "$python")

mkdir -p "$cache/bench"
work=$(cd "$cache/bench" && pwd)

case $part in
all | convert) "$python" "$here/bench.py" "$gguftool" "$peers" "$models" ;;
esac
case $part in
all | quantize) "$python" "$here/bench_quantize.py" "$gguftool" "$peers" "$models" "$work" "$@" ;;
esac
case $part in
all | embed | prefill) (cd "$here/.." && CGO_ENABLED=0 "${GO:-go}" build -trimpath -o "$work/embedbench" ./scripts/embedbench) ;;
esac
case $part in
all | embed) "$python" "$here/bench_embed.py" "$gguftool" "$work/embedbench" "$peers" "$models" "$work" "$@" ;;
esac
case $part in
all | prefill) "$python" "$here/bench_prefill.py" "$gguftool" "$work/embedbench" "$peers" "$models" "$work" "$@" ;;
esac
case $part in
all | importance) "$python" "$here/bench_importance.py" "$gguftool" "$peers" "$models" "$work" "$@" ;;
esac
