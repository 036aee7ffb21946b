#!/usr/bin/python3
"""Streams, cancellation, and what every gRPC server offers: watches, health, reflection."""

import json
import os
import socket
import sys
import time

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402
from google.protobuf import descriptor_pb2  # noqa: E402

from testing.process.harness import case  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402


def changes_of(answers):
    return [(a["task"]["id"], a["task"]["status"]["state"], int(a["revision"])) for a in answers]


class Watches(case.ServerCase):
    flags = {"watch__changes_max": 100}

    def revision(self):
        return int(self.server.grpc.call("GetStats")["revision"])

    def take(self, call, count):
        """The next so many answers of a stream."""
        return [self.server.grpc.schema.to_dict(next(call)) for _ in range(count)]

    def rest_lines(self, path, count):
        connection, response = self.server.rest.open("GET", path)
        self.assertEqual(response.status, 200)
        lines = [json.loads(response.readline())["result"] for _ in range(count)]
        connection.close()
        return lines

    def test_every_change_in_order_from_a_revision(self):
        start = self.revision()
        ids = [self.server.submit(image="x", name=f"n{i}", queue="q") for i in range(3)]
        for task in ids:
            self.server.grpc.call("CancelTask", {"id": task})
        call = self.server.grpc.begin("WatchTasks", {"from_revision": start})
        answers = self.take(call, 6)
        call.cancel()
        changes = changes_of(answers)
        self.assertEqual([c[:2] for c in changes],
                         [(t, "TASK_STATE_QUEUED") for t in ids] +
                         [(t, "TASK_STATE_CANCELLED") for t in ids])
        revisions = [c[2] for c in changes]
        self.assertEqual(revisions, sorted(set(revisions)), "revisions must grow")
        self.assertEqual(answers[0]["task"]["spec"], {"name": "n0", "queue": "q"})
        over_rest = self.rest_lines(f"/v1/tasks:watch?from_revision={start}", 6)
        self.assertEqual([(a["task"]["id"], a["revision"]) for a in over_rest],
                         [(a["task"]["id"], a["revision"]) for a in answers])

    def test_resume_between_any_two_changes(self):
        start = self.revision()
        for _ in range(4):
            self.server.submit(image="x")
        call = self.server.grpc.begin("WatchTasks", {"from_revision": start})
        whole = changes_of(self.take(call, 4))
        call.cancel()
        for i in range(3):
            call = self.server.grpc.begin("WatchTasks", {"from_revision": whole[i][2]})
            self.assertEqual(changes_of(self.take(call, 3 - i)), whole[i + 1:])
            call.cancel()

    def test_a_watch_from_now_on_is_told_of_what_comes(self):
        call = self.server.grpc.begin("WatchTasks", {})
        self.until_watched()
        task = self.server.submit(image="x")
        self.assertEqual(changes_of(self.take(call, 1))[0][0], task)
        call.cancel()

    def until_watched(self):
        # Headers come with the first answer; a call in flight is all that can be seen from here.
        time.sleep(0.2)

    def test_filters(self):
        start = self.revision()
        wanted = self.server.submit(image="x", queue="wanted")
        other = self.server.submit(image="x", queue="other")
        self.server.grpc.call("CancelTask", {"id": wanted})
        self.server.grpc.call("CancelTask", {"id": other})
        for request, expected in [
            ({"filter": {"queues": ["wanted"]}}, [wanted, wanted]),
            ({"id": other}, [other, other]),
            ({"filter": {"states": ["TASK_STATE_CANCELLED"]}}, [wanted, other]),
        ]:
            with self.subTest(request=request):
                call = self.server.grpc.begin("WatchTasks", {"from_revision": start, **request})
                got = changes_of(self.take(call, len(expected)))
                call.cancel()
                self.assertEqual([c[0] for c in got], expected)

    def test_z_changes_that_are_no_longer_kept(self):
        """Last of its class by name: it fills the window."""
        start = self.revision()
        for _ in range(250):
            self.server.submit(image="x")
        refused = self.both_refuse(
            "OUT_OF_RANGE", "from_revision", "WatchTasks", {"from_revision": start})
        self.assertIn("list anew", refused.message)
        listed = self.server.grpc.call("ListTasks", {"page_size": 1})
        task = self.server.submit(image="x")
        call = self.server.grpc.begin("WatchTasks", {"from_revision": int(listed["revision"])})
        self.assertEqual(changes_of(self.take(call, 1))[0][0], task)
        call.cancel()

    def test_a_hundred_watchers_that_do_not_read_hold_up_nobody(self):
        calls = [self.server.grpc.begin("WatchTasks", {}) for _ in range(100)]
        sockets = []
        for _ in range(20):
            raw = socket.create_connection(("127.0.0.1", self.server.rest_port))
            raw.sendall(b"GET /v1/tasks:watch HTTP/1.1\r\nHost: x\r\n\r\n")
            sockets.append(raw)
        self.until_watched()
        began = time.monotonic()
        for _ in range(20):
            self.server.submit(image="x")
        self.assertLess(time.monotonic() - began, 10)
        for raw in sockets:
            raw.close()
        for call in calls:
            call.cancel()
        self.assertEqual(self.server.rest.raw("GET", "/alive")[0], 200)


class Cancellation(case.ServerCase):
    def test_cancelled_calls_leave_nothing_behind(self):
        task = self.server.submit(image="x")
        for method, request in [("WaitTask", {"id": task}), ("WatchTasks", {}),
                                ("GetTaskLogs", {"id": task, "follow": True})]:
            with self.subTest(method=method):
                calls = [self.server.grpc.begin(method, request) for _ in range(20)]
                time.sleep(0.05)
                for call in calls:
                    call.cancel()
                for call in calls:
                    self.assertEqual(call.code(), grpc.StatusCode.CANCELLED)
        self.server.grpc.call("CancelTask", {"id": task})
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(self.server.task(task)["status"]["state"], "TASK_STATE_CANCELLED")

    def test_a_client_that_vanishes_in_the_middle_of_a_submission(self):
        for i in range(30):
            call = self.server.grpc.begin("SubmitTask", {"spec": {
                "image": "x", "request_id": f"vanish-{i}"}})
            call.cancel()
        for i in range(30):
            self.server.submit(image="x", request_id=f"vanish-{i}")
        tasks = self.server.grpc.call("ListTasks", {"page_size": 1000})["tasks"]
        ids = [t["spec"].get("request_id") for t in tasks]
        for i in range(30):
            self.assertEqual(ids.count(f"vanish-{i}"), 1)

    def test_a_deadline_of_a_stream(self):
        self.refuses("DEADLINE_EXCEEDED", None, self.server.grpc.call, "WatchTasks", {},
                     timeout=0.3)


class Standard(case.ServerCase):
    def reflect(self, version, **request):
        """One question, one answer."""
        service = f"grpc.reflection.{version}.ServerReflection"
        message = self.server.grpc.schema.request(service + "/ServerReflectionInfo", request)
        answers = self.server.grpc.stub(service + "/ServerReflectionInfo")(
            iter([message]), timeout=10)
        return next(answers)

    def test_reflection(self):
        for version in ("v1", "v1alpha"):
            with self.subTest(version=version):
                services = self.reflect(version, list_services="*").list_services_response.service
                names = {service.name for service in services}
                for name in ("jarvis.v1.Scheduler", "jarvis.v1.Worker", "jarvis.v1.Monitor",
                             "grpc.health.v1.Health",
                             f"grpc.reflection.{version}.ServerReflection"):
                    self.assertIn(name, names)
                answer = self.reflect(version, file_containing_symbol="jarvis.v1.Scheduler")
                files = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in
                         answer.file_descriptor_response.file_descriptor_proto]
                self.assertIn("jarvis/v1/scheduler.proto", [file.name for file in files])
                answer = self.reflect(version, file_containing_symbol="jarvis.v1.Nope")
                self.assertEqual(answer.error_response.error_code, 5)

    def test_health(self):
        for service in ("", "jarvis.v1.Scheduler"):
            answer = self.server.grpc.call("grpc.health.v1.Health/Check", {"service": service})
            self.assertEqual(answer["status"], "SERVING")
        self.refuses("NOT_FOUND", None, self.server.grpc.call, "grpc.health.v1.Health/Check",
                     {"service": "nobody"})
        call = self.server.grpc.begin("grpc.health.v1.Health/Watch", {"service": ""})
        self.assertEqual(next(call).status, 1)
        call.cancel()


class Sessions(case.ServerCase):
    """A worker that does not keep to the protocol."""

    def session(self, *requests, seconds=10):
        def messages():
            for request in requests:
                yield self.server.grpc.schema.request("Session", request)
            time.sleep(0.1)
        call = self.server.grpc.stub("Session")(messages(), timeout=seconds)
        answers = []
        try:
            for answer in call:
                answers.append(answer)
        except grpc.RpcError as error:
            return answers, error.code().name, error.details()
        return answers, "OK", ""

    def hello(self, **changes):
        return {"hello": {"node": "n", "worker_id": "AAAAAAAAAAAAAAAAAAAAAA==",
                          "boot_id": "AAAAAAAAAAAAAAAAAAAAAA==", "protocol_version": 1,
                          "inventory": {"capacity": {"cpu_millis": 1}}, **changes}}

    def test_what_is_no_hello(self):
        before = self.server.grpc.call("ListNodes")
        for request in [{"heartbeat": {"sequence": 1}}, {}, self.hello(protocol_version=99),
                        self.hello(node=""), self.hello(node="Bad Name"),
                        self.hello(worker_id="AAA=")]:
            with self.subTest(request=str(request)[:60]):
                _, code, details = self.session(request)
                self.assertIn(code, ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNIMPLEMENTED"),
                              details)
        self.assertEqual(self.server.grpc.call("ListNodes"), before)

    def test_a_stranger_reports_what_nobody_asked_for(self):
        answers, code, details = self.session(self.hello(), {"report": {
            "task_id": "t-77", "attempt": 3, "phase": "ATTEMPT_PHASE_RUNNING"}})
        self.assertTrue(answers and answers[0].HasField("welcome"), (code, details))
        self.assertEqual(self.server.grpc.call("ListNodes")["nodes"][0]["id"], "n")
        eventually(lambda: self.server.grpc.call("GetNode", {"id": "n"})["node"]["state"],
                   lambda state: state != "NODE_STATE_READY")


if __name__ == "__main__":
    case.main()
