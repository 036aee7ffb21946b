#!/usr/bin/python3
"""What every gRPC server offers, and what this one does about clients that ask for too much."""

import os
import re
import struct
import sys
import time
import zlib

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402
from google.protobuf import descriptor_pb2  # noqa: E402

from testing.process.harness import api, case, http2  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402

GZIP = 31  # zlib's name for gzip's form
EXHAUSTED = 8
ENHANCE_YOUR_CALM = 11


def memory_mb(server, what="VmRSS"):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return int(re.search(what + r":\s+(\d+)", file.read())[1]) / 1024


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Reflection(case.ServerCase):
    def ask(self, version, *questions):
        """The answers to all questions, on one stream that is closed behind the last."""
        method = f"grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        messages = [self.server.grpc.schema.request(method, question) for question in questions]
        call = self.server.grpc.stub(method)(iter(messages), timeout=20)
        answers = list(call)
        self.assertEqual(call.code(), grpc.StatusCode.OK, "half-close ends the stream well")
        return answers

    def files(self, answer):
        return [descriptor_pb2.FileDescriptorProto.FromString(data)
                for data in answer.file_descriptor_response.file_descriptor_proto]

    def test_an_extension_is_found_by_its_number(self):
        for version in ("v1", "v1alpha"):
            with self.subTest(version=version):
                found, none = self.ask(version, *[
                    {"file_containing_extension": {
                        "containing_type": "google.protobuf.MethodOptions",
                        "extension_number": number}} for number in (72295728, 1)])
                files = {file.name: file for file in self.files(found)}
                self.assertEqual([e.name for e in files["google/api/annotations.proto"].extension],
                                 ["http"])
                self.assertIn("google/protobuf/descriptor.proto", files, "with all its imports")
                self.assertEqual(none.error_response.error_code, 5)

    def test_the_numbers_of_all_extensions(self):
        for version in ("v1", "v1alpha"):
            with self.subTest(version=version):
                options, task, service, nobody = self.ask(version, *[
                    {"all_extension_numbers_of_type": name} for name in (
                        "google.protobuf.MethodOptions", "jarvis.v1.Task", "jarvis.v1.Scheduler",
                        "jarvis.v1.Nobody")])
                numbers = options.all_extension_numbers_response
                self.assertEqual(numbers.base_type_name, "google.protobuf.MethodOptions")
                self.assertEqual(list(numbers.extension_number), [72295728])
                self.assertEqual(task.WhichOneof("message_response"),
                                 "all_extension_numbers_response")
                self.assertEqual(list(task.all_extension_numbers_response.extension_number), [])
                self.assertEqual(service.error_response.error_code, 5, "a service is no message")
                self.assertEqual(nobody.error_response.error_code, 5)

    def test_a_stream_goes_on_after_an_error(self):
        for version in ("v1", "v1alpha"):
            with self.subTest(version=version):
                answers = self.ask(
                    version, {"file_by_filename": "no.proto"}, {"file_containing_symbol": "no.One"},
                    {"file_by_filename": "jarvis/v1/scheduler.proto"},
                    {"file_containing_symbol": "jarvis.v1.Scheduler.SubmitTask"})
                self.assertEqual([a.error_response.error_code for a in answers[:2]], [5, 5])
                self.assertEqual(answers[0].original_request.file_by_filename, "no.proto")
                for answer in answers[2:]:
                    self.assertIn("jarvis/v1/scheduler.proto",
                                  [file.name for file in self.files(answer)])


class Health(case.ServerCase):
    def test_an_unknown_service(self):
        self.refuses("NOT_FOUND", None, self.server.grpc.call, "grpc.health.v1.Health/Check",
                     {"service": "nobody"})
        watch = self.server.grpc.begin("grpc.health.v1.Health/Watch", {"service": "nobody"})
        self.assertEqual(next(watch).status, 3)  # SERVICE_UNKNOWN
        self.assertTrue(watch.is_active(), "it may come to be known")
        watch.cancel()

    def test_a_watcher_is_told_at_once(self):
        for service in ("", "jarvis.v1.Scheduler", "grpc.health.v1.Health"):
            watch = self.server.grpc.begin("grpc.health.v1.Health/Watch", {"service": service})
            self.assertEqual(next(watch).status, 1)
            watch.cancel()


class Compression(case.ServerCase):
    flags = {"grpc__compress_min": "2KiB"}

    METHOD = "/jarvis.v1.Monitor/GetMetrics"

    def ask(self, accepted, path=METHOD, payload=b"", **options):
        """One call of a client that takes these; the message as it came, and its trailers."""
        with http2.Connection(self.server.grpc_port) as client:
            metadata = [("grpc-accept-encoding", accepted)] if accepted else []
            stream = client.begin(path, payload, metadata + options.pop("metadata", []), **options)
            data, trailers = client.until(stream)
            return http2.messages(data), trailers

    def test_an_answer_is_compressed_for_who_takes_that(self):
        for accepted, form in [("gzip", GZIP), ("identity,deflate,gzip", GZIP),
                               ("identity, deflate", zlib.MAX_WBITS)]:
            with self.subTest(accepted=accepted):
                [(compressed, payload)], _ = self.ask(accepted)
                self.assertTrue(compressed)
                text = zlib.decompress(payload, form)
                self.assertIn(b"jarvis_grpc_calls", text)
                self.assertLess(len(payload), len(text) / 2)

    def test_and_not_for_others_or_when_it_is_small(self):
        for accepted in (None, "identity", "br"):
            with self.subTest(accepted=accepted):
                [(compressed, payload)], _ = self.ask(accepted)
                self.assertFalse(compressed)
                self.assertIn(b"jarvis_grpc_calls", payload)
        [(compressed, _)], _ = self.ask("gzip", "/grpc.health.v1.Health/Check")
        self.assertFalse(compressed)

    def test_a_client_that_compresses(self):
        request = self.server.grpc.schema.request("SubmitTask", {"spec": {
            "image": "x", "args": ["a" * 50000]}})
        for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            with self.subTest(algorithm=algorithm):
                answer = self.server.grpc.stub("SubmitTask")(request, compression=algorithm)
                self.assertEqual(answer.task.spec.args, ["a" * 50000])

    def squeezed(self, size):
        packer = zlib.compressobj(9, zlib.DEFLATED, GZIP)
        whole = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20))
        return whole + packer.flush()

    def test_a_bomb_is_refused_before_it_takes_memory(self):
        bomb = http2.message(self.squeezed(512 << 20), compressed=True)
        self.assertLess(len(bomb), 1 << 20)
        before = memory_mb(self.server)
        for _ in range(3):
            with http2.Connection(self.server.grpc_port) as client:
                head, stream = client.headers("/jarvis.v1.Scheduler/SubmitTask",
                                              [("grpc-encoding", "gzip")])
                client.send(head)
                self.assertTrue(client.body(stream, bomb))
                _, trailers = client.until(stream)
                self.assertEqual(http2.status(trailers), EXHAUSTED)
                self.assertIn(b"decompressed", trailers)
        self.assertLess(memory_mb(self.server, "VmHWM") - before, 100)

    def test_what_is_not_what_it_says(self):
        whole = zlib.compress(bytes(1000))
        for payload in (b"nonsense", whole[:-3], whole + b"x", whole[:2] + b"\xff" * 20):
            _, trailers = self.ask("gzip", "/jarvis.v1.Scheduler/GetTask", payload,
                                   metadata=[("grpc-encoding", "gzip")], compressed=True)
            self.assertEqual(http2.status(trailers), 3)

    def test_an_unknown_form(self):
        """gRPC's core takes the bytes as they are, so they are no message."""
        _, trailers = self.ask(None, "/jarvis.v1.Scheduler/GetTask", b"\x8b\x01",
                               metadata=[("grpc-encoding", "br")], compressed=True)
        self.assertEqual(http2.status(trailers), 3)


class Limits(case.ServerCase):
    flags = {"grpc__metadata_max": "8KiB", "grpc__message_max": "64KiB",
             "grpc__ping_interval_min": "200ms", "grpc__streams_max": 50}

    def health(self, **options):
        request = self.server.grpc.schema.request("grpc.health.v1.Health/Check", {})
        return self.server.grpc.stub("grpc.health.v1.Health/Check")(request, timeout=10, **options)

    def test_metadata(self):
        self.health(metadata=[("note", "x" * 6000)])
        for metadata in ([("note", "x" * 9000)], [(f"n{i}", "x" * 100) for i in range(100)]):
            # gRPC may close such a connection, so each has its own.
            client = api.Grpc(self.server.grpc_port)
            request = client.schema.request("grpc.health.v1.Health/Check", {})
            with self.assertRaises(grpc.RpcError) as caught:
                client.stub("grpc.health.v1.Health/Check")(request, timeout=10, metadata=metadata)
            client.close()
            self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertIn("metadata size exceeds limit", caught.exception.details())
        self.health()

    def test_messages(self):
        self.refuses("RESOURCE_EXHAUSTED", None, self.server.grpc.call, "SubmitTask",
                     {"spec": {"image": "x", "args": ["a" * 70000]}})
        self.health()

    def test_pings_that_come_too_often(self):
        with http2.Connection(self.server.grpc_port) as client:
            client.send(*[http2.frame(http2.PING, 0, 0, bytes(8)) for _ in range(10)])
            kind = None
            while kind != http2.GOAWAY:
                kind, _, _, payload = client.next()
            self.assertEqual(int.from_bytes(payload[4:8], "big"), ENHANCE_YOUR_CALM)
            self.assertEqual(payload[8:], b"too_many_pings")
            with self.assertRaises((EOFError, ConnectionResetError)):
                while True:
                    client.next()

    def test_pings_that_keep_to_the_interval(self):
        with http2.Connection(self.server.grpc_port) as client:
            for _ in range(6):
                client.send(http2.frame(http2.PING, 0, 0, b"12345678"))
                kind = None
                while kind != http2.PING:
                    kind, flags, _, payload = client.next()
                self.assertEqual((flags, payload), (http2.ACK, b"12345678"))
                time.sleep(0.25)

    def test_a_connection_has_no_more_streams_than_allowed(self):
        """Those that come all the same are refused alone, and may be tried again."""
        with http2.Connection(self.server.grpc_port) as client:
            client.until(client.begin("/grpc.health.v1.Health/Check"))
            frames = []
            for _ in range(60):
                head, stream = client.headers("/jarvis.v1.Scheduler/WatchTasks")
                frames += [head, http2.frame(http2.DATA, http2.END_STREAM, stream,
                                             http2.message(b""))]
            client.send(*frames)
            refused = 0
            while refused < 10:
                kind, _, _, _ = client.next()
                self.assertNotEqual(kind, http2.GOAWAY)
                refused += kind == http2.RST_STREAM
        self.health()


class Cancellation(case.ServerCase):
    CALLS = 100

    def calls(self):
        """Of the gRPC edge, but for the one that asks."""
        text = self.server.rest.raw("GET", "/metrics")[2].decode()
        return int(re.search(r"^jarvis_grpc_calls (\d+)$", text, re.M)[1])

    def begin_all(self, client, task):
        """So many of each kind of call that waits."""
        schema = self.server.grpc.schema
        for method, request in [("WaitTask", {"id": task}), ("WatchTasks", {}),
                                ("GetTaskLogs", {"id": task, "follow": True})]:
            payload = schema.request(method, request).SerializeToString()
            for _ in range(self.CALLS):
                yield client.begin(f"/jarvis.v1.Scheduler/{method}", payload)
        for _ in range(self.CALLS):
            yield client.begin("/grpc.health.v1.Health/Watch")

    def test_cancelled_calls_give_everything_back(self):
        task = self.server.submit(image="x")
        eventually(self.calls, lambda calls: calls == 0)
        before = descriptors(self.server)
        sizes = []
        for turn in range(6):
            client = http2.Connection(self.server.grpc_port)
            streams = list(self.begin_all(client, task))
            eventually(self.calls, lambda calls: calls == len(streams))
            if turn % 2 == 0:
                cancel = struct.pack(">I", 8)
                client.send(*[http2.frame(http2.RST_STREAM, 0, stream, cancel)
                              for stream in streams])
                eventually(self.calls, lambda calls: calls == 0)
            client.close()
            eventually(self.calls, lambda calls: calls == 0)
            eventually(lambda: descriptors(self.server), lambda count: count <= before)
            sizes.append(memory_mb(self.server))
        # Memory of the first rounds is used again.
        self.assertLess(sizes[-1] - sizes[1], 4, sizes)

    def test_deadlines_give_everything_back(self):
        task = self.server.submit(image="x")
        client = http2.Connection(self.server.grpc_port)
        payload = self.server.grpc.schema.request("WaitTask", {"id": task}).SerializeToString()
        for _ in range(self.CALLS):
            client.begin("/jarvis.v1.Scheduler/WaitTask", payload, [("grpc-timeout", "1S")])
        eventually(self.calls, lambda calls: calls == self.CALLS)
        eventually(self.calls, lambda calls: calls == 0)
        client.close()


class SlowReaders(case.ServerCase):
    CHANGES = 3000
    READERS = 20

    def test_a_slow_reader_loses_nothing_and_costs_little(self):
        start = int(self.server.grpc.call("GetStats")["revision"])
        schema = self.server.grpc.schema
        payload = schema.request("WatchTasks", {"from_revision": start}).SerializeToString()
        readers = []
        for _ in range(self.READERS):
            client = http2.Connection(self.server.grpc_port)
            readers.append((client, client.begin("/jarvis.v1.Scheduler/WatchTasks", payload)))
        before = memory_mb(self.server)
        calls = [self.server.grpc.begin("SubmitTask", {"spec": {
            "image": "x", "name": "n" * 128}}) for _ in range(self.CHANGES)]
        ids = [call.result().task.id for call in calls]
        # More was sent to each than its window takes: the rest waits where it is, in the store.
        self.assertLess(memory_mb(self.server) - before, 48)
        for client, stream in readers:
            self.assertEqual(self.read(client, stream, len(ids)), sorted(
                ids, key=lambda task: int(task[2:])))
            client.close()

    def read(self, client, stream, count):
        """The ids of so many changes, in the order that they came."""
        answer = self.server.grpc.schema.message("jarvis.v1.WatchTasksResponse")
        data = b""
        seen, revisions = [], []
        while len(seen) < count:
            kind, _, of, payload = client.next()
            if kind != http2.DATA or of != stream or not payload:
                continue
            more = struct.pack(">I", len(payload))
            client.send(http2.frame(http2.WINDOW_UPDATE, 0, 0, more),
                        http2.frame(http2.WINDOW_UPDATE, 0, stream, more))
            data += payload
            while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[1:5], "big"):
                size = int.from_bytes(data[1:5], "big")
                change = answer.FromString(data[5:5 + size])
                data = data[5 + size:]
                seen.append(change.task.id)
                revisions.append(change.revision)
        self.assertEqual(revisions, sorted(set(revisions)))
        return seen


if __name__ == "__main__":
    case.main()
