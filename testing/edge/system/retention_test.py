#!/usr/bin/python3
"""Thousands of short tasks lose no line; finished ones go when time, number or size is over."""

import os
import sys
import threading
import time

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402

from testing.process.harness import case  # noqa: E402
from testing.process.harness.api import Grpc, Refused  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402

LEASE = {"scheduler__lease": "3s", "scheduler__heartbeat": "500ms", "scheduler__fence": "500ms"}
TASKS = 2000
CLIENTS = 4


class Lines(case.ServerCase):
    flags = LEASE

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker = Worker(cls.machine, cls.server, capacity__cpu_millis=1000000,
                            capacity__memory="64TiB").start()

    def keep_asking(self, ask):
        """A client that does not give up: a server that was killed comes back."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return ask()
            except (grpc.RpcError, Refused) as error:
                code = getattr(error, "code")
                code = code() if callable(code) else code
                if "UNAVAILABLE" not in str(code) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def submit_all(self, first, lines):
        client = Grpc(self.server.grpc_port)
        self.addCleanup(client.close)
        for i in range(first, TASKS, CLIENTS):
            text = f"line {i} of this test\n"
            spec = {"executor": "noop", "command": ["print", text], "request_id": f"r-{i}"}
            answer = self.keep_asking(
                lambda s=spec: client.call("SubmitTask", {"spec": s}))
            lines[answer["task"]["id"]] = text

    def test_thousands_of_tasks_print_one_line_each_and_none_is_lost(self):
        """Also not when the server is killed in the middle of it."""
        lines = {}
        clients = [threading.Thread(target=self.submit_all, args=(first, lines))
                   for first in range(CLIENTS)]
        for client in clients:
            client.start()
        eventually(lambda: len(lines), lambda count: count > TASKS // 2, 60)
        self.server.restart(kill=True)
        for client in clients:
            client.join()
        self.assertEqual(len(lines), TASKS)
        for task, text in lines.items():
            ended = self.server.finished(task)
            self.assertEqual(ended["status"]["state"], "TASK_STATE_SUCCEEDED")
            self.assertEqual(int(ended["status"]["log_bytes"]), len(text))
            self.assertEqual(self.server.log_of(task), text.encode())


class Limits(case.MachineCase):
    """Time, number and size; for all queues, for one, and for one task."""

    def setUp(self):
        self.server = Server(
            self.machine, retention__time="1h", retention__tasks=100, retention__bytes="1MiB",
            queues="[{name: brief, retention: {time: 1s}}, {name: few, retention: {tasks: 3}}]",
            **LEASE).start()
        self.addCleanup(self.server.end)
        self.worker = Worker(self.machine, self.server, capacity__cpu_millis=1000000,
                             capacity__memory="64TiB").start()
        self.addCleanup(self.worker.end)

    def run_one(self, queue="default", text="x", **spec):
        task = self.server.submit(executor="noop", command=["print", text], queue=queue, **spec)
        self.server.finished(task)
        return task

    def kept(self, queue):
        answer = self.server.grpc.call("ListTasks", {"filter": {"queues": [queue]},
                                                     "page_size": 1000})
        return [task["id"] for task in answer.get("tasks", [])]

    def metric(self, name):
        lines = self.server.rest.raw("GET", "/metrics")[2].decode().splitlines()
        return [float(line.split()[1]) for line in lines if line.startswith(name + " ")][0]

    def test_limits(self):
        few = [self.run_one("few") for _ in range(8)]
        eventually(lambda: self.kept("few"), lambda kept: kept == few[:-4:-1])
        own = self.run_one("default", retention="1s")
        brief = self.run_one("brief")
        stays = self.run_one("brief", retention="3600s")
        for task in (own, brief):
            eventually(lambda t=task: self.gone(t), bool, 10)
        self.assertEqual(self.kept("brief"), [stays])
        # A hundred at most; and it is the same after a restart, which knows only sums.
        many = [self.run_one() for _ in range(120)]
        self.check_hundred(many)
        self.server.restart(kill=True)
        self.worker.until_state("NODE_STATE_READY")
        self.check_hundred(many)
        # Their sizes count with their specs and logs, here 64 KiB each: eight are a MiB.
        large = [self.run_one(text="y" * 65000) for _ in range(15)]
        kept = eventually(lambda: self.kept("default"), lambda ids: len(ids) <= 8)
        self.assertEqual(kept, large[:-len(kept) - 1:-1])
        self.assertGreaterEqual(len(kept), 7)
        for task in kept:
            self.assertEqual(self.server.log_of(task), b"y" * 65000)
        self.check_metrics()

    def check_hundred(self, many):
        kept = eventually(lambda: self.kept("default"), lambda ids: len(ids) <= 100)
        self.assertGreaterEqual(len(kept), 98)
        self.assertEqual(kept, many[:-len(kept) - 1:-1])

    def gone(self, task):
        try:
            self.server.task(task)
            return False
        except Refused as refused:
            self.assertEqual(refused.code, "NOT_FOUND")
            self.assertIn("retention", refused.message)
            return True

    def check_metrics(self):
        finished = sum(len(self.kept(queue)) for queue in ("default", "few", "brief"))
        self.assertEqual(self.metric("jarvis_tasks_finished"), finished)
        self.assertGreater(self.metric("jarvis_tasks_removed_total"), 90)
        self.assertLess(self.metric("jarvis_tasks_finished_bytes"), 1.1 * 1024 * 1024)


if __name__ == "__main__":
    case.main()
