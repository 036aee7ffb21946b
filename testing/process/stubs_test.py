#!/usr/bin/python3
"""The programs of docs/examples in Python, Node, Go and C++, as their readers build and run them.

All four are the same program, so each story is told of all of them, at the same time.
"""

import os
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, places  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402

SECONDS = 60
EXIT_DEADLINE = 124
EXIT_NONE = 125


def npm_modules():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "jarvis/npm/node_modules")


def programs(messages):
    """What runs each, with what it needs in its environment."""
    return {
        "python": (["/usr/bin/python3", "docs/examples/python/run_task.py"],
                   {"PYTHONPATH": messages}),
        "node": (["node", "docs/examples/node/run_task.js"],
                 {"NODE_PATH": npm_modules(), "JARVIS_PROTOS": os.path.realpath("proto")}),
        "go": ([places.find("testing/process/stubs/go/run_task")], {}),
        "cpp": ([places.find("testing/process/stubs/cpp/run_task")], {}),
    }


class Ended:
    def __init__(self, name, process):
        try:
            self.stdout, self.stderr = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            self.stdout, self.stderr = process.communicate()
            self.stderr += f"\nit did not end within {SECONDS} s"
        self.code = process.returncode
        self.shown = f"{name}: exit {self.code}\n{self.stdout}\n{self.stderr}"


class Stubs(ContainerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.messages = cls.machine.path("python")
        subprocess.run(["docs/examples/python/build", "proto", cls.messages], check=True)

    def start(self, *arguments, server=True):
        """All programs, with at most one option before the server; of each its process."""
        place = [f"127.0.0.1:{self.server.grpc_port}"] if server else []
        started = {}
        for name, (command, extra) in programs(self.messages).items():
            words = [word(name) if callable(word) else word for word in arguments]
            split = 2 if words and words[0].startswith("--") else 0
            started[name] = subprocess.Popen(
                command + words[:split] + place + words[split:],
                env={**self.machine.environment(), **extra}, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return started

    def ends(self, started):
        """How each ended."""
        return [(name, Ended(name, process)) for name, process in started.items()]

    def run_all(self, *arguments):
        return self.ends(self.start(*arguments))

    def tasks(self):
        return len(self.server.grpc.call("ListTasks", {"page_size": 1000}).get("tasks", []))

    def touch_in_containers(self, name):
        for pid in self.machine.processes():
            root = f"/proc/{pid}/root"
            if os.path.exists(os.path.join(root, "dev/jarvis")):
                with open(os.path.join(root, name), "w", encoding="ascii"):
                    pass

    def test_output_and_exit_code_are_those_of_the_task(self):
        script = "echo hello; echo oops >&2; exit 3"
        for _, ended in self.run_all("busybox", "sh", "-c", script):
            self.assertEqual(ended.stdout, "hello\n", ended.shown)
            self.assertIn("oops\n", ended.stderr, ended.shown)
            self.assertRegex(ended.stderr, r"t-\d+: .*code 3", ended.shown)
            self.assertEqual(ended.code, 3, ended.shown)
        for _, ended in self.run_all("busybox", "echo", "--fine", "\u00e4"):
            self.assertEqual((ended.code, ended.stdout, ended.stderr), (0, "--fine \u00e4\n", ""),
                             ended.shown)

    def test_a_task_without_an_exit_code(self):
        for _, ended in self.run_all("busybox", "/no/such/command"):
            self.assertRegex(ended.stderr, r"t-\d+: .*/no/such/command")
            self.assertNotEqual(ended.code, 0, ended.shown)

    def test_a_refusal_names_the_field(self):
        for _, ended in self.run_all("docker://ALPINE", "true"):
            self.assertRegex(ended.stderr, "^(INVALID_ARGUMENT|InvalidArgument): ", ended.shown)
            self.assertRegex(ended.stderr, r"(?m)^  spec\.image: .+", ended.shown)
            self.assertEqual((ended.code, ended.stdout), (EXIT_NONE, ""), ended.shown)

    def test_the_same_request_again_is_the_same_task(self):
        before = self.tasks()
        ids = {name: str(uuid.uuid4()) for name in programs("")}
        one = ["--request-id", ids.get, "busybox", "sh", "-c", "hostname"]
        first = {name: ended.stdout for name, ended in self.run_all(*one)}
        for name, ended in self.run_all(*one):
            self.assertRegex(first[name], r"^t-\d+\n$")
            self.assertEqual((ended.code, ended.stdout), (0, first[name]), ended.shown)
        self.assertEqual(self.tasks(), before + len(ids))
        for name, ended in self.run_all("--request-id", ids.get, "busybox", "sh", "-c", "id"):
            self.assertRegex(ended.stderr, "^(ALREADY_EXISTS|AlreadyExists): ")
            self.assertIn("  spec.request_id: ", ended.stderr)
            self.assertIn(f"for {first[name].strip()};", ended.stderr)
            self.assertEqual(ended.code, EXIT_NONE, ended.shown)

    def test_the_deadline(self):
        def one_second(name):
            return "1s" if name == "go" else "1"
        started = time.monotonic()
        for _, ended in self.run_all("--deadline", one_second, "busybox", "sleep", "8"):
            self.assertRegex(ended.stderr, "^(DEADLINE_EXCEEDED|DeadlineExceeded): ")
            self.assertEqual(ended.code, EXIT_DEADLINE, ended.shown)
        self.assertGreaterEqual(time.monotonic() - started, 1)

    def test_a_server_that_comes_and_goes(self):
        before = self.tasks()
        script = "echo one; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo two; exit 9"
        self.server.stop()
        started = self.start("busybox", "sh", "-c", script)
        time.sleep(1)  # They have been refused at least once.
        self.server.start(keep_ports=True)
        outputs = {name: process.stdout.readline() for name, process in started.items()}
        self.assertEqual(outputs, {name: "one\n" for name in started})
        self.server.restart(kill=True)
        self.touch_in_containers("tmp/go")
        for _, ended in self.ends(started):
            # From where it broke: "one" is not printed again.
            self.assertEqual((ended.code, ended.stdout), (9, "two\n"), ended.shown)
        self.assertEqual(self.tasks(), before + len(started))

    def test_wrong_usage_is_explained(self):
        for _, ended in self.ends(self.start(server=False)):
            self.assertIn("usage: ", ended.stderr)
            self.assertIn(ended.code, (2, 64), ended.shown)


if __name__ == "__main__":
    case.main()
