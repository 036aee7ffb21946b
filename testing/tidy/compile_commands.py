#!/usr/bin/python3
"""A compilation database of the C files below ROOT, from `bazel aquery --output=jsonproto`."""

import json
import sys

# Bazel compiles by gcc; clangd and clang-tidy stumble over what only gcc knows.
GCC_ONLY = {"-fno-canonical-system-headers", "-Wno-free-nonheap-object"}


def commands(actions, root):
    for action in actions:
        arguments = [a for a in action.get("arguments", []) if a not in GCC_ONLY]
        sources = [a for a in arguments if a.endswith(".c") and not a.startswith("bazel-out/")]
        if sources:
            yield {"directory": root, "file": sources[-1], "arguments": arguments}


def main():
    actions = json.load(sys.stdin).get("actions", [])
    # A file that is compiled twice, as for tools of the build, is listed once.
    listing = {entry["file"]: entry for entry in commands(actions, sys.argv[1])}
    json.dump([listing[name] for name in sorted(listing)], sys.stdout, indent=1)


if __name__ == "__main__":
    main()
