#!/usr/bin/python3
"""Each rule of tidy.py fires on a tree that breaks it, and a clean tree breaks none."""

import os
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

import tidy  # noqa: E402
import verdicts  # noqa: E402

HEADER = """/*
 * Things: what the self test of the style looks at.
 */
#ifndef JV_BASE_THING_H
#define JV_BASE_THING_H

int jv_thing_add(int left, int right);

#endif
"""

SOURCE = """#include "base/thing.h"

/* The words strcpy( and gets( in a comment are nobody's business. */
int jv_thing_add(int left, int right)
{
\tconst char *text = "system(\\"x\\") is text";

\treturn left + right + (text[0] == '"');
}
"""

CORE = """#include "base/thing.h"

int jv_core_think(int left)
{
\tJV_ASSERT(left > 0);
\treturn jv_thing_add(left, left);
}
"""

CLEAN = {
    "base/thing.h": HEADER,
    "base/thing.c": SOURCE,
    "server/core/think.c": CORE,
    "README.md": "# Jarvis\n",
}


def function(name, lines):
    return "int %s(int x)\n{\n%s\treturn x;\n}\n" % (name, "\tx++;\n" * (lines - 4))


class Fixture(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(shutil.rmtree, self.root)
        layers = os.path.join(HERE, "..", "..", "base", "build", "layers.bzl")
        with open(layers, encoding="utf-8") as file:
            self.write("base/build/layers.bzl", file.read())
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def fired(self):
        return {(v.rule, v.path) for v in tidy.check(self.root)[1]}

    def expect(self, rule, path, text):
        """Writing `text` to `path` breaks exactly `rule` there."""
        self.write(path, text)
        self.assertEqual(self.fired(), {(rule, path)})


class LengthTest(Fixture):
    def test_clean_tree(self):
        self.assertEqual(self.fired(), set())

    def test_function_length(self):
        self.write("base/long.c", function("jv_long", 70))
        self.assertEqual(self.fired(), set())
        self.expect("function-length", "base/long.c", function("jv_long", 71))

    def test_percentiles(self):
        short = "\n".join(function("jv_a%d" % i, 15) for i in range(19))
        self.write("base/many.c", short)
        self.assertEqual(self.fired(), set())
        longer = "\n".join(function("jv_a%d" % i, 16) for i in range(25))
        self.write("base/many.c", longer)
        self.assertEqual(self.fired(), {("function-percentile", "(all sources)")})

    def test_tests_do_not_count_in_percentiles(self):
        self.write("base/many_test.c", "\n".join(function("jv_a%d" % i, 16) for i in range(25)))
        self.assertEqual(self.fired(), set())

    def test_ninetieth_percentile(self):
        mixed = [function("jv_a%d" % i, 5 if i < 20 else 60) for i in range(25)]
        self.write("base/one.c", "\n".join(mixed[:21]))
        self.write("base/two.c", "\n".join(mixed[21:]))
        self.assertEqual(self.fired(), {("function-percentile", "(all sources)")})

    def test_file_length(self):
        self.expect("file-length", "base/data.c", "extern int x;\n" * 601)

    def test_line_length(self):
        self.write("base/wide.c", "\t/* %s */\n" % ("x" * 86))
        self.assertEqual(self.fired(), set())
        self.expect("line-length", "base/wide.c", "\t/* %s */\n" % ("x" * 87))
        self.write("base/wide.c", 'const char text[] = "%s";\n' % ("x" * 100))
        self.assertEqual(self.fired(), set())

    def test_trailing_space(self):
        self.expect("trailing-space", "base/wide.c", "extern int x; \n")

    def test_tabs(self):
        self.expect("tabs", "base/wide.c", "int x[] = {\n    1,\n};\n")
        self.expect("tabs", "base/wide.c", "int x[] = {\n\t" + 8 * " " + "1,\n};\n")
        self.write("base/wide.c", "char x[] = {\n\t\"a\"\n\t   \"b\",\n};\n")
        self.assertEqual(self.fired(), set())


class CodeTest(Fixture):
    def test_banned_calls(self):
        for call in ("strcpy(a, b)", "sprintf (a, b)", "system(a)", "atoi(a)", "alloca(4)"):
            self.expect("banned-call", "base/call.c", "int x = %s;\n" % call)

    def test_calls_that_only_look_banned(self):
        self.write("base/call.c", "int x = my_system(1) + a->gets(2) + b.popen(3);\n")
        self.assertEqual(self.fired(), set())

    def test_pragma_once(self):
        self.expect("pragma-once", "base/thing.h", HEADER + "#pragma once\n")

    def test_typedef(self):
        self.expect("typedef", "base/type.c", "typedef struct thing thing_t;\n")

    def test_names(self):
        self.expect("name", "base/name.c", "int add(int x)\n{\n\treturn x;\n}\n")
        self.write("base/name.c", "int jv_add(int x)\n{\n\treturn x;\n}\n")
        self.write("testing/unit/name.c", "int add(int x)\n{\n\treturn x;\n}\n")
        self.assertEqual(self.fired(), set())
        self.expect("name", "base/name.c", "static int jv_add(int x)\n{\n\treturn x;\n}\n")
        self.write("base/name.c", "__attribute__((target(\"avx\"))) static int\n"
                   "add(int x)\n{\n\treturn x;\n}\n")
        self.assertEqual(self.fired(), set())

    def test_guard(self):
        self.expect("guard", "base/thing.h", HEADER.replace("JV_BASE_THING_H", "JV_THING_H"))

    def test_first_sentence(self):
        self.expect("first-sentence", "base/thing.h", HEADER.replace("Things: ", "").replace(
            "what the self test of the style looks at.", "Things."))
        self.expect("first-sentence", "base/thing.h", HEADER[HEADER.index("#ifndef"):])

    def test_core_assertions(self):
        self.expect("assertions", "server/core", "")

    def expect(self, rule, path, text):
        if rule == "assertions":
            self.write("server/core/more.c", "extern int x;\n" * 80)
            self.assertEqual(self.fired(), {(rule, path)})
        else:
            super().expect(rule, path, text)


class LayerTest(Fixture):
    def test_forbidden_arrows(self):
        for path, name in (
                ("base/a.c", "storage/store.h"),
                ("storage/a.c", "server/core/core.h"),
                ("server/core/a.c", "server/host/host.h"),
                ("server/host/a.c", "server/rpc/rpc.h"),
                ("server/api/a.c", "server/rest/rest.h"),
                ("worker/a.c", "server/core/core.h"),
                ("cli/a.c", "storage/store.h"),
                ("storage/a.c", "jarvis/v1/task.pb-c.h"),
                ("proto/wire/a.c", "proto/rpc/client.h")):
            self.expect("layer", path, '#include "%s"\n' % name)
            os.remove(os.path.join(self.root, path))

    def test_allowed_arrows(self):
        for path, name in (
                ("server/core/a.c", "storage/record.h"),
                ("server/host/a.c", "server/core/core.h"),
                ("server/rest/a.c", "server/api/api.h"),
                ("server/app/a.c", "worker/agent.h"),
                ("server/main.c", "server/app/app.h"),
                ("worker/a.c", "proto/rpc/client.h"),
                ("cli/a.c", "jarvis/v1/task.pb-c.h"),
                ("testing/sim/a.c", "server/core/core.h")):
            self.write(path, '#include "%s"\n' % name)
        self.assertEqual(self.fired(), set())

    def test_libraries(self):
        for path, name in (
                ("server/api/a.c", "rocksdb/c.h"),
                ("worker/a.c", "grpc/grpc.h"),
                ("server/api/a.c", "openssl/ssl.h"),
                ("cli/a.c", "jansson.h"),
                ("storage/a.c", "protobuf-c/protobuf-c.h"),
                ("storage/a.c", "cmocka.h")):
            self.expect("layer", path, "#include <%s>\n" % name)
            os.remove(os.path.join(self.root, path))

    def test_include_from_the_root(self):
        self.expect("include", "base/a.c", '#include "thing.h"\n')

    def test_unknown_room(self):
        self.expect("layer", "server/extra/a.c", "extern int x;\n")

    def test_core_purity(self):
        self.expect("core-purity", "server/core/think.c", "#include <time.h>\n" + CORE)

    def test_core_purity_through_a_header(self):
        self.write("base/thing.h", HEADER.replace("int jv", "#include <stdio.h>\nint jv"))
        self.assertEqual(self.fired(), {("core-purity", "server/core/think.c")})

    def test_core_tests_may_print(self):
        self.write("server/core/think_test.c", "#include <stdio.h>\n#include <cmocka.h>\n")
        self.assertEqual(self.fired(), set())


class TextTest(Fixture):
    def test_words(self):
        for word in ("TO" + "DO", "FIX" + "ME", "for " + "now", "place" + "holder", "st" + "ub"):
            self.expect("word", "base/word.c", "/* %s */\n" % word)

    def test_generated_clients_have_their_own_word(self):
        self.write("testing/client.py", "st" + "ub = 1\n")
        self.assertEqual(self.fired(), set())

    def test_local_names(self):
        for name in ("/wor" + "k/main/base", "/tmp/b" + "z/me", "https://pypi.or" + "g/x"):
            self.expect("local-name", "docs/a.md", "See %s.\n" % name)

    def test_top_level(self):
        self.expect("top-level", "notes", "Hello.\n")
        os.remove(os.path.join(self.root, "notes"))
        self.write(".hidden", "Hello.\n")
        self.assertEqual(self.fired(), set())

    def test_links(self):
        os.symlink("/nowhere/else", os.path.join(self.root, "docs-link"))
        self.assertEqual(self.fired(), {("link", "docs-link")})

    def test_vendored_files_are_left_alone(self):
        self.write("proto/vendor/a.proto", "// TO" + "DO \n")
        self.assertEqual(self.fired(), set())


class VerdictTest(unittest.TestCase):
    def test_verdicts(self):
        stream = [
            {"id": {"targetCompleted": {"label": "//a:ok"}}, "completed": {"success": True}},
            {"id": {"testSummary": {"label": "//a:ok"}},
             "testSummary": {"overallStatus": "PASSED"}},
            {"id": {"targetCompleted": {"label": "//a:bad"}}, "completed": {"success": True}},
            {"id": {"testSummary": {"label": "//a:bad"}}, "testSummary": {
                "overallStatus": "TIMEOUT"}},
            {"id": {"targetCompleted": {"label": "//a:lib"}}, "completed": {}},
            {"id": {"pattern": {"pattern": ["//b/..."]}}, "aborted": {
                "reason": "LOADING_FAILURE"}},
        ]
        self.assertEqual(verdicts.verdicts(stream), {
            "//a:ok": ("passed", "passed"),
            "//a:bad": ("failed", "timeout"),
            "//a:lib": ("failed", "does not build"),
            "//b/...": ("failed", "loading failure"),
        })

    def test_package_that_does_not_load(self):
        text = "ERROR: package contains errors: cli\nERROR: error loading package 'a/b': no such"
        self.assertEqual(verdicts.verdicts([{"id": {}, "progress": {"stderr": text}}]), {
            "//cli": ("failed", "does not load"),
            "//a/b": ("failed", "does not load"),
        })

    def test_build_failure_without_a_name(self):
        stream = [
            {"id": {"testSummary": {"label": "//a:ok"}},
             "testSummary": {"overallStatus": "PASSED"}},
            {"id": {}, "finished": {"exitCode": {"name": "BUILD_FAILURE"}}},
        ]
        self.assertEqual(verdicts.verdicts(stream)["bazel"],
                         ("failed", "not everything was built"))


if __name__ == "__main__":
    unittest.main()
