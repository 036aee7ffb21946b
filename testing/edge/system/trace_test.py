#!/usr/bin/python3
"""Request ids and traces: from the client through the logs to the worker and into the task."""

import json
import os
import re
import sys

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402

from testing.process.harness import case  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"
MADE = re.compile(r"^[0-9a-f]+-[0-9a-f]+$")
NOT_SANE = ["", "a b", "x" * 129]
NO_TRACE = ["00", TRACE[:-1], TRACE + "0", TRACE.upper(), "ff" + TRACE[2:],
            "00-" + "0" * 32 + TRACE[35:], TRACE[:36] + "0" * 16 + "-01", TRACE.replace("-", "_")]


class Traces(case.MachineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.machine, grpc__access_log="true", log__format="json").start()
        cls.worker = Worker(cls.machine, cls.server, executors="process,noop", log__format="json",
                            network__allow_host="true").start()

    def lines(self, program, event, **values):
        """Those of the log with that name and these values."""
        found = []
        for line in program.log().splitlines():
            if not line.startswith("{"):
                continue
            made = json.loads(line)
            if made.get("event") == event and all(made.get(k) == v for k, v in values.items()):
                found.append(made)
        return found

    def grpc_call(self, method, request, metadata=()):
        """The answer, and the headers that came with it."""
        stub = self.server.grpc.stub(method)
        answer, call = stub.with_call(self.server.grpc.schema.request(method, request), timeout=20,
                                      metadata=list(metadata))
        return answer, dict(call.initial_metadata())

    def submit_rest(self, spec, headers):
        status, got, body = self.server.rest.raw("POST", "/v1/tasks", {"spec": spec},
                                                 headers=headers)
        self.assertEqual(status, 200, body)
        return json.loads(body), got

    # ---- ids

    def test_an_id_comes_back(self):
        _, headers = self.grpc_call("GetStats", {}, [("x-request-id", "mine-1")])
        self.assertEqual(headers["x-request-id"], "mine-1")
        _, headers, _ = self.server.rest.raw("GET", "/v1/tasks", headers={"X-Request-Id": "mine-2"})
        self.assertEqual(headers["X-Request-Id"], "mine-2")

    def test_who_has_none_is_given_one(self):
        seen = set()
        for _ in range(5):
            _, headers = self.grpc_call("GetStats", {})
            self.assertRegex(headers["x-request-id"], MADE)
            seen.add(headers["x-request-id"])
            _, headers, _ = self.server.rest.raw("GET", "/v1/tasks")
            self.assertRegex(headers["X-Request-Id"], MADE)
            seen.add(headers["X-Request-Id"])
        self.assertEqual(len(seen), 10)

    def test_an_id_that_is_not_sane_is_replaced(self):
        for wrong in NOT_SANE:
            with self.subTest(wrong=wrong):
                _, headers = self.grpc_call("GetStats", {}, [("x-request-id", wrong)])
                self.assertRegex(headers["x-request-id"], MADE)
                _, headers, _ = self.server.rest.raw(
                    "GET", "/v1/tasks", headers={"X-Request-Id": wrong})
                self.assertRegex(headers["X-Request-Id"], MADE)

    def test_an_id_comes_back_with_an_error_and_a_stream(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.grpc_call("GetTask", {"id": "t-999999"}, [("x-request-id", "lost")])
        self.assertEqual(dict(caught.exception.initial_metadata())["x-request-id"], "lost")
        status, headers, _ = self.server.rest.raw("GET", "/v1/tasks/t-999999",
                                                  headers={"X-Request-Id": "lost"})
        self.assertEqual((status, headers["X-Request-Id"]), (404, "lost"))
        call = self.server.grpc.stub("WatchTasks")(
            self.server.grpc.schema.request("WatchTasks", {}), timeout=20,
            metadata=[("x-request-id", "watching")])
        self.assertEqual(dict(call.initial_metadata())["x-request-id"], "watching")
        call.cancel()

    def test_the_access_log_has_every_call(self):
        self.grpc_call("GetStats", {}, [("x-request-id", "logged"), ("traceparent", TRACE)])
        with self.assertRaises(grpc.RpcError):
            self.grpc_call("GetTask", {"id": "t-999999"}, [("x-request-id", "logged-2")])
        call = self.server.grpc.stub("WatchTasks")(
            self.server.grpc.schema.request("WatchTasks", {}), timeout=20,
            metadata=[("x-request-id", "logged-3")])
        call.initial_metadata()
        call.cancel()
        for id_, method, code in [("logged", "/jarvis.v1.Monitor/GetStats", "OK"),
                                  ("logged-2", "/jarvis.v1.Scheduler/GetTask", "NOT_FOUND"),
                                  ("logged-3", "/jarvis.v1.Scheduler/WatchTasks", "CANCELLED")]:
            [line] = eventually(lambda: self.lines(self.server, "grpc.access", request_id=id_), len)
            self.assertEqual((line["method"], line["code"]), (method, code))
            self.assertTrue(line["peer"].startswith("ipv4:127.0.0.1:"))
            self.assertGreaterEqual(line["ms"], 0)
            self.assertEqual(line["trace_parent"], TRACE if id_ == "logged" else "")

    # ---- traces

    def run_task(self, spec, metadata):
        """A task that prints its environment: the id, and what TRACEPARENT was."""
        spec = {"executor": "process", "command": ["/bin/sh", "-c", "echo $TRACEPARENT"],
                "network": "NETWORK_MODE_HOST", "resources": {"memory_bytes": 32 << 20}, **spec}
        answer, _ = self.grpc_call("SubmitTask", {"spec": spec}, metadata)
        task = self.server.finished(answer.task.id)
        self.assertEqual(task["status"]["state"], "TASK_STATE_SUCCEEDED", task)
        return answer.task.id, self.server.log_of(answer.task.id).decode().strip()

    def test_a_trace_goes_to_the_worker_and_into_the_task(self):
        task, printed = self.run_task({}, [("traceparent", TRACE), ("x-request-id", "follow-me")])
        self.assertEqual(printed, TRACE)
        spec = self.server.task(task)["spec"]
        self.assertEqual((spec["trace_parent"], spec["submit_request_id"]), (TRACE, "follow-me"))
        [line] = self.lines(self.server, "task.submitted", task=task)
        self.assertEqual((line["request_id"], line["trace_parent"]), ("follow-me", TRACE))
        for event in ("attempt.starting", "attempt.finished"):
            [line] = eventually(lambda: self.lines(self.worker, event, task=task), len)
            self.assertEqual((line["request_id"], line["trace_parent"]), ("follow-me", TRACE))

    def test_the_same_over_rest(self):
        answer, headers = self.submit_rest(
            {"executor": "noop"}, {"traceparent": TRACE, "X-Request-Id": "by-rest"})
        self.assertEqual(headers["X-Request-Id"], "by-rest")
        task = answer["task"]["id"]
        spec = self.server.task(task)["spec"]
        self.assertEqual((spec["trace_parent"], spec["submit_request_id"]), (TRACE, "by-rest"))
        [line] = eventually(lambda: self.lines(self.worker, "attempt.finished", task=task), len)
        self.assertEqual(line["trace_parent"], TRACE)

    def test_what_the_task_says_itself_comes_first(self):
        task, printed = self.run_task({"trace_parent": OTHER}, [("traceparent", TRACE)])
        self.assertEqual(printed, OTHER)
        self.assertEqual(self.server.task(task)["spec"]["trace_parent"], OTHER)
        _, printed = self.run_task({"env": {"TRACEPARENT": "mine"}}, [("traceparent", TRACE)])
        self.assertEqual(printed, "mine")

    def test_without_a_trace_there_is_none(self):
        for metadata in [()] + [[("traceparent", wrong)] for wrong in NO_TRACE]:
            with self.subTest(metadata=metadata):
                answer, _ = self.grpc_call("SubmitTask", {"spec": {"executor": "noop"}}, metadata)
                spec = self.server.task(answer.task.id)["spec"]
                self.assertNotIn("trace_parent", spec)
                self.assertNotIn("submit_request_id", spec)
        _, printed = self.run_task({}, ())
        self.assertEqual(printed, "")

    def test_a_wrong_trace_in_a_spec_is_refused(self):
        for wrong in NO_TRACE:
            self.refuses("INVALID_ARGUMENT", "spec.trace_parent", self.server.grpc.call,
                         "SubmitTask", {"spec": {"executor": "noop", "trace_parent": wrong}})
        self.refuses("INVALID_ARGUMENT", "spec.submit_request_id", self.server.grpc.call,
                     "SubmitTask", {"spec": {"executor": "noop", "submit_request_id": "a b"}})

    def test_a_second_try_with_another_trace_is_the_same_request(self):
        spec = {"executor": "noop", "request_id": "tried-twice"}
        first, _ = self.grpc_call("SubmitTask", {"spec": spec}, [("traceparent", TRACE)])
        again, _ = self.grpc_call("SubmitTask", {"spec": spec}, [("traceparent", OTHER)])
        said, _ = self.grpc_call("SubmitTask", {"spec": {**spec, "trace_parent": OTHER}})
        self.assertEqual({again.task.id, said.task.id}, {first.task.id})
        self.assertEqual(again.task.spec, first.task.spec)
        self.assertEqual(self.server.task(first.task.id)["spec"]["trace_parent"], TRACE)


if __name__ == "__main__":
    case.main()
