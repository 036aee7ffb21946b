#!/usr/bin/python3
"""Jarvis from another workspace: docs/examples/monorepo, built by its own Bazel over this one by
local_repository, and its program run against a real server."""

import os
import subprocess
import sys

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, workspace  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402


class Monorepo(ContainerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.built = workspace.build(cls.machine, "monorepo", "//...")

    def run_job(self, *arguments):
        return subprocess.run(
            [os.path.join(self.built, "run_job"), f"127.0.0.1:{self.server.grpc_port}",
             "web", *arguments],
            capture_output=True, text=True, timeout=60, check=False)

    def test_a_job_is_run_and_followed(self):
        done = self.run_job("busybox", "sh", "-c", "echo hello; sleep 0.5; echo oops >&2; exit 3")
        self.assertEqual(done.stdout, "hello\n", done.stderr)
        self.assertRegex(done.stderr, r"^oops\nt-\d+ of team web: TASK_STATE_FAILED, exit code 3")
        self.assertEqual(done.returncode, 3)
        self.assertEqual(self.run_job("busybox", "true").returncode, 0)

    def test_a_refusal_is_said(self):
        done = self.run_job("", "true")
        self.assertIn("INVALID_ARGUMENT", done.stderr)
        self.assertIn("image", done.stderr)
        self.assertEqual(done.returncode, 125)

    def test_messages_for_another_language(self):
        """Made from the descriptor set alone."""
        made = os.path.join(self.built, "jarvis/v1/task_pb2.py")
        with open(made, encoding="utf-8") as file:
            self.assertIn("TaskSpec", file.read())


if __name__ == "__main__":
    case.main()
