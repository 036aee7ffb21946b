#!/usr/bin/python3
"""The style of docs/style.md as a test: lengths, layers, banned calls, headers, words.

Run by Bazel as //testing/tidy:tidy_test, or by hand:

    testing/tidy/tidy.py [ROOT]

It reads the files that git tracks below ROOT (all files where there is no git), prints a table of
figures and each violation as `file:line: rule: why`, and exits 1 if there is any. The layers come
from base/build/layers.bzl, so that Bazel's visibility and the #include lines obey one table.
"""

import math
import os
import re
import subprocess
import sys
from collections import namedtuple

FUNCTION_LINES_MAX = 70
FUNCTION_LINES_P90 = 50
FUNCTION_LINES_MEDIAN = 15
FILE_LINES_MAX = 600
COLUMNS_MAX = 100
TAB_WIDTH = 8
# Percentiles of a handful of functions say nothing.
FUNCTIONS_FOR_PERCENTILES = 20
CORE_ASSERTIONS_PER_1000 = 25
FIRST_SENTENCE_MIN = 20

TOP_LEVEL = {
    "BUILD.bazel",
    "LICENSE",
    "README.md",
    "WORKSPACE",
    "base",
    "cli",
    "docs",
    "proto",
    "server",
    "storage",
    "testing",
    "worker",
}

BANNED_CALLS = re.compile(
    r"(?<![\w.>])"
    r"(strcpy|strcat|sprintf|vsprintf|gets|strtok|system|popen|atoi|atol|atof|alloca)\s*\("
)

# Spelt so that this file does not contain them.
UNFINISHED = re.compile(
    r"\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b|"
    r"\b([Ff]or n[o]w|[Pp]lace[h]older|[Nn]ot implemented y[e]t)\b"
)
UNFINISHED_CODE = re.compile(r"\b[Ss]tu[b]\b")
LOCAL_NAMES = re.compile(
    r"(?<![\w.])/wor[k]/(main|shared)\b|/tmp/b[z]\b|registry\.npm[j]s|\bpypi\.or[g]\b|"
    r"proxy\.golang\.or[g]|deb\.debian\.or[g]|crates\.i[o]\b|\bissues (show|close|note)\b"
)

# System headers that belong to one library of base/build/layers.bzl.
LIBRARY_HEADERS = [
    ("cmocka", re.compile(r"^cmocka\.h$")),
    ("grpc", re.compile(r"^grpc/.*(?<!\.pb-c)\.h$")),
    ("jansson", re.compile(r"^jansson\.h$")),
    ("protobuf_c", re.compile(r"^(google/)?protobuf-c/")),
    ("pthread", re.compile(r"^(pthread|threads|semaphore)\.h$")),
    ("rocksdb", re.compile(r"^rocksdb/")),
    ("seccomp", re.compile(r"^seccomp\.h$")),
    ("ssl", re.compile(r"^openssl/ssl\.h$")),
    ("yaml", re.compile(r"^yaml\.h$")),
    ("z", re.compile(r"^zlib\.h$")),
]
# server/core is the same run twice: nothing that waits, reads a clock or talks to the outside.
CORE_FORBIDDEN = re.compile(
    r"^(pthread|threads|semaphore|time|stdio|unistd|fcntl|signal|poll|dirent|locale|wchar)\.h$|"
    r"^(sys|net|netinet|arpa|grpc|google|jarvis|protobuf-c|rocksdb|linux|openssl)/|^zlib\.h$"
)

Violation = namedtuple("Violation", "path line rule text")
Function = namedtuple("Function", "path line name lines static")


# --- The tree -------------------------------------------------------------------------------------


class Tree:
    """The files under test: paths relative to the root, read once."""

    def __init__(self, root):
        self.root = root
        listing = sorted(tracked(root))
        self.paths = [p for p in listing if os.path.isfile(os.path.join(root, p))]
        self.links = [p for p in listing if os.path.islink(os.path.join(root, p))]
        self.layers = read_layers(root)
        self._texts = {}

    def text(self, path):
        if path not in self._texts:
            with open(os.path.join(self.root, path), "rb") as file:
                self._texts[path] = file.read().decode("utf-8", "replace")
        return self._texts[path]

    def lines(self, path):
        return self.text(path).split("\n")

    def c_files(self):
        return [p for p in self.paths if re.search(r"\.[ch]$", p) and not vendored(p)]

    def text_files(self):
        pattern = r"\.(c|h|py|sh|bzl|bazel|proto|md|yaml|json|rc)$|(^|/)[^./]+$|^\.[^/]+$"
        return [p for p in self.paths if re.search(pattern, p) and not vendored(p)]


def vendored(path):
    """What nobody here has written: other projects' files, and inputs that fuzzers have found."""
    return path.startswith(("proto/vendor/", "testing/fuzz/corpus/")) or path == "LICENSE"


def tracked(root):
    try:
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"],
            cwd=root, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        listing = walked(root)
    return [p for p in listing if p]


def walked(root):
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in (".git", "__pycache__") and not (
            folder == root and f.startswith("bazel-"))]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return found


def read_layers(root):
    """layers.bzl is data and functions that Python reads too."""
    names = {}
    with open(os.path.join(root, "base/build/layers.bzl"), encoding="utf-8") as file:
        exec(compile(file.read(), "layers.bzl", "exec"), names)
    return names


# --- C, as far as these rules need it -------------------------------------------------------------

_ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
_NOISE = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def code_only(text):
    """The text with comments and literals blanked, line for line."""
    def blank(match):
        token = match.group()
        if token[0] in "\"'":
            return token[0] + token[0]
        return "\n" * token.count("\n")
    return _NOISE.sub(blank, text)


def functions(path, text):
    """Function definitions as clang-format leaves them: `{` and `}` alone in the first column."""
    lines = code_only(text).split("\n")
    found = []
    start = None
    for i, line in enumerate(lines):
        if line.rstrip() == "{" and start is None and i > 0 and lines[i - 1].rstrip().endswith(")"):
            start = signature_start(lines, i)
        elif line.rstrip() == "}" and start is not None:
            signature = " ".join(lines[start:i + 1]).split("{")[0]
            found.append(Function(path, start + 1, function_name(signature), i + 1 - start,
                                  bool(re.search(r"\bstatic\b", signature))))
            start = None
    return found


def signature_start(lines, brace):
    start = brace
    while start > 0:
        above = lines[start - 1].strip()
        if not above or above[-1] in ";}" or above.startswith("#"):
            break
        start -= 1
    return start


def function_name(signature):
    for name in re.findall(r"(\w+)\s*\(", _ATTRIBUTE.sub("", signature)):
        if not name.isupper():
            return name
    return "?"


def includes(text):
    """(line, name, is_system) of each #include."""
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)[>\"]", line)
        if match:
            yield number, match.group(2), match.group(1) == "<"


def is_test(path):
    return path.endswith("_test.c") or path.startswith("testing/")


# --- Rules: each yields violations ----------------------------------------------------------------


def rule_function_length(tree):
    for path in tree.c_files():
        for function in functions(path, tree.text(path)):
            if function.lines > FUNCTION_LINES_MAX:
                yield Violation(path, function.line, "function-length",
                                "%s has %d lines, over %d" % (
                                    function.name, function.lines, FUNCTION_LINES_MAX))


def percentile(values, share):
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else 0


def source_functions(tree):
    return [f for path in tree.c_files() if not is_test(path)
            for f in functions(path, tree.text(path))]


def rule_function_percentiles(tree):
    lengths = [f.lines for f in source_functions(tree)]
    if len(lengths) < FUNCTIONS_FOR_PERCENTILES:
        return
    for name, share, limit in (("median", 0.5, FUNCTION_LINES_MEDIAN),
                               ("90th percentile", 0.9, FUNCTION_LINES_P90)):
        value = percentile(lengths, share)
        if value > limit:
            yield Violation("(all sources)", 0, "function-percentile",
                            "the %s of function lengths is %d, over %d" % (name, value, limit))


def rule_file_length(tree):
    for path in tree.paths:
        if re.search(r"\.(c|h|py)$", path) and not vendored(path):
            count = len(tree.lines(path)) - 1
            if count > FILE_LINES_MAX:
                yield Violation(path, count, "file-length", "over %d lines" % FILE_LINES_MAX)


STRING_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')


def rule_line_form(tree):
    for path in tree.text_files():
        prose = path.endswith((".md", ".json")) or "/fixtures/" in path
        for number, line in enumerate(tree.lines(path), 1):
            width = len(line.expandtabs(TAB_WIDTH))
            if path.endswith((".c", ".h")) and width > COLUMNS_MAX:
                # A text that people read is not cut in two: it must be found by searching for it.
                width = len(STRING_LITERAL.sub('""', line).expandtabs(TAB_WIDTH))
            if width > COLUMNS_MAX and not prose:
                yield Violation(path, number, "line-length", "%d columns, over %d" % (
                    width, COLUMNS_MAX))
            if line != line.rstrip() and not prose:
                yield Violation(path, number, "trailing-space", "white space at the end")


def rule_tabs(tree):
    for path in tree.c_files():
        for number, line in enumerate(tree.lines(path), 1):
            # clang-format aligns the second half of a split literal by tabs and up to 7 spaces.
            if re.match(r" (?!\*)|\t+ {8}", line):
                yield Violation(path, number, "tabs", "indented by spaces")


def rule_banned_calls(tree):
    for path in tree.c_files():
        for number, line in enumerate(code_only(tree.text(path)).split("\n"), 1):
            match = BANNED_CALLS.search(line)
            if match:
                yield Violation(path, number, "banned-call", match.group(1))


def rule_banned_forms(tree):
    for path in tree.c_files():
        for number, line in enumerate(code_only(tree.text(path)).split("\n"), 1):
            if re.match(r"\s*#\s*pragma\s+once", line):
                yield Violation(path, number, "pragma-once", "use an include guard")
            if re.search(r"\btypedef\s+(struct|union|enum)\b", line):
                yield Violation(path, number, "typedef", "no typedef of structs, unions, enums")


def rule_names(tree):
    for path in tree.c_files():
        for function in functions(path, tree.text(path)):
            public = function.name.startswith("jv_")
            if function.static and public and path.endswith(".c"):
                yield Violation(path, function.line, "name",
                                "static %s: drop the prefix" % function.name)
            # What tests share among themselves links into no program of ours.
            test = path.startswith("testing/")
            allowed = allowed_plain(function.name) or (path, function.name) in INTERPOSED
            if not (function.static or public or test or allowed):
                yield Violation(path, function.line, "name",
                                "%s: a public name starts with jv_" % function.name)


# What gRPC is to find before libc's and OpenSSL's own.
INTERPOSED = {("server/rpc/guard.c", name)
              for name in ("listen", "accept4", "recvmsg", "sendmsg", "close", "SSL_read",
                           "SSL_write")}


def allowed_plain(name):
    # What a shared object exports is named by its ABI.
    return name in ("main", "jarvis_executor_plugin") or name.startswith(("LLVMFuzzer", "__", "?"))


def room_of(tree, path):
    return tree.layers["_room_of"](os.path.dirname(path))


def may_use(users, room, own):
    return own == room or "*" in users or room in users or room == "testing"


def included_room(tree, name):
    """The room an include belongs to, or None for a system header."""
    if name.endswith(".pb-c.h"):
        return "proto"
    if name.split("/")[0] not in tree.layers["USERS"] or "/" not in name:
        return None
    return tree.layers["_room_of"](os.path.dirname(name))


def rule_layers(tree):
    users = tree.layers["USERS"]
    for path in tree.c_files():
        # Workspaces of their own: they see what any other workspace sees.
        if path.startswith("docs/examples/"):
            continue
        room = room_of(tree, path)
        if room not in users:
            yield Violation(path, 1, "layer", "no room of base/build/layers.bzl")
            continue
        for number, name, system in includes(tree.text(path)):
            target = included_room(tree, name)
            if target is None and not system:
                yield Violation(path, number, "include",
                                "\"%s\" is not relative to the root of the repository" % name)
            binary = room == "server" and target and target.startswith("server/")
            if target and not binary and not may_use(users[target], room, target):
                yield Violation(path, number, "layer", "%s may not include %s (%s)" % (
                    room, target, name))


def rule_libraries(tree):
    libraries = tree.layers["LIBRARY_USERS"]
    for path in tree.c_files():
        room = room_of(tree, path)
        for number, name, system in includes(tree.text(path)):
            library = next((lib for lib, header in LIBRARY_HEADERS if header.match(name)), None)
            if not system or library is None:
                continue
            if not may_use(libraries[library], room, None):
                yield Violation(path, number, "layer", "%s may not use %s" % (room, library))
            if library == "cmocka" and not is_test(path):
                yield Violation(path, number, "layer", "cmocka is for tests")


def rule_core_purity(tree):
    """Also through the headers that the core includes."""
    for path in tree.c_files():
        if path.startswith("server/core/") and not is_test(path):
            for number, name, _ in includes(tree.text(path)):
                for trail in forbidden_below(tree, name, set()):
                    yield Violation(path, number, "core-purity", "the core may not include " +
                                    " from ".join(reversed(trail)))


def forbidden_below(tree, name, seen):
    if CORE_FORBIDDEN.match(name):
        return [[name]]
    if name in seen or name not in tree.paths:
        return []
    seen.add(name)
    return [[name] + trail for _, inner, _ in includes(tree.text(name))
            for trail in forbidden_below(tree, inner, seen)]


def rule_headers(tree):
    for path in tree.c_files():
        if not path.endswith(".h"):
            continue
        guard = "JV_" + re.sub(r"[^A-Za-z0-9]", "_", path).upper()
        text = tree.text(path)
        if not re.search(r"^#ifndef %s\n#define %s\n" % (guard, guard), text, re.M):
            yield Violation(path, 1, "guard", "the include guard is " + guard)
        problem = first_sentence_problem(text)
        if problem:
            yield Violation(path, 1, "first-sentence", problem)


def first_sentence_problem(text):
    comment = re.match(r"\s*/\*(.*?)\*/", text, re.S)
    if not comment:
        return "a header starts with a comment that says what the module is"
    words = " ".join(line.strip().lstrip("*").strip() for line in comment.group(1).split("\n"))
    sentence = re.match(r"\s*(.*?[.;])(\s|$)", words)
    if not sentence:
        return "the first comment holds no sentence"
    if len(sentence.group(1)) < FIRST_SENTENCE_MIN:
        return "the first sentence says too little: " + sentence.group(1)
    return None


def rule_words(tree):
    for path in tree.text_files():
        code = not path.endswith((".md", ".py"))
        for number, line in enumerate(tree.lines(path), 1):
            match = UNFINISHED.search(line) or (code and UNFINISHED_CODE.search(line))
            if match:
                yield Violation(path, number, "word", match.group())
            match = LOCAL_NAMES.search(line)
            if match:
                yield Violation(path, number, "local-name", match.group())


def rule_top_level(tree):
    for entry in sorted({path.split("/")[0] for path in tree.paths}):
        if entry not in TOP_LEVEL and not entry.startswith("."):
            yield Violation(entry, 0, "top-level", "not in the agreed list")


def rule_links(tree):
    """Links lead to places of one machine, such as those that Bazel makes beside a workspace."""
    for path in tree.links:
        yield Violation(path, 0, "link", "symbolic links are not kept")


def core_assertions(tree):
    """(assertions, lines) of server/core's own sources."""
    sources = [p for p in tree.c_files() if re.match(r"server/core/.*\.c$", p) and not is_test(p)]
    texts = [code_only(tree.text(p)) for p in sources]
    return (sum(len(re.findall(r"\bJV_ASSERT\w*\s*\(", t)) for t in texts),
            sum(tree.text(p).count("\n") for p in sources))


def rule_core_assertions(tree):
    count, lines = core_assertions(tree)
    if count * 1000 < CORE_ASSERTIONS_PER_1000 * lines:
        yield Violation("server/core", 0, "assertions", "%d in %d lines, under %d per 1,000" % (
            count, lines, CORE_ASSERTIONS_PER_1000))


RULES = [
    rule_function_length,
    rule_function_percentiles,
    rule_file_length,
    rule_line_form,
    rule_tabs,
    rule_banned_calls,
    rule_banned_forms,
    rule_names,
    rule_layers,
    rule_libraries,
    rule_core_purity,
    rule_headers,
    rule_words,
    rule_top_level,
    rule_links,
    rule_core_assertions,
]


# --- Report ---------------------------------------------------------------------------------------


def check(root):
    tree = Tree(root)
    return tree, [violation for rule in RULES for violation in rule(tree)]


def print_rooms(tree):
    print("%-14s %6s %7s %10s %7s %5s %5s" % (
        "room", "files", "lines", "functions", "median", "p90", "max"))
    rooms = {}
    for path in tree.c_files():
        kind = "tests" if is_test(path) else room_of(tree, path)
        rooms.setdefault(kind, []).append(path)
    for room, paths in sorted(rooms.items()):
        print_row(tree, room, paths)
    print_row(tree, "all sources", [p for p in tree.c_files() if not is_test(p)])


def print_row(tree, name, paths):
    lengths = [f.lines for path in paths for f in functions(path, tree.text(path))]
    print("%-14s %6d %7d %10d %7d %5d %5d" % (
        name, len(paths), sum(tree.text(p).count("\n") for p in paths), len(lengths),
        percentile(lengths, 0.5), percentile(lengths, 0.9), max(lengths, default=0)))


def main():
    here = os.path.dirname(os.path.realpath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))
    tree, violations = check(root)
    print_rooms(tree)
    count, lines = core_assertions(tree)
    print("server/core: %d assertions in %d lines" % (count, lines))
    for v in violations:
        print("%s:%d: %s: %s" % v)
    print("%d files, %d violations" % (len(tree.paths), len(violations)))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
