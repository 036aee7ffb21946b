#!/usr/bin/python3
"""Tasks run to their end by a real worker's no-op executor: placement, results, logs, sessions."""

import os
import signal
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402


class WorkerCase(case.ServerCase):
    flags = {"scheduler__lease": "3s", "scheduler__heartbeat": "500ms", "scheduler__fence": "500ms"}
    worker_flags = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker = Worker(cls.machine, cls.server, **cls.worker_flags).start()

    def noop(self, *command, **spec):
        return self.server.submit(executor="noop", command=list(command), **spec)


class Runs(WorkerCase):
    worker_flags = {"node__labels": "{zone: a, disk: ssd}",
                    "capacity__custom": "{licences: 2}"}

    def test_results(self):
        ended = self.server.finished(self.noop())
        self.assertEqual(ended["status"]["state"], "TASK_STATE_SUCCEEDED")
        self.assertEqual(ended["status"]["node"], "worker")
        self.assertEqual(ended["status"]["attempt"], 1)
        ended = self.server.finished(self.noop("exit", "7"))
        self.assertEqual(ended["status"]["state"], "TASK_STATE_FAILED")
        self.assertEqual(ended["status"]["failure_reason"], "FAILURE_REASON_EXIT_CODE")
        self.assertEqual(ended["status"]["exit_code"], 7)

    def test_a_hangup_stops_nothing(self):
        self.worker.signal(signal.SIGHUP)
        eventually(self.worker.log, lambda log: "worker.reload" in log)
        ended = self.server.finished(self.noop())
        self.assertEqual(ended["status"]["state"], "TASK_STATE_SUCCEEDED")

    def test_logs_over_both(self):
        task = self.noop("print", "hello\nworld\n")
        ended = self.server.finished(task)
        self.assertEqual(int(ended["status"]["log_bytes"]), 12)
        self.assertEqual(self.server.log_of(task), b"hello\nworld\n")
        for request in ({}, {"offset": 6}, {"tail_lines": 1}, {"follow": True},
                        {"stream": "LOG_STREAM_STDERR"}, {"attempt": 1}, {"offset": 100}):
            with self.subTest(request=request):
                self.assertEqual(self.server.grpc.call("GetTaskLogs", {"id": task, **request}),
                                 self.server.rest.call("GetTaskLogs", {"id": task, **request}))

    def test_both_transports_show_the_same_task_and_node(self):
        task = self.noop("exit", "1")
        self.server.finished(task)
        time.sleep(0.1)
        for method, request in [("GetTask", {"id": task}), ("ListTasks", {}),
                                ("WaitTask", {"id": task})]:
            with self.subTest(method=method):
                self.assertEqual(self.server.grpc.call(method, request),
                                 self.server.rest.call(method, request))
        for method, request in [("ListNodes", {}), ("GetNode", {"id": "worker"})]:
            with self.subTest(method=method):
                both = [client.call(method, request) for _, client in self.server.clients()]
                for answer in both:
                    for node in answer.get("nodes", [answer.get("node")]):
                        node.pop("last_seen_time", None)
                self.assertEqual(*both)

    def test_the_inventory_is_shown(self):
        inventory = self.worker.node()["inventory"]
        self.assertEqual(inventory["labels"], {"zone": "a", "disk": "ssd"})
        self.assertEqual(inventory["executors"], ["noop"])
        self.assertEqual(inventory["capacity"]["cpu_millis"], "8000")
        self.assertEqual(inventory["capacity"]["custom"], {"licences": "2"})
        self.assertTrue(inventory["kernel"] and inventory["hostname"])

    def test_retries_and_their_back_off(self):
        began = time.monotonic()
        task = self.noop("exit", "3", retry={
            "max_attempts": 3, "backoff_initial": "0.2s", "backoff_max": "0.3s"})
        ended = self.server.finished(task)
        self.assertGreaterEqual(time.monotonic() - began, 0.35)
        self.assertEqual(ended["status"]["attempt"], 3)
        self.assertEqual(ended["status"]["failed_attempts"], 3)
        task = self.noop("exit", "3", retry={"max_attempts": 3, "exit_codes": [4]})
        self.assertEqual(self.server.finished(task)["status"]["attempt"], 1)

    def test_cancel_while_running(self):
        task = self.noop("sleep", "60000")
        self.server.until(task, "RUNNING")
        answer = self.server.grpc.call("CancelTask", {"id": task, "reason": "enough"})
        self.assertIn(answer["task"]["status"]["state"],
                      ("TASK_STATE_STOPPING", "TASK_STATE_CANCELLED"))
        ended = self.server.finished(task)
        self.assertEqual(ended["status"]["state"], "TASK_STATE_CANCELLED")
        self.assertEqual(ended["status"]["cancel_reason"], "enough")

    def test_time_limits(self):
        task = self.noop("sleep", "60000", timeouts={"running": "0.3s"})
        ended = self.server.finished(task)
        self.assertEqual(ended["status"]["failure_reason"], "FAILURE_REASON_RUNNING_TIMEOUT")
        task = self.noop("sleep", "60000", timeouts={"no_output": "0.3s"})
        ended = self.server.finished(task)
        self.assertEqual(ended["status"]["failure_reason"], "FAILURE_REASON_NO_OUTPUT_TIMEOUT")

    def test_a_waiting_task_says_why_and_until_when(self):
        full = self.noop("sleep", "60000", resources={"cpu_millis": 7950})
        self.server.until(full, "RUNNING")
        task = self.noop(timeouts={"queued": "1s"}, resources={"cpu_millis": 100})
        pending = self.server.task(task)["status"]["pending"]
        self.assertEqual(pending["exclusions"][0]["condition"], "cpu")
        self.assertRegex(pending["exclusions"][0]["remedy"], "100.*50")
        ended = self.server.finished(task)
        self.assertEqual(ended["status"]["failure_reason"], "FAILURE_REASON_QUEUED_TIMEOUT")
        self.server.grpc.call("CancelTask", {"id": full})
        self.server.finished(full)

    def test_constraints_choose_and_explain(self):
        def one(key, operator, *values):
            return [{"key": key, "operator": "CONSTRAINT_OPERATOR_" + operator,
                     "values": list(values)}]

        for good in (one("zone", "IN", "a", "b"), one("zone", "NOT_IN", "b"),
                     one("disk", "EXISTS"), one("gpu", "NOT_EXISTS"), one("node", "IN", "worker")):
            with self.subTest(good=good):
                self.server.finished(self.noop(constraints=good))
        for bad, said in ((one("zone", "IN", "b"), "zone"), (one("gpu", "EXISTS"), "gpu"),
                          (one("disk", "NOT_EXISTS"), "disk"), (one("node", "IN", "x"), "node")):
            with self.subTest(bad=bad):
                self.impossible(said, constraints=bad)

    def impossible(self, said, **spec):
        """What no node could ever run is refused at once, with the reason."""
        refused = self.both_refuse("FAILED_PRECONDITION", None, "SubmitTask",
                                   {"spec": {"executor": "noop", **spec}})
        self.assertIn("no node could ever run", refused.message)
        self.assertIn(said, refused.message)

    def test_what_is_too_large_for_every_node(self):
        for resources, said in (({"cpu_millis": 9000}, "cpu"),
                                ({"memory_bytes": 4 << 30}, "memory"),
                                ({"custom": {"licences": 3}}, "licences"),
                                ({"custom": {"unicorns": 1}}, "unicorns"),
                                ({"disk_bytes": 1 << 59}, "disk")):
            with self.subTest(resources=resources):
                self.impossible(said, resources=resources)

    def test_an_executor_that_no_node_has(self):
        self.impossible("quantum", executor="quantum", image="x")

    def test_priorities(self):
        """With room for one at a time, the more important ones go first."""
        full = self.noop("sleep", "700", resources={"cpu_millis": 8000})
        self.server.until(full, "RUNNING")
        start = int(self.server.grpc.call("GetStats")["revision"])
        tasks = {self.noop(priority=p, resources={"cpu_millis": 8000}): p for p in (0, 5, -5, 10)}
        call = self.server.grpc.begin("WatchTasks", {
            "from_revision": start, "filter": {"states": ["TASK_STATE_ASSIGNED"]}})
        self.assertEqual([tasks[next(call).task.id] for _ in range(4)], [10, 5, 0, -5])
        call.cancel()

    def test_a_burst_is_worked_off(self):
        ids = [self.noop(resources={"cpu_millis": 1, "memory_bytes": 4 << 20}) for _ in range(300)]
        for task in ids:
            self.assertEqual(self.server.finished(task)["status"]["state"], "TASK_STATE_SUCCEEDED")
        node = self.worker.node()
        self.assertEqual(node.get("attempts", 0), 0)
        self.assertEqual(int(node["allocated"].get("cpu_millis", 0)), 0)

    def test_watch_shows_a_whole_life(self):
        start = int(self.server.grpc.call("GetStats")["revision"])
        task = self.noop("sleep", "100")
        self.server.finished(task)
        call = self.server.grpc.begin("WatchTasks", {"from_revision": start, "id": task})
        states = []
        while not states or states[-1] != "TASK_STATE_SUCCEEDED":
            states.append(self.server.grpc.schema.to_dict(next(call))["task"]["status"]["state"])
        call.cancel()
        self.assertEqual(states[0], "TASK_STATE_QUEUED")
        self.assertEqual(states, sorted(states, key=[
            "TASK_STATE_QUEUED", "TASK_STATE_ASSIGNED", "TASK_STATE_STARTING",
            "TASK_STATE_RUNNING", "TASK_STATE_SUCCEEDED"].index))
        self.assertIn("TASK_STATE_RUNNING", states)


class Faults(WorkerCase):
    def test_a_server_that_crashes_and_comes_back(self):
        running = self.noop("sleep", "2500")
        self.server.until(running, "RUNNING")
        waiting = self.noop(resources={"cpu_millis": 8000})
        self.server.restart(kill=True)
        self.worker.until_state("NODE_STATE_READY")
        status = self.server.finished(running)["status"]
        self.assertEqual((status["state"], status["attempt"]), ("TASK_STATE_SUCCEEDED", 1))
        status = self.server.finished(waiting)["status"]
        self.assertEqual((status["state"], status["attempt"]), ("TASK_STATE_SUCCEEDED", 1))

    def test_a_worker_that_is_killed_loses_what_it_cannot_adopt(self):
        """The no-op executor keeps nothing: its attempt is lost, and tried again."""
        task = self.noop("sleep", "1500")
        self.server.until(task, "RUNNING")
        self.worker.restart(kill=True)
        status = self.server.finished(task)["status"]
        self.assertEqual(status["state"], "TASK_STATE_SUCCEEDED")
        self.assertEqual((status["attempt"], status["lost_attempts"]), (2, 1))

    def test_a_node_that_does_not_come_back(self):
        task = self.noop("sleep", "60000", retry={"max_lost": 1})
        self.server.until(task, "RUNNING")
        self.worker.kill()
        self.worker.until_state("NODE_STATE_LOST")
        task_now = self.server.until(task, "QUEUED", "FAILED", seconds=10)
        self.assertEqual(task_now["status"]["lost_attempts"], 1)
        self.assertEqual(task_now["status"]["failure_reason"], "FAILURE_REASON_NODE_LOST")
        self.worker.start()
        self.server.grpc.call("CancelTask", {"id": task})
        self.server.finished(task)

    def test_a_worker_that_is_stopped_for_a_while_is_fenced(self):
        """SIGSTOP beyond the lease: the next attempt runs elsewhere; the first must not count."""
        import signal
        task = self.noop("sleep", "4000", retry={"max_lost": 3})
        self.server.until(task, "RUNNING")
        self.worker.signal(signal.SIGSTOP)
        other = Worker(self.machine, self.server, "other").start()
        eventually(lambda: self.server.task(task)["status"],
                   lambda status: status.get("node") == "other", 15)
        self.worker.signal(signal.SIGCONT)
        status = self.server.finished(task)["status"]
        self.assertEqual((status["state"], status["node"], status["attempt"]),
                         ("TASK_STATE_SUCCEEDED", "other", 2))
        self.assertEqual(other.stop(), 0)
        self.worker.until_state("NODE_STATE_READY")

    def test_two_workers_with_one_name(self):
        twin = Worker(self.machine, self.server, "twin", node__name="worker")
        twin.spawn()
        time.sleep(1)
        self.assertEqual(self.worker.node()["state"], "NODE_STATE_READY")
        self.assertEqual(self.server.finished(self.noop())["status"]["state"],
                         "TASK_STATE_SUCCEEDED")
        self.assertIn("worker", twin.log())
        twin.end()
        self.worker.until_state("NODE_STATE_READY")


class Embedded(case.MachineCase):
    def test_one_process_is_a_whole_system(self):
        server = Server(self.machine, worker__enabled="true", worker__executors="noop",
                        **{"worker__state.path": self.machine.path("worker"),
                           "worker__node.name": "inside"}).start()
        eventually(lambda: server.grpc.call("ListNodes").get("nodes"), lambda nodes: nodes)
        task = server.submit(executor="noop", command=["print", "hello"])
        status = server.finished(task)["status"]
        self.assertEqual((status["state"], status["node"]), ("TASK_STATE_SUCCEEDED", "inside"))
        self.assertEqual(server.log_of(task), b"hello")
        self.assertEqual(server.grpc.call("GetHealth")["status"], "HEALTH_STATUS_HEALTHY")
        sleeping = server.submit(executor="noop", command=["sleep", "60000"])
        server.until(sleeping, "RUNNING")
        self.assertEqual(server.stop(), 0)
        server.start()
        server.until(sleeping, "RUNNING", seconds=40)
        server.grpc.call("CancelTask", {"id": sleeping})
        server.finished(sleeping)


if __name__ == "__main__":
    case.main()
