#!/bin/sh
# Downloads the file of a Python package with pip, checks its SHA-256 and prints
# its path. Nothing of the package is installed.
#   download.sh PACKAGE==VERSION SHA256 EMPTY_DIR
# PYTHON names the interpreter (python3).
set -eu
[ $# -eq 3 ] || { echo "usage: download.sh PACKAGE==VERSION SHA256 EMPTY_DIR" >&2; exit 2; }
python=${PYTHON:-python3}

fail() {
	echo "download.sh: $1" >&2
	exit 1
}

command -v "$python" >/dev/null 2>&1 ||
	fail "there is no $python; install Python 3.8 or later, or set PYTHON to its interpreter"
"$python" -m pip --version >/dev/null 2>&1 ||
	fail "$python has no pip; install it (python3-pip in most Linux distributions, or: $python -m ensurepip --user)"

printf '%s --hash=sha256:%s\n' "$1" "$2" >"$3.txt"
status=0
log=$("$python" -m pip download --disable-pip-version-check --retries 2 --no-deps --require-hashes \
	-r "$3.txt" -d "$3" 2>&1 </dev/null) || status=$?
rm -f "$3.txt"
if [ "$status" -ne 0 ]; then
	printf '%s\n' "$log" | tail -n 12 | sed 's/^/  pip: /' >&2
	fail "pip could not fetch $1; check the network, pip's configuration and the free disk space"
fi
ls -d "$3"/*
