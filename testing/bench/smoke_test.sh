#!/usr/bin/env bash
# Every figure but those of containers, in tiny amounts: that the program still measures them all.
set -euo pipefail

json=$TEST_TMPDIR/figures.json
"$@" --quick --rounds 1 --all --except container --json "$json"
missing=0
for name in $("$@" --list | grep -v '^container'); do
	if ! grep -q "\"name\": \"$name\", \"value\": [0-9]" "$json"; then
		echo "no figure $name" >&2
		missing=1
	fi
done
said=$(timeout 60 "$@" --proxy=/nowhere/proxy --quick --only rest_unary 2>&1) && missing=1
if [[ $said != *"/nowhere/proxy cannot be executed: No such file or directory"* ]]; then
	echo "a program that is not there: $said" >&2
	missing=1
fi
exit $missing
