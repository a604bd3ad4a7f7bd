#!/bin/sh
# Copies the model of this bundle into the store of an Ollama server.
#
#   import.sh PACKAGE STORE
#
# What is there already stays. Every file is checked by its digest before it gets
# its name, and the manifest comes last: a server never sees half a model, and an
# import that was interrupted goes on when it is started again.
set -eu

package=$1 store=$2
manifest='{{.Manifest}}'

# same FILE DIGEST: whether the file has the digest that its name says
same() { [ "$(sha256sum <"$1" | cut -c1-64)" = "$2" ]; }

mkdir -p "$store/blobs" "$store/manifests/$(dirname "$manifest")"
for blob in "$package"/blobs/sha256-*; do
	name=$(basename "$blob")
	digest=${name#sha256-}
	if [ -f "$store/blobs/$name" ] && same "$store/blobs/$name" "$digest"; then
		echo "$name is there"
		continue
	fi
	part=$store/blobs/.import-$name-$$
	trap 'rm -f "$part"' EXIT
	cp "$blob" "$part"
	if ! same "$part" "$digest"; then
		echo "$name is damaged in the package: make the bundle again" >&2
		exit 1
	fi
	mv -f "$part" "$store/blobs/$name"
	echo "$name is imported"
done
part=$store/manifests/$(dirname "$manifest")/.import-$$
trap 'rm -f "$part"' EXIT
cp "$package/manifests/$manifest" "$part"
mv -f "$part" "$store/manifests/$manifest"
echo '{{.Model}} is ready'
