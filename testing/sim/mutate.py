#!/usr/bin/env python3
"""Seeds one bug: copies a file with one passage replaced, which must be there exactly once.

    mutate.py FILE FIND PUT > COPY

A passage that has moved or changed fails the build: a negative test that tests nothing is worse
than none.
"""
import sys


def main():
    path, find, put = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(find) != 1:
        sys.exit(f"{path}: {find!r} is there {text.count(find)} times, not once")
    sys.stdout.write(text.replace(find, put))


main()
