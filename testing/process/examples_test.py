#!/usr/bin/python3
"""The README's ways in, as a user goes them: the command line, curl. stubs_test has the others."""

import base64
import json
import os
import subprocess
import sys

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, places  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          **options)


class Examples(ContainerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = f"127.0.0.1:{cls.server.grpc_port}"
        cls.url = f"http://127.0.0.1:{cls.server.rest_port}"

    def jarvis(self, *arguments):
        return run([places.find("cli/jarvis"), "--server", self.address, *arguments])

    def test_command_line(self):
        done = self.jarvis("task", "run", "--memory", "64MiB", "--cpu", "0.5", "busybox", "--",
                           "sh", "-c", "echo hello from $(hostname)")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^hello from t-\d+\n$")
        path = self.machine.path("task.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("name: word-count\nimage: busybox\ncommand: [wc, -w, /data/input.txt]\n"
                       "resources: {cpuMillis: 500, memoryBytes: 67108864}\n"
                       f"mounts: [{{source: {self.readable}, target: /data}}]\n"
                       "timeouts: {running: 60s}\nretry: {maxAttempts: 3}\n")
        with open(os.path.join(self.readable, "input.txt"), "w", encoding="utf-8") as file:
            file.write("three words here\n")
        done = self.jarvis("task", "run", "-f", path)
        self.assertEqual(done.stdout.split(), ["3", "/data/input.txt"], done.stderr)
        for command in (["task", "list"], ["node", "list"], ["status"], ["version"]):
            self.assertEqual(self.jarvis(*command).returncode, 0, command)

    def test_curl(self):
        body = {"spec": {"image": "busybox", "command": ["echo", "hello"], "requestId": "r-1"}}
        task = json.loads(run(["curl", "-sf", f"{self.url}/v1/tasks", "-d",
                               json.dumps(body)]).stdout)["task"]["id"]
        waited = run(["curl", "-sf", f"{self.url}/v1/tasks/{task}:wait?timeout=20s"])
        self.assertTrue(json.loads(waited.stdout)["finished"], waited.stdout)
        lines = run(["curl", "-sfN", f"{self.url}/v1/tasks/{task}/logs?follow=true"]).stdout
        chunk = json.loads(lines.splitlines()[0])["result"]["chunk"]
        self.assertEqual(base64.b64decode(chunk["data"]), b"hello\n")
        page = run(["curl", "-sf", f"{self.url}/v1/tasks?"
                    "filter.states=TASK_STATE_SUCCEEDED&pageSize=10"])
        self.assertIn(task, [one["id"] for one in json.loads(page.stdout)["tasks"]])
        self.assertIn("jarvis_tasks_running", run(["curl", "-sf", f"{self.url}/metrics"]).stdout)


if __name__ == "__main__":
    case.main()
