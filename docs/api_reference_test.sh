#!/usr/bin/env bash
# The API reference is what the protos say.
set -euo pipefail
if ! diff -u docs/api-reference.md docs/api-reference.made.md; then
	echo "docs/api-reference.md is stale; make it anew:" >&2
	echo "  bazel build //docs:api_reference" >&2
	echo "  cp bazel-bin/docs/api-reference.made.md docs/api-reference.md" >&2
	exit 1
fi
echo "docs/api-reference.md is what the protos say"
