#!/usr/bin/python3
"""Bad input: each is refused with the right code and the field's name, over gRPC and REST alike."""

import os
import socket
import sys

sys.path.insert(0, os.getcwd())

from testing.process.harness import case  # noqa: E402

IMAGE = {"image": "x"}

# What is wrong, the field that the answer names.
WRONG_SPECS = [
    ({"name": "x" * 129}, "spec.name"),
    ({"name": "a\nb"}, "spec.name"),
    ({"queue": "Night"}, "spec.queue"),
    ({"queue": "q" * 64}, "spec.queue"),
    ({"labels": {"": "x"}}, "spec.labels"),
    ({"labels": {"k" * 64: "x"}}, "spec.labels"),
    ({"labels": {"bad key": "x"}}, "spec.labels"),
    ({"labels": {"key": "v" * 257}}, "spec.labels"),
    ({"labels": {f"k{i}": "v" for i in range(65)}}, "spec.labels"),
    ({"priority": 1001}, "spec.priority"),
    ({"priority": -1001}, "spec.priority"),
    ({"priority": -2147483648}, "spec.priority"),
    ({"image": ""}, "spec.image"),
    ({"image": "x" * 4097}, "spec.image"),
    ({"command": ["a"] * 257}, "spec.command"),
    ({"command": [""]}, "spec.command[0]"),
    ({"args": ["a" * (129 << 10)]}, "spec.args"),
    ({"env": {"1A": "x"}}, "spec.env"),
    ({"env": {"A=B": "x"}}, "spec.env"),
    ({"env": {"": "x"}}, "spec.env"),
    ({"env": {"A": "x" * (129 << 10)}}, "spec.env"),
    ({"env": {f"A{i}": "x" for i in range(257)}}, "spec.env"),
    ({"working_directory": "tmp"}, "spec.working_directory"),
    ({"working_directory": "/a/../b"}, "spec.working_directory"),
    ({"user": "root"}, "spec.user"),
    ({"user": "65535"}, "spec.user"),
    ({"user": "1:"}, "spec.user"),
    ({"user": "-1"}, "spec.user"),
    ({"mounts": [{"source": "a", "target": "/b"}]}, "spec.mounts[0].source"),
    ({"mounts": [{"source": "/a", "target": "b"}]}, "spec.mounts[0].target"),
    ({"mounts": [{"source": "/a", "target": "/"}]}, "spec.mounts[0].target"),
    ({"mounts": [{"source": "/a", "target": "//"}]}, "spec.mounts[0].target"),
    ({"mounts": [{"source": "/a", "target": "/."}]}, "spec.mounts[0].target"),
    ({"mounts": [{"source": "/a", "target": "/b"}, {"source": "/a/../../etc", "target": "/c"}]},
     "spec.mounts[1].source"),
    ({"mounts": [{"source": "/a", "target": f"/{i}"} for i in range(33)]}, "spec.mounts"),
    ({"resources": {"cpu_millis": -1}}, "spec.resources.cpu_millis"),
    ({"resources": {"cpu_millis": 1024001}}, "spec.resources.cpu_millis"),
    ({"resources": {"memory_bytes": -1}}, "spec.resources.memory_bytes"),
    ({"resources": {"memory_bytes": 1024}}, "spec.resources.memory_bytes"),
    ({"resources": {"memory_bytes": 2**63 - 1}}, "spec.resources.memory_bytes"),
    ({"resources": {"disk_bytes": -1}}, "spec.resources.disk_bytes"),
    ({"resources": {"disk_bytes": 2**63 - 1}}, "spec.resources.disk_bytes"),
    ({"resources": {"pids": -1}}, "spec.resources.pids"),
    ({"resources": {"pids": 5000000}}, "spec.resources.pids"),
    ({"resources": {"gpus": -1}}, "spec.resources.gpus"),
    ({"resources": {"custom": {"Licences": 1}}}, "spec.resources.custom"),
    ({"resources": {"custom": {"licences": -1}}}, "spec.resources.custom"),
    ({"resources": {"custom": {"licences": 2**53 + 1}}}, "spec.resources.custom"),
    ({"resources": {"custom": {f"c{i}": 1 for i in range(17)}}}, "spec.resources.custom"),
    ({"timeouts": {"queued": "-1s"}}, "spec.timeouts.queued"),
    ({"timeouts": {"running": "-0.001s"}}, "spec.timeouts.running"),
    ({"timeouts": {"running": "31536001s"}}, "spec.timeouts.running"),
    ({"timeouts": {"starting": "315576000000s"}}, "spec.timeouts.starting"),
    ({"timeouts": {"no_output": "-5s"}}, "spec.timeouts.no_output"),
    ({"timeouts": {"grace": "3601s"}}, "spec.timeouts.grace"),
    ({"timeouts": {"grace": "-1s"}}, "spec.timeouts.grace"),
    ({"retry": {"max_attempts": 101}}, "spec.retry.max_attempts"),
    ({"retry": {"max_attempts": -1}}, "spec.retry.max_attempts"),
    ({"retry": {"max_lost": 101}}, "spec.retry.max_lost"),
    ({"retry": {"backoff_initial": "3601s"}}, "spec.retry.backoff_initial"),
    ({"retry": {"backoff_initial": "9s", "backoff_max": "8s"}}, "spec.retry.backoff_max"),
    ({"retry": {"on": ["FAILURE_REASON_UNSPECIFIED"]}}, "spec.retry.on"),
    ({"retry": {"exit_codes": [0]}}, "spec.retry.exit_codes"),
    ({"retry": {"exit_codes": [256]}}, "spec.retry.exit_codes"),
    ({"constraints": [{"key": "zone"}]}, "spec.constraints[0]"),
    ({"constraints": [{"key": "", "operator": "CONSTRAINT_OPERATOR_EXISTS"}]},
     "spec.constraints[0]"),
    ({"constraints": [{"key": "zone", "operator": "CONSTRAINT_OPERATOR_IN"}]},
     "spec.constraints[0]"),
    ({"constraints": [{"key": "zone", "operator": "CONSTRAINT_OPERATOR_EXISTS", "values": ["a"]}]},
     "spec.constraints[0]"),
    ({"executor": "e" * 64}, "spec.executor"),
    ({"image": "docker://Not/Lower"}, "spec.image"),
    ({"image": "docker://user:password@registry.example/a"}, "spec.image"),
    ({"log_limits": {"max_bytes": 1}}, "spec.log_limits.max_bytes"),
    ({"log_limits": {"max_bytes": -1}}, "spec.log_limits.max_bytes"),
    ({"request_id": "r" * 129}, "spec.request_id"),
]

# Reserved for a later release.
NOT_YET = [
    ({"resources": {"gpus": 1}}, "spec.resources.gpus"),
    ({"affinities": [{"weight": 1}]}, "spec.affinities"),
    ({"tolerations": [{"key": "a"}]}, "spec.tolerations"),
]

WRONG_REQUESTS = [
    ("GetTask", {"id": "42"}, "id"),
    ("GetTask", {"id": "t-0"}, "id"),
    ("GetTask", {"id": "t-01"}, "id"),
    ("GetTask", {"id": "t-99999999999999999999"}, "id"),
    ("GetTask", {"id": "t-1 "}, "id"),
    ("CancelTask", {"id": "x"}, "id"),
    ("CancelTask", {"id": "t-1", "reason": "r" * 513}, "reason"),
    ("WaitTask", {"id": "t-1", "timeout": "-1s"}, "timeout"),
    ("WaitTask", {"id": "t-1", "timeout": "86401s"}, "timeout"),
    ("GetTaskLogs", {"id": "t-1", "attempt": -1}, "attempt"),
    ("GetTaskLogs", {"id": "t-1", "offset": -1}, "offset"),
    ("GetTaskLogs", {"id": "t-1", "tail_lines": -1}, "tail_lines"),
    ("GetTaskLogs", {"id": "t-1", "tail_lines": 100001}, "tail_lines"),
    ("GetTaskLogs", {"id": "t-1", "tail_lines": 1, "offset": 1}, "tail_lines"),
    ("WatchTasks", {"from_revision": -1}, "from_revision"),
    ("WatchTasks", {"id": "t"}, "id"),
    ("WatchTasks", {"filter": {"labels": {"a": "b"}}}, "filter.labels"),
    ("ListTasks", {"filter": {"states": ["TASK_STATE_UNSPECIFIED"]}}, "filter.states"),
    ("ListTasks", {"filter": {"queues": ["q"] * 65}}, "filter"),
    ("ListNodes", {"page_size": 1001}, "page_size"),
]


class Refusals(case.ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.submit(image="x")  # t-1

    def count(self):
        return int(self.server.grpc.call("GetStats").get("tasks_submitted", 0))

    def test_wrong_specs(self):
        before = self.count()
        for wrong, field in WRONG_SPECS:
            with self.subTest(field=field, wrong=str(wrong)[:80]):
                self.both_refuse(
                    "INVALID_ARGUMENT", field, "SubmitTask", {"spec": {**IMAGE, **wrong}})
        self.assertEqual(self.count(), before, "something refused was accepted")

    def test_what_is_not_implemented_is_said_so(self):
        before = self.count()
        for wrong, field in NOT_YET:
            with self.subTest(field=field):
                self.both_refuse("UNIMPLEMENTED", field, "SubmitTask", {"spec": {**IMAGE, **wrong}})
        self.assertEqual(self.count(), before, "something refused was accepted")

    def test_no_spec(self):
        self.both_refuse("INVALID_ARGUMENT", "spec", "SubmitTask", {})

    def test_a_spec_above_its_limit(self):
        """Each field within its limit, but all together above 1 MiB."""
        spec = {**IMAGE, "mounts": [{"source": f"/{i:02}" + "s" * 4000, "target": "/t" + "t" * 4000}
                                    for i in range(32)],
                "args": ["a" * (127 << 10)], "env": {"A": "e" * (127 << 10)},
                "constraints": [{"key": "k", "operator": "CONSTRAINT_OPERATOR_IN",
                                 "values": [f"{j}" + "v" * 240 for j in range(16)]}] * 32}
        request = self.server.grpc.schema.request("SubmitTask", {"spec": spec})
        if len(request.SerializeToString()) > 1 << 20:
            self.both_refuse("INVALID_ARGUMENT", "spec", "SubmitTask", {"spec": spec})
        else:
            self.assertTrue(self.server.submit(**spec))

    def test_wrong_requests(self):
        for method, request, field in WRONG_REQUESTS:
            with self.subTest(method=method, request=str(request)[:80]):
                self.both_refuse("INVALID_ARGUMENT", field, method, request)

    def test_a_watch_from_the_future(self):
        self.both_refuse("OUT_OF_RANGE", "from_revision", "WatchTasks",
                         {"from_revision": 10**12})

    def test_logs_of_an_attempt_that_never_was(self):
        self.both_refuse("NOT_FOUND", None, "GetTaskLogs", {"id": "t-1", "attempt": 7})

    def test_secrets_are_not_logged(self):
        self.server.submit(image="x", env={"TOKEN": "s3cret-value"})
        self.refuses("INVALID_ARGUMENT", None, self.server.grpc.call, "SubmitTask",
                     {"spec": {"image": "", "env": {"TOKEN": "s3cret-value"}}})
        self.assertNotIn("s3cret-value", self.server.log())


class Rest(case.ServerCase):
    """What only REST can get wrong, of a server that refuses what it does not know."""

    flags = {"rest__strict": "true"}

    def refuse(self, code, field, verb, path, body=None, **options):
        return self.refuses(code, field, self.server.rest.ask, verb, path, body, **options)

    def test_unknown_fields_are_named(self):
        for body in ('{"spec":{"image":"x","colour":"red"}}', '{"sepc":{}}'):
            with self.subTest(body=body):
                refused = self.refuse("INVALID_ARGUMENT", None, "POST", "/v1/tasks", body)
                self.assertRegex(str(refused), "colour|sepc")
        refused = self.refuse("INVALID_ARGUMENT", None, "GET", "/v1/tasks?colour=red")
        self.assertIn("colour", str(refused))

    def test_wrong_types_are_named(self):
        for body, named in [
            ('{"spec":{"image":7}}', "image"),
            ('{"spec":{"image":"x","priority":"high"}}', "priority"),
            ('{"spec":{"image":"x","priority":1.5}}', "priority"),
            ('{"spec":{"image":"x","priority":2147483648}}', "priority"),
            ('{"spec":{"image":"x","command":"sh"}}', "command"),
            ('{"spec":{"image":"x","labels":["a"]}}', "labels"),
            ('{"spec":{"image":"x","timeouts":{"running":5}}}', "running"),
            ('{"spec":{"image":"x","timeouts":{"running":"5 minutes"}}}', "running"),
            ('{"spec":{"image":"x","network":"BRIDGE"}}', "network"),
            ('{"spec":{"image":"x","no_init":"yes"}}', "no_init"),
            ('{"spec":{"image":"x","resources":{"memory_bytes":"99999999999999999999"}}}',
             "memory_bytes"),
            ('{"spec":"x"}', "spec"),
        ]:
            with self.subTest(body=body):
                refused = self.refuse("INVALID_ARGUMENT", None, "POST", "/v1/tasks", body)
                self.assertIn(named, str(refused).replace("noInit", "no_init")
                              .replace("memoryBytes", "memory_bytes"))

    def test_wrong_queries_are_named(self):
        for query, named in [("page_size=many", "page_size"), ("page_size=1&page_size=2",
                                                               "page_size"),
                             ("filter.states=SLEEPING", "states"),
                             ("filter.submitted_after=yesterday", "submitted_after"),
                             ("filter=x", "filter")]:
            with self.subTest(query=query):
                refused = self.refuse("INVALID_ARGUMENT", None, "GET", "/v1/tasks?" + query)
                self.assertIn(named, str(refused))

    def test_what_is_no_json(self):
        for body in ("", "{", '{"spec":', "nonsense", '{"spec":{}} more', '{"spec":{"image":"x",}}',
                     "[]", '"text"', "7"):
            with self.subTest(body=body):
                self.refuse("INVALID_ARGUMENT", None, "POST", "/v1/tasks", body)

    def test_deep_nesting(self):
        for body in ("[" * 100000, '{"spec":' * 100000, '{"spec":{"labels":' + '{"a":' * 5000):
            with self.subTest(body=body[:20]):
                self.refuse("INVALID_ARGUMENT", None, "POST", "/v1/tasks", body)

    def test_bad_utf8(self):
        for body in (b'{"spec":{"image":"\xff\xfe"}}', b'{"spec":{"image":"\xc0\x80"}}',
                     b'{"spec":{"image":"\\ud800"}}'):
            with self.subTest(body=body):
                status, _, data = self.server.rest.raw("POST", "/v1/tasks", body)
                self.assertEqual(status, 400, data)
        self.refuse("INVALID_ARGUMENT", None, "GET", "/v1/nodes/%ff%fe")

    def test_paths_and_verbs_that_are_not_there(self):
        self.refuse("NOT_FOUND", None, "GET", "/v2/tasks")
        self.refuse("NOT_FOUND", None, "GET", "/")
        status, _, data = self.server.rest.raw("PUT", "/v1/tasks", "{}")
        self.assertIn(status, (405, 501), data)

    def test_an_oversize_body(self):
        body = '{"spec":{"image":"' + "x" * (5 << 20) + '"}}'
        status, _, data = self.server.rest.raw("POST", "/v1/tasks", body)
        self.assertEqual(status, 413, data[:200])
        self.assertIn(b"4194304", data)

    def test_broken_http_does_no_harm(self):
        for data in (b"\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     b"POST /v1/tasks HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                     b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
                     b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"):
            with self.subTest(data=data[:40]):
                with socket.create_connection(("127.0.0.1", self.server.rest_port)) as raw:
                    try:
                        raw.sendall(data)
                        raw.shutdown(socket.SHUT_WR)
                        raw.settimeout(10)
                        while raw.recv(65536):
                            pass
                    except TimeoutError:
                        raise
                    except OSError:
                        pass  # cut off in the middle, as it may be
                self.assertEqual(self.server.rest.raw("GET", "/alive")[0], 200)


class Wire(case.ServerCase):
    """What only gRPC can get wrong."""

    def refuse(self, code, request):
        return self.refuses(code, None, self.server.grpc.call, "SubmitTask", request)

    def test_an_oversize_message(self):
        spec = self.server.grpc.schema.request("SubmitTask", {"spec": {"image": "x" * (5 << 20)}})
        refused = self.refuse("RESOURCE_EXHAUSTED", spec)
        self.assertIn("4194304", refused.message)

    def test_bad_utf8(self):
        self.refuse("INVALID_ARGUMENT", b"\x0a\x04\x2a\x02\xff\xfe")

    def test_what_is_no_message(self):
        for data in (b"\xff", b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x05\x2a", b"\x00",
                     b"\x0a\x0a" + b"\xff" * 10):
            with self.subTest(data=data):
                refused = self.refuse("INVALID_ARGUMENT", data)
                self.assertNotEqual(refused.message, "")

    def test_deep_nesting(self):
        """Groups within groups: an unknown field may be as deep as its sender likes."""
        self.refuse("INVALID_ARGUMENT", b"\xfb\x07" * 100000)
        self.refuse("INVALID_ARGUMENT", b"\xfb\x07" * 100000 + b"\xfc\x07" * 100000)

    def test_unknown_fields_are_ignored(self):
        """As protobuf has it: an older server takes what a newer client sends."""
        spec = self.server.grpc.schema.request("SubmitTask", {"spec": {"image": "x"}})
        answer = self.server.grpc.call("SubmitTask", spec.SerializeToString() + b"\xf8\x3f\x01")
        self.assertIn("task", answer)

    def test_enums_that_nobody_knows(self):
        spec = self.server.grpc.schema.request("SubmitTask", {"spec": {"image": "x"}})
        for field, value in [("network", 99), ("on_disconnect", 99)]:
            with self.subTest(field=field):
                wrong = type(spec)()
                wrong.CopyFrom(spec)
                setattr(wrong.spec, field, value)
                self.refuses("INVALID_ARGUMENT", "spec." + field, self.server.grpc.call,
                             "SubmitTask", wrong)

    def test_a_method_that_is_not_there(self):
        call = self.server.grpc.channel.unary_unary("/jarvis.v1.Scheduler/Nope")
        with self.assertRaises(Exception) as caught:
            call(b"", timeout=10)
        self.assertEqual(caught.exception.code().name, "UNIMPLEMENTED")


if __name__ == "__main__":
    case.main()
