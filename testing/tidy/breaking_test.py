#!/usr/bin/python3
"""The linter `breaking` lets the API grow, and catches whatever would break those who use it.

Each story is one edit of a copy of proto/: what a client of the last release would stumble over.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class Breaking(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="jarvis-breaking-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.protos = os.path.join(self.directory, "proto")
        shutil.copytree(os.path.join(ROOT, "proto"), self.protos)

        self.lint_script = os.path.join(ROOT, "testing/tidy/lint")

    def edit(self, file, old, new):
        path = os.path.join(self.protos, "jarvis/v1", file)
        with open(path, encoding="utf-8") as source:
            text = source.read()
        changed, count = re.subn(old, new, text, count=1, flags=re.M)
        self.assertEqual(count, 1, f"{file} has no {old}: the story has to be told anew")
        with open(path, "w", encoding="utf-8") as source:
            source.write(changed)

    def lint(self):
        environment = {**os.environ, "HOME": os.path.expanduser("~")}
        done = subprocess.run(
            [self.lint_script, "breaking", self.protos],
            env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def caught(self, said):
        code, text = self.lint()
        self.assertNotEqual(code, 0, text)
        self.assertRegex(text, said)

    def test_as_it_is(self):
        self.assertEqual(self.lint(), (0, ""))

    def test_a_new_field_a_new_call_and_a_comment_break_nobody(self):
        self.edit("task.proto", r"^message Mount \{",
                  "// New.\nmessage Mount {\n  int32 added = 99;")
        self.edit("scheduler.proto", r"^service Scheduler \{", "// New.\nservice Scheduler {\n"
                  "  rpc Added(GetTaskRequest) returns (GetTaskResponse);")
        self.assertEqual(self.lint(), (0, ""))

    def test_the_number_of_a_field(self):
        self.edit("task.proto", r"string image = 5;", "string image = 9995;")
        self.caught(r'field "5" with name "image" .*deleted')

    def test_the_type_of_a_field(self):
        self.edit("task.proto", r"int32 priority = 4;", "int64 priority = 4;")
        self.caught(r'Field "4" with name "priority" .*changed type')

    def test_the_name_of_a_field_which_its_json_has(self):
        self.edit("task.proto", r"string image = 5;", "string picture = 5;")
        self.caught(r'Field "5" .*changed name from "image" to "picture"')

    def test_the_json_name_of_a_field(self):
        self.edit("task.proto", r"string image = 5;", 'string image = 5 [json_name = "picture"];')
        self.caught(r'Field "5" .*"json_name" from "image" to "picture"')

    def test_a_value_of_an_enum(self):
        self.edit("task.proto", r"TASK_STATE_FAILED = 7;", "TASK_STATE_BROKEN = 7;")
        self.caught(r'Enum value "7" .*"TASK_STATE_FAILED" to "TASK_STATE_BROKEN"')

    def test_a_call(self):
        self.edit("scheduler.proto", r"rpc GetTask\(", "rpc FetchTask(")
        self.caught(r'RPC "GetTask" on service "Scheduler" was deleted')

    def test_the_answer_of_a_call(self):
        self.edit("scheduler.proto", r"returns \(GetTaskResponse\)", "returns (WaitTaskResponse)")
        self.caught(r'RPC "GetTask" .*changed response type')

    def test_a_stream_that_becomes_one_answer(self):
        self.edit("scheduler.proto", r"returns \(stream GetTaskLogsResponse\)",
                  "returns (GetTaskLogsResponse)")
        self.caught(r'RPC "GetTaskLogs" .*from server streaming')

    def test_a_file(self):
        os.remove(os.path.join(self.protos, "jarvis/v1/monitor.proto"))
        self.caught(r'file "jarvis/v1/monitor.proto" was deleted')

    def test_a_release_is_what_later_changes_are_held_to(self):
        for part in ("testing/tidy", "testing/fixtures/api", "base"):
            shutil.copytree(os.path.join(ROOT, part), os.path.join(self.directory, part))
        self.edit("task.proto", r"^message Mount \{", "message Mount {\n  int32 added = 99;")
        header = os.path.join(self.directory, "base/version.h")
        subprocess.run(["sed", "-i", 's/JV_VERSION ".*"/JV_VERSION "7.8.9"/', header], check=True)
        released = subprocess.run(
            [os.path.join(self.directory, "testing/tidy/release_api")],
            env={**os.environ, "HOME": os.path.expanduser("~")},
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(released.returncode, 0, released.stdout + released.stderr)
        self.assertEqual(os.listdir(os.path.join(self.directory, "testing/fixtures/api")),
                         ["7.8.9.binpb"])
        self.lint_script = os.path.join(self.directory, "testing/tidy/lint")
        self.assertEqual(self.lint(), (0, ""))
        self.edit("task.proto", r"int32 added = 99;", "int32 added = 98;")
        self.caught(r'field "99" with name "added" .*deleted')


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main(verbosity=2)
