#!/bin/sh
# Installs the reference programs that results are compared with, and prints the
# folder that holds them: $GGUFTOOL_PEERS if set, DIR otherwise. What is there
# already is kept.
#   fetch-peers.sh DIR [python|llamacpp|ollama]... (python and llamacpp unless named)
# python    FOLDER/venv: transformers, sentence-transformers, tokenizers, torch, onnxruntime, gguf (5.6 GB)
# llamacpp  FOLDER/llama.cpp: llama.cpp of October 2026, its programs in build/bin (12 minutes on two cores);
#           its convert_hf_to_gguf.py runs with FOLDER/venv/bin/python
# ollama    FOLDER/ollama/ollama: Ollama 0.24, built from its Go module (2 minutes)
# Needs Python 3.10 or later with pip and venv; llamacpp also CMake and a C++ compiler; ollama Go and a C++ compiler.
set -eu
[ $# -ge 1 ] || { echo "usage: fetch-peers.sh DIR [python|llamacpp|ollama]..." >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
dir=${GGUFTOOL_PEERS:-$1}
shift
[ $# -gt 0 ] || set -- python llamacpp
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

fail() {
	echo "fetch-peers.sh: $1" >&2
	exit 1
}

packages="accelerate==1.15.0 gguf==0.19.0 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 protobuf==7.36.2
	safetensors==0.8.0 sentence-transformers==6.2.0 sentencepiece==0.2.3 tokenizers==0.23.3 torch==2.11.0 transformers==5.23.0"
programs="llama-quantize llama-gguf-split llama-imatrix llama-embedding llama-tokenize llama-bench llama-perplexity"

# installed tells whether the environment holds exactly the versions of $packages.
installed() {
	[ -x "$dir/venv/bin/python" ] && "$dir/venv/bin/python" - $packages <<'PYTHON'
import sys
from importlib.metadata import PackageNotFoundError, version

try:
    sys.exit(any(version(name) != pin for name, pin in (p.split("==") for p in sys.argv[1:])))
except PackageNotFoundError:
    sys.exit(1)
PYTHON
}

python_env() {
	installed && return
	echo "installing the Python references (5.6 GB) into $dir/venv" >&2
	"${PYTHON:-python3}" -m venv "$dir/venv" >&2 || fail "no virtual environment; install venv for Python 3 (python3-venv on Debian and Ubuntu)"
	"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check $packages >&2 ||
		fail "pip could not install the packages; check the network and the free space in $dir"
}

built() {
	for program in $programs; do
		[ -x "$dir/llama.cpp/build/bin/$program" ] || return 1
	done
}

llamacpp() {
	built && return
	for tool in cmake "${CXX:-c++}"; do
		command -v "$tool" >/dev/null 2>&1 || fail "there is no $tool; install CMake and a C++ compiler"
	done
	if [ ! -d "$dir/llama.cpp" ]; then
		echo "fetching llama.cpp" >&2
		tmp=$(mktemp -d "$dir/.fetch.XXXXXX")
		trap 'rm -rf "$tmp"' EXIT
		trap 'exit 1' HUP INT TERM
		mkdir "$tmp/source"
		source=$(sh "$here/download.sh" llama-cpp-python==0.3.36 \
			832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e "$tmp/source")
		tar -xzf "$source" -C "$tmp"
		mv "$tmp/llama_cpp_python-0.3.36/vendor/llama.cpp" "$dir/llama.cpp"
	fi
	echo "building llama.cpp in $dir/llama.cpp/build" >&2
	cmake -S "$dir/llama.cpp" -B "$dir/llama.cpp/build" -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF \
		-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_UI=OFF >&2
	cmake --build "$dir/llama.cpp/build" --parallel "$(getconf _NPROCESSORS_ONLN)" --target $programs >&2
}

ollama() {
	[ -x "$dir/ollama/ollama" ] && return
	command -v "${CXX:-c++}" >/dev/null 2>&1 || fail "there is no ${CXX:-c++}; install a C++ compiler"
	go=${GO:-go}
	source=$(cd / && "$go" mod download -json github.com/ollama/ollama@v0.24.0 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
	[ -d "$source" ] || fail "the Go module of Ollama could not be fetched; check the network"
	echo "building Ollama in $dir/ollama" >&2
	mkdir -p "$dir/ollama"
	(cd "$source" && CGO_ENABLED=1 "$go" build -o "$dir/ollama/ollama" .) >&2
}

for what in "$@"; do
	case $what in
	python) python_env ;;
	llamacpp) llamacpp ;;
	ollama) ollama ;;
	*)
		echo "fetch-peers.sh: unknown: $what (python, llamacpp, ollama)" >&2
		exit 2
		;;
	esac
done
echo "$dir"
