#!/bin/sh
# Times gguftool and the reference programs in turn on real models: bench.sh GGUFTOOL CACHE_DIR
# Fetches both into CACHE_DIR unless GGUFTOOL_PEERS and GGUFTOOL_MODELS name folders that hold them.
set -eu
[ $# -eq 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
peers=$(sh "$here/fetch-peers.sh" "$2/peers")
models=$(sh "$here/fetch-models.sh" "$2/models" "$peers/venv/bin/python")
exec "$peers/venv/bin/python" "$here/bench.py" "$1" "$peers" "$models"
