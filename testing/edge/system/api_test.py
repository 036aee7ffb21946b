#!/usr/bin/python3
"""Every call of the public API on a server without workers, over gRPC and REST alike."""

import base64
import json
import os
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case  # noqa: E402

SPEC = {
    "name": "whole",
    "queue": "night",
    "labels": {"team": "search", "a/b.c": "ä"},
    "priority": 7,
    "image": "busybox",
    "command": ["sh", "-c"],
    "args": ["echo ä"],
    "env": {"GREETING": "hello"},
    "working_directory": "/tmp",
    "user": "1000:1000",
    "mounts": [{"source": "/srv/data", "target": "/data", "writable": True}],
    "resources": {"cpu_millis": "250", "memory_bytes": "67108864", "pids": "64",
                  "disk_bytes": "1024", "custom": {"licences": "2"}},
    "timeouts": {"queued": "86400s", "starting": "60s", "running": "3.500s", "no_output": "9s",
                 "grace": "1s"},
    "retry": {"max_attempts": 3, "max_lost": 2, "backoff_initial": "2s", "backoff_max": "10s",
              "on": ["FAILURE_REASON_EXIT_CODE"], "exit_codes": [3, 4]},
    "constraints": [{"key": "zone", "operator": "CONSTRAINT_OPERATOR_IN", "values": ["a", "b"]}],
    "network": "NETWORK_MODE_NONE",
    "executor": "runc",
    "on_disconnect": "ON_DISCONNECT_STOP",
    "log_limits": {"max_bytes": "4096"},
    "request_id": "whole-1",
    "no_init": True,
    "read_only_rootfs": True,
}


def without_time(answer):
    """An answer without what differs between two calls by nature."""
    text = json.dumps(answer, sort_keys=True)
    return json.loads(text)


class Tasks(case.ServerCase):
    def test_a_whole_spec_comes_back_as_it_was_sent(self):
        for name, client in self.server.clients():
            with self.subTest(transport=name):
                spec = dict(SPEC, request_id=f"whole-{name}")
                answer = client.call("SubmitTask", {"spec": spec})
                self.assertEqual(answer["task"]["spec"], spec)
                self.assertEqual(answer["task"]["status"]["state"], "TASK_STATE_QUEUED")
                self.assertGreater(int(answer["revision"]), 0)
                read = client.call("GetTask", {"id": answer["task"]["id"]})
                self.assertEqual(read["task"]["spec"], spec)

    def test_defaults_are_filled_in_and_shown(self):
        spec = self.server.grpc.call("SubmitTask", {"spec": {"image": "x"}})["task"]["spec"]
        self.assertEqual(spec["queue"], "default")
        self.assertEqual(spec["executor"], "runc")
        self.assertEqual(spec["resources"],
                         {"cpu_millis": "100", "memory_bytes": str(128 << 20), "pids": "1024"})
        self.assertEqual(spec["retry"]["max_attempts"], 1)
        self.assertEqual(spec["timeouts"], {"starting": "300s", "grace": "10s"})
        self.assertEqual(spec["log_limits"], {"max_bytes": str(16 << 20)})

    def test_both_transports_read_the_same(self):
        task = self.server.submit(name="same", image="x", labels={"same": "yes"})
        for method, request in [
            ("GetTask", {"id": task}),
            ("ListTasks", {"filter": {"labels": {"same": "yes"}}}),
            ("WaitTask", {"id": task, "timeout": "0s"}),
            ("ListNodes", {}),
            ("GetServerInfo", {}),
            ("GetHealth", {}),
            ("GetReadiness", {}),
            ("GetLiveness", {}),
            ("GetStats", {}),
            ("GetTaskLogs", {"id": task}),
        ]:
            with self.subTest(method=method):
                self.assertEqual(without_time(self.server.grpc.call(method, request)),
                                 without_time(self.server.rest.call(method, request)))

    def test_unversioned_paths_are_the_same_calls(self):
        task = self.server.rest.ask("POST", "/tasks", {"spec": {"image": "x"}})["task"]["id"]
        for short in [f"/tasks/{task}", "/tasks", "/nodes", f"/tasks/{task}/logs", "/health",
                      "/ready", "/alive"]:
            with self.subTest(path=short):
                self.assertEqual(self.server.rest.raw("GET", short)[::2],
                                 self.server.rest.raw("GET", "/v1" + short)[::2])
        self.refuses("NOT_FOUND", None, self.server.rest.ask, "GET", "/nodes/nowhere")
        answer = self.server.rest.ask("DELETE", f"/tasks/{task}")
        self.assertEqual(answer["task"]["status"]["state"], "TASK_STATE_CANCELLED")

    def test_cancel_of_a_waiting_task(self):
        for name, client in self.server.clients():
            with self.subTest(transport=name):
                task = self.server.submit(image="x")
                answer = client.call("CancelTask", {"id": task, "reason": "not needed any more"})
                status = answer["task"]["status"]
                self.assertEqual(status["state"], "TASK_STATE_CANCELLED")
                self.assertEqual(status["cancel_reason"], "not needed any more")
                self.assertIn("finish_time", status)
                waited = client.call("WaitTask", {"id": task})
                self.assertTrue(waited["finished"])
                again = client.call("CancelTask", {"id": task, "reason": "other"})["task"]["status"]
                self.assertEqual(again, status)

    def test_a_waiting_task_says_why(self):
        task = self.server.submit(image="x")
        pending = self.server.task(task)["status"]["pending"]
        self.assertIn("no worker is connected", pending["summary"])
        self.assertEqual(pending.get("nodes_total", 0), 0)

    def test_no_task_no_node(self):
        for method, request in [("GetTask", {"id": "t-999999"}), ("CancelTask", {"id": "t-999999"}),
                                ("WaitTask", {"id": "t-999999"}),
                                ("GetTaskLogs", {"id": "t-999999"}), ("GetNode", {"id": "nope"})]:
            with self.subTest(method=method):
                self.both_refuse("NOT_FOUND", None, method, request)

    def test_wait_with_a_timeout_answers_with_the_present_state(self):
        task = self.server.submit(image="x")
        for name, client in self.server.clients():
            with self.subTest(transport=name):
                began = time.monotonic()
                answer = client.call("WaitTask", {"id": task, "timeout": "0.3s"})
                self.assertGreaterEqual(time.monotonic() - began, 0.29)
                self.assertNotIn("finished", answer)
                self.assertEqual(answer["task"]["id"], task)

    def test_wait_with_a_deadline_ends_at_the_deadline(self):
        task = self.server.submit(image="x")
        began = time.monotonic()
        self.refuses("DEADLINE_EXCEEDED", None, self.server.grpc.call, "WaitTask", {"id": task},
                     timeout=0.4)
        self.assertLess(time.monotonic() - began, 5)
        self.refuses("DEADLINE_EXCEEDED", None, self.server.rest.ask, "GET",
                     f"/v1/tasks/{task}:wait", headers={"Grpc-Timeout": "400m"})

    def test_a_wait_ends_with_the_cancel_of_another_client(self):
        task = self.server.submit(image="x")
        waiting = self.server.grpc.begin("WaitTask", {"id": task})
        time.sleep(0.1)
        self.assertFalse(waiting.done())
        self.server.rest.call("CancelTask", {"id": task})
        self.assertTrue(waiting.result(timeout=10).finished)

    def test_statistics_and_metrics_count(self):
        before = self.server.grpc.call("GetStats")
        self.server.submit(image="x")
        after = self.server.grpc.call("GetStats")
        self.assertEqual(int(after["tasks_submitted"]), int(before.get("tasks_submitted", 0)) + 1)
        body = self.server.grpc.call("GetMetrics")
        text = base64.b64decode(body["data"]).decode()
        self.assertTrue(body["content_type"].startswith("text/plain; version=0.0.4"), body)
        self.assertIn(f"\njarvis_tasks_submitted_total {after['tasks_submitted']}\n", "\n" + text)
        status, headers, _ = self.server.rest.raw("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers)
        self.check_prometheus(text)

    def check_prometheus(self, text):
        """Each sample belongs to a family that was declared once before it."""
        families = set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name = line.split()[2]
                self.assertNotIn(name, families, "declared twice")
                families.add(name)
            elif line and not line.startswith("#"):
                name = line.split("{")[0].split()[0]
                stems = {name, *(name.rpartition(end)[0] for end in ("_bucket", "_sum", "_count")
                                 if name.endswith(end))}
                self.assertTrue(stems & families, f"{line} has no TYPE")

    def test_health_says_that_there_are_no_nodes(self):
        health = self.server.grpc.call("GetHealth")
        self.assertEqual(health["status"], "HEALTH_STATUS_DEGRADED")
        parts = {part["name"]: part for part in health["checks"]}
        self.assertEqual(parts["core"]["status"], "HEALTH_STATUS_HEALTHY")
        self.assertEqual(parts["storage"]["status"], "HEALTH_STATUS_HEALTHY")
        self.assertIn("0 of 0", parts["nodes"]["message"])


class Requests(case.ServerCase):
    def test_a_repeated_request_gets_the_first_answer(self):
        spec = {"image": "x", "request_id": "again", "labels": {"a": "1", "b": "2"}}
        first = self.server.grpc.call("SubmitTask", {"spec": spec})
        for name, client in self.server.clients():
            with self.subTest(transport=name):
                second = client.call("SubmitTask", {"spec": spec})
                self.assertTrue(second["duplicate"])
                self.assertEqual(second["task"]["id"], first["task"]["id"])

    def test_labels_in_another_order_are_the_same_request(self):
        pairs = [(f"k{i}", str(i)) for i in range(8)]
        ids = {
            self.server.rest.call("SubmitTask", {"spec": {
                "image": "x", "request_id": "order", "labels": dict(order)}})["task"]["id"]
            for order in (pairs, pairs[::-1], pairs[4:] + pairs[:4])
        }
        self.assertEqual(len(ids), 1)

    def test_maps_on_the_wire_in_another_order_are_the_same_request(self):
        """Protobuf leaves the order of a map's entries open: each client has its own."""
        def spec(**fields):
            return self.server.grpc.schema.from_dict(
                self.server.grpc.schema.message("jarvis.v1.TaskSpec"), fields).SerializeToString()

        entries = [spec(labels={"a": "1"}), spec(labels={"b": "2"}), spec(env={"A": "1"}),
                   spec(env={"B": "2"})]
        rest = spec(image="x", request_id="wire-order")
        ids = set()
        for order in (entries, entries[::-1]):
            packed = rest + b"".join(order)
            request = b"\x0a" + bytes([len(packed)]) + packed
            ids.add(self.server.grpc.call("SubmitTask", request)["task"]["id"])
        self.assertEqual(len(ids), 1)

    def test_another_task_under_the_same_request_is_refused(self):
        self.server.submit(image="x", request_id="other")
        self.both_refuse("ALREADY_EXISTS", None, "SubmitTask",
                         {"spec": {"image": "y", "request_id": "other"}})

    def test_a_duplicate_gets_the_first_answer_whatever_has_happened_since(self):
        request = {"spec": {"image": "x", "request_id": "gone-on"}}
        first = self.server.grpc.call("SubmitTask", request)
        self.server.grpc.call("CancelTask", {"id": first["task"]["id"]})
        self.server.restart()
        again = self.server.grpc.call("SubmitTask", request)
        self.assertTrue(again.pop("duplicate"))
        self.assertEqual(again, first)

    def test_a_cancellation_gets_its_first_answer_too(self):
        task = self.server.submit(image="x")
        request = {"id": task, "reason": "enough", "request_id": "cancel-once"}
        late = {**request, "request_id": "cancel-late"}
        first = self.server.grpc.call("CancelTask", request)
        nothing_left = self.server.grpc.call("CancelTask", late)
        self.assertNotIn("duplicate", nothing_left)
        self.server.restart()
        for asked, answer in [(request, first), (late, nothing_left)]:
            again = self.server.grpc.call("CancelTask", asked)
            self.assertTrue(again.pop("duplicate"))
            self.assertEqual(again, answer)
            self.both_refuse("ALREADY_EXISTS", "request_id", "CancelTask",
                             {**asked, "reason": "another"})
        refused = self.both_refuse("ALREADY_EXISTS", "spec.request_id", "SubmitTask",
                                   {"spec": {"image": "x", "request_id": "cancel-once"}})
        self.assertIn(f"by CancelTask of {task}", refused.message)
        self.assertIn("this is SubmitTask", refused.message)

    def test_every_answer_has_a_revision_and_none_is_older_than_asked_for(self):
        task = self.server.submit(image="x")
        revision = 0
        for method, request in [
                ("GetTask", {"id": task}), ("ListTasks", {}), ("ListNodes", {}),
                ("WaitTask", {"id": task, "timeout": "0s"}), ("CancelTask", {"id": task}),
                ("GetStats", {}), ("GetHealth", {}), ("GetReadiness", {}), ("GetLiveness", {}),
                ("GetServerInfo", {}), ("SubmitTask", {"spec": {"image": "x"}})]:
            if method in ("GetTask", "ListTasks", "ListNodes", "WaitTask"):
                request["min_revision"] = revision
            answer = self.server.grpc.call(method, request)
            self.assertGreaterEqual(int(answer["revision"]), revision, method)
            revision = int(answer["revision"])

    def test_many_at_once_make_one_task(self):
        request = {"spec": {"image": "x", "request_id": "race"}}
        calls = [self.server.grpc.begin("SubmitTask", request) for _ in range(50)]
        answers = [call.result() for call in calls]
        self.assertEqual(len({answer.task.id for answer in answers}), 1)
        self.assertEqual(sum(not answer.duplicate for answer in answers), 1)


class Lists(case.ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ids = []
        for i in range(25):
            cls.ids.append(cls.server.submit(
                image="x", queue="even" if i % 2 == 0 else "odd", labels={"third": str(i % 3)}))
        for task in cls.ids[:5]:
            cls.server.grpc.call("CancelTask", {"id": task})
        cls.newest_first = cls.ids[::-1]

    def pages(self, client, size, filter_=None):
        request = {"page_size": size, "filter": filter_ or {}}
        ids = []
        while True:
            answer = client.call("ListTasks", request)
            page = [task["id"] for task in answer.get("tasks", [])]
            self.assertLessEqual(len(page), size)
            ids += page
            if not answer.get("next_page_token"):
                return ids
            request["page_token"] = answer["next_page_token"]

    def test_pages_of_any_size_are_the_whole_newest_first(self):
        for name, client in self.server.clients():
            for size in (1, 7, 25, 1000):
                with self.subTest(transport=name, size=size):
                    listed = self.pages(client, size)
                    self.assertEqual([task for task in listed if task in self.ids],
                                     self.newest_first)

    def test_pages_are_stable_while_tasks_come_and_end(self):
        answer = self.server.grpc.call("ListTasks", {"page_size": 10})
        late = self.server.submit(image="x", queue="late")
        self.server.grpc.call("CancelTask", {"id": late})
        rest = self.server.grpc.call(
            "ListTasks", {"page_size": 100, "page_token": answer["next_page_token"]})
        both = [task["id"] for task in answer["tasks"] + rest["tasks"]]
        self.assertEqual([task for task in both if task in self.ids], self.newest_first)

    def test_filters(self):
        cancelled = self.ids[:5][::-1]
        for filter_, expected in [
            ({"states": ["TASK_STATE_CANCELLED"], "queues": ["even", "odd"]}, cancelled),
            ({"queues": ["odd"]}, self.ids[1::2][::-1]),
            ({"queues": ["odd", "even"]}, self.newest_first),
            ({"labels": {"third": "1"}}, self.ids[1::3][::-1]),
            ({"labels": {"third": "1"}, "queues": ["odd"]},
             [task for i, task in enumerate(self.ids) if i % 3 == 1 and i % 2][::-1]),
            ({"nodes": ["nowhere"]}, []),
            ({"labels": {"third": "9"}}, []),
        ]:
            for name, client in self.server.clients():
                with self.subTest(transport=name, filter=filter_):
                    self.assertEqual(self.pages(client, 4, filter_), expected)

    def test_filter_by_time(self):
        tasks = {task: self.server.task(task)["status"]["submit_time"] for task in self.ids}
        cut = tasks[self.ids[12]]
        for name, client in self.server.clients():
            with self.subTest(transport=name):
                new = self.pages(client, 100, {"submitted_after": cut, "queues": ["even", "odd"]})
                old = self.pages(client, 100, {"submitted_before": cut, "queues": ["even", "odd"]})
                self.assertEqual(new + old, self.newest_first)
                self.assertIn(self.ids[12], new)

    def test_a_token_belongs_to_its_filter(self):
        token = self.server.grpc.call("ListTasks", {"page_size": 3})["next_page_token"]
        self.both_refuse("INVALID_ARGUMENT", "page_token", "ListTasks",
                         {"page_token": token, "filter": {"queues": ["odd"]}})
        for token in ("nonsense", "0-0", "zz-zz", "-"):
            self.both_refuse("INVALID_ARGUMENT", "page_token", "ListTasks", {"page_token": token})
        self.both_refuse("INVALID_ARGUMENT", "page_size", "ListTasks", {"page_size": -1})
        self.both_refuse("INVALID_ARGUMENT", "page_size", "ListTasks", {"page_size": 1001})


if __name__ == "__main__":
    case.main()
