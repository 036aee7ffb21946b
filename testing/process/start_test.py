#!/usr/bin/python3
"""A worker that cannot start says why and what to do; one that waits for its server, waits."""

import os
import re
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case  # noqa: E402
from testing.process.harness.containers import SMALL, ContainerCase  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402

EX_CONFIG, EX_NOPERM = 78, 77
NOBODY = 65534


class CannotStart(ContainerCase):
    def fails(self, *said, code=None, user=None, **flags):
        """A worker of its own, that must end by itself and say so."""
        name = f"w{len(self.machine.programs)}"
        settings = {**self.flags_of_the_worker(), "node.name": name,
                    "state.path": self.machine.path(name), **flags}
        worker = Worker(self.machine, self.server, name, **settings)
        worker.user = user
        ended, text = worker.run_to_end()
        self.assertGreater(ended, 0, text)
        if code is not None:
            self.assertEqual(ended, code, text)
        for words in said:
            self.assertRegex(text, words)

    def test_no_runc(self):
        self.fails("/nowhere/runc", "install|runtime.path", **{"runtime.path": "/nowhere/runc"})

    def test_a_runtime_that_is_none(self):
        self.fails("/bin/false", **{"runtime.path": "/bin/false"})

    def test_no_shim(self):
        self.fails("/nowhere/shim", **{"runtime.shim": "/nowhere/shim"})

    def test_no_cgroups(self):
        self.fails("/nowhere", **{"cgroup.root": "/nowhere"})

    def test_no_root(self):
        os.chmod(self.machine.directory, 0o755)
        path = self.machine.path("nobodys")
        os.mkdir(path)
        os.chown(path, NOBODY, NOBODY)
        self.fails("root", code=EX_NOPERM, user=NOBODY, **{"state.path": path})

    def test_the_state_directory_is_in_use(self):
        self.fails(re.escape(self.state), "in use|another|running", **{"state.path": self.state})
        self.assertEqual(self.output(self.sh("echo unharmed")), "unharmed\n")

    def test_wrong_configuration(self):
        self.fails("executors", "quantum", code=EX_CONFIG, executors="quantum")
        self.fails("node.name", code=EX_CONFIG, **{"node.name": "Bad Name"})
        self.fails("state.path", code=EX_CONFIG, **{"state.path": "relative"})
        self.fails("mounts", code=EX_CONFIG, mounts="[{path: relative}]")
        self.fails("images.names", code=EX_CONFIG, **{"images.names": "{a: docker://B}"})
        self.fails("seccomp", **{"runtime.seccomp": "/nowhere.json"})

    def test_an_embedded_worker_that_cannot_start_stops_the_server(self):
        flags = {"worker." + key: value for key, value in self.flags_of_the_worker().items()}
        server = Server(self.machine, "broken", **{
            **flags, "worker.enabled": "true", "worker.state.path": self.machine.path("w-broken"),
            "worker.runtime.path": "/nowhere/runc"})
        code, text = server.run_to_end()
        self.assertNotEqual(code, 0)
        self.assertIn("/nowhere/runc", text)
        self.assertIn("embedded worker", text)

    def test_a_worker_waits_for_its_server(self):
        server = Server(self.machine, "late")
        server.start()
        server.stop()
        worker = Worker(self.machine, server, "early")
        worker.spawn()
        time.sleep(0.7)
        self.assertIsNone(worker.process.poll(), "it must wait")
        server.start(keep_ports=True)
        worker.until_state("NODE_STATE_READY")
        self.assertEqual(worker.stop(), 0)
        self.assertEqual(server.stop(), 0)


class SlowRuntime(ContainerCase):
    """A runtime that takes its time, by a script in front of runc."""

    @classmethod
    def flags_of_the_worker(cls):
        script = cls.machine.path("slow-runc")
        with open(script, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n"
                       f"case \" $* \" in *' run '*|*' create '*) test -e {cls.machine.path()}/slow"
                       " && exec sleep 20;; esac\nexec runc \"$@\"\n")
        os.chmod(script, 0o755)
        return {**super().flags_of_the_worker(), "runtime.path": script}

    def test_a_start_that_takes_too_long(self):
        self.assertEqual(self.output(self.sh("echo fast")), "fast\n")
        slow = self.machine.path("slow")
        with open(slow, "w", encoding="ascii"):
            pass
        began = time.monotonic()
        task = self.sh("echo never", timeouts={"starting": "0.7s", "grace": "0.3s"})
        cancelled = self.sh("echo never", timeouts={"grace": "0.3s"})
        self.server.until(cancelled, "STARTING")
        self.server.grpc.call("CancelTask", {"id": cancelled})
        self.ended(task, "FAILED", "STARTING_TIMEOUT")
        self.ended(cancelled, "CANCELLED")
        self.assertLess(time.monotonic() - began, 10)
        os.remove(slow)
        self.assertEqual(self.output(self.sh("echo fast again")), "fast again\n")


class Crowd(ContainerCase):
    def test_more_tasks_than_fit(self):
        """Two dozen containers through room for sixteen, each with its own result."""
        tasks = [self.sh(f"echo {i}; exit {i % 3}", resources=SMALL) for i in range(24)]
        for i, task in enumerate(tasks):
            self.ended(task, "FAILED" if i % 3 else "SUCCEEDED", exit_code=i % 3)
            self.assertEqual(self.server.log_of(task), f"{i}\n".encode())
        eventually(lambda: self.worker.node(), lambda node: not node.get("attempts"))


if __name__ == "__main__":
    case.main()
