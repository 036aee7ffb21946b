#!/usr/bin/python3
"""Executors from shared objects: the example of docs/examples/executor, built in its own workspace
by its own Bazel, loaded by a real worker; and what a worker says of files that are none."""

import os
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, places, workspace  # noqa: E402
from testing.process.harness.containers import SERVER_FLAGS  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402


class PluginCase(case.MachineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plugin = os.path.join(workspace.build(cls.machine, "executor", "//:snippet.so"),
                                  "snippet.so")
        cls.server = Server(cls.machine, **SERVER_FLAGS).start()
        cls.worker = Worker(cls.machine, cls.server, plugins=cls.plugins("shell: /bin/sh"))
        cls.worker.start()

    @classmethod
    def plugins(cls, options, path=None, name="snippet"):
        return f"[{{name: {name}, path: {path or cls.plugin}, options: {{{options}}}}}]"

    @classmethod
    def directories_to_be_empty(cls):
        return [cls.machine.path("worker", "plugins", "snippet", "attempts")]

    def submit(self, *command, **spec):
        return self.server.submit(**{"executor": "snippet", "command": list(command),
                                     "network": "NETWORK_MODE_HOST", **spec})

    def ended(self, task, state, reason=None):
        status = self.server.finished(task)["status"]
        self.assertEqual(status["state"], "TASK_STATE_" + state, status)
        if reason is not None:
            self.assertEqual(status["failure_reason"], "FAILURE_REASON_" + reason, status)
        return status

    def test_tasks_run_through_it(self):
        self.assertEqual(self.worker.node()["inventory"]["executors"], ["noop", "snippet"])
        tasks = [self.submit(f"echo {i} $A $1; exit {i % 2 * 3}", args=["x"], env={"A": "a"})
                 for i in range(20)]
        for i, task in enumerate(tasks):
            status = self.ended(task, "FAILED" if i % 2 else "SUCCEEDED",
                                "EXIT_CODE" if i % 2 else None)
            self.assertEqual(status.get("exit_code", 0), i % 2 * 3)
            self.assertEqual(self.server.log_of(task).decode(), f"{i} a x\n")

    def test_a_long_log_is_whole(self):
        task = self.submit("seq 1 60000; sleep 0.3; seq 1 10")
        self.ended(task, "SUCCEEDED")
        lines = self.server.log_of(task).split()
        self.assertEqual([int(line) for line in lines], [*range(1, 60001), *range(1, 11)])

    def test_cancel_and_timeout(self):
        task = self.submit("trap 'echo bye; exit 4' TERM; sleep 1000.71 & wait")
        eventually(lambda: self.sleeping("1000.71"), bool)
        self.server.grpc.call("CancelTask", {"id": task})
        self.ended(task, "CANCELLED")
        self.assertEqual(self.server.log_of(task), b"bye\n")
        slow = self.submit("trap '' TERM; while :; do sleep 1000.72; done",
                           timeouts={"running": "0.3s", "grace": "0.3s"})
        self.ended(slow, "FAILED", "RUNNING_TIMEOUT")
        self.assertEqual(self.sleeping("1000.7"), [])

    def sleeping(self, seconds):
        # The snippet is of nobody's cgroup and environment.
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                    line = file.read()
            except OSError:
                continue
            if line.startswith(f"sleep\0{seconds}"):
                found.append(pid)
        return found

    def test_what_it_cannot_give_is_refused(self):
        status = self.ended(self.submit("true", image="busybox"), "FAILED", "REJECTED")
        self.assertIn("spec.image", status["message"])

    def test_the_worker_is_killed(self):
        """Snippets die with their worker; the task is tried again, and no two live at once."""
        task = self.submit("sleep 1000.73")
        eventually(lambda: self.sleeping("1000.73"), bool)
        self.worker.kill()
        eventually(lambda: self.sleeping("1000.73"), lambda left: not left, 5)
        self.worker.start()
        eventually(lambda: self.server.task(task)["status"].get("attempt"), lambda n: n == 2)
        eventually(lambda: self.sleeping("1000.73"), lambda found: len(found) == 1)
        self.server.grpc.call("CancelTask", {"id": task})
        self.ended(task, "CANCELLED")
        self.assertEqual(self.worker.stop(), 0)
        self.worker.start()

    def test_a_plugin_that_cannot_be_loaded_is_said_at_the_start(self):
        text = self.machine.path("text.so")
        with open(text, "w", encoding="ascii") as file:
            file.write("no shared object\n")
        for flag, words, code in (
                (self.plugins("", "/nowhere/x.so"), "plugin snippet: /nowhere/x.so: No such", 69),
                (self.plugins("", text), "cannot be loaded", 69),
                (self.plugins("", places.find("testing/unit/worker_plugin/nothing.so")),
                 "does not export jarvis_executor_plugin", 69),
                (self.plugins("", places.find("testing/unit/worker_plugin/later.so")),
                 "is of version 2 of the executor ABI, and this worker has version 1", 69),
                (self.plugins("color: red"), 'there is no option "color"', 69),
                (self.plugins("shell: /nowhere"), "/nowhere, /usr/bin/setpriv and", 69),
                (self.plugins("", "relative.so"), "must be absolute", 78),
                (self.plugins("", name="runc"), "none of runc", 78)):
            started = time.monotonic()
            worker = Worker(self.machine, self.server, "other", plugins=flag)
            self.assertEqual((worker.run_to_end()[0], words in worker.log()), (code, True),
                             worker.log())
            self.assertLess(time.monotonic() - started, 10)


if __name__ == "__main__":
    case.main()
