#!/usr/bin/python3
"""Clients that mean harm, on both ports: an error for them, nothing for the others, and the memory
is back where it was.

While each attack is under way, a client of either port goes on asking, and each of its questions
must be answered. Attacks are repeated, and what they cost must not grow with them.
"""

import contextlib
import gzip
import os
import random
import resource
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import api, case, http2  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402

HEALTH = "/grpc.health.v1.Health/Check"
WATCH = "/jarvis.v1.Scheduler/WatchTasks"
GOOD = b"GET /v1/server HTTP/1.1\r\nHost: x\r\n\r\n"
EXHAUSTED = 8
ROUNDS = 4
CONNECTIONS_MAX = 1000
FILES_MAX = 2000
# Of these, what connections leave to the store.
OWN_FILES = 640
# An answer to others may take so long while the machine is busy with an attack.
OTHERS_SECONDS = 10


def rest_of(connection):
    """All that still comes, up to the end of the connection, however it ends."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            data += piece
    return data


def reset(connection):
    """Closed without a word: whatever is on its way is thrown away."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Others:
    """Somebody else, who asks over both ports as long as an attack goes on."""

    def __init__(self, server):
        self.server = server
        self.done = threading.Event()
        self.answered = {"grpc": 0, "rest": 0}
        self.failures = []
        self.threads = [threading.Thread(target=self.ask, args=each) for each in
                        server.clients()]

    def ask(self, name, client):
        while not self.done.is_set():
            begin = time.monotonic()
            try:
                client.call("GetServerInfo", {}, timeout=OTHERS_SECONDS)
                self.answered[name] += 1
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(f"{name}, {time.monotonic() - begin:.1f} s: {error!r}")
            self.done.wait(0.01)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        # Each has asked at least once, even if the attack took no time.
        deadline = time.monotonic() + OTHERS_SECONDS
        while min(self.answered.values()) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.done.set()
        for thread in self.threads:
            thread.join()


class Hostile(case.ServerCase):
    flags = {"rest__header_timeout": "1s", "rest__body_timeout": "1s", "rest__idle_timeout": "2s",
             "grpc__connections_max": CONNECTIONS_MAX}

    @classmethod
    def setUpClass(cls):
        # The server may have no more than this process, and takes all that.
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
        super().setUpClass()
        cls.server.grpc.call("GetServerInfo", {})
        cls.idle_files = len(os.listdir(f"/proc/{cls.server.process.pid}/fd"))

    def setUp(self):
        self.open = contextlib.ExitStack()
        self.addCleanup(self.open.close)

    def rest(self):
        connection = socket.create_connection(("127.0.0.1", self.server.rest_port), 30)
        return self.open.enter_context(connection)

    def grpc(self, **options):
        return self.open.enter_context(http2.Connection(self.server.grpc_port, **options))

    def raw_grpc(self):
        connection = socket.create_connection(("127.0.0.1", self.server.grpc_port), 30)
        return self.open.enter_context(connection)

    def memory(self):
        """Bytes that the server has in memory."""
        with open(f"/proc/{self.server.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def files(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def processor_seconds(self):
        with open(f"/proc/{self.server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def attack(self, name, round_of, rounds=ROUNDS):
        """Rounds of an attack, with others all along; the first shows what it takes to serve it at
        all, and the others must not add to that."""
        files = self.files()
        with self.subTest(attack=name), Others(self.server) as others:
            round_of()
            self.open.close()
            eventually(self.files, lambda now: now <= files + 4)
            before = self.memory()
            for _ in range(rounds):
                round_of()
                self.open.close()
            eventually(self.files, lambda now: now <= files + 4)
            # Less than 16 MiB the server does not give back, see server/app/memory.c.
            eventually(self.memory, lambda now: now <= before * 1.25 + (24 << 20))
        self.assertEqual(others.failures, [])
        self.assertGreaterEqual(min(others.answered.values()), 3)
        self.assertIsNone(self.server.process.poll())

    # ---- REST

    def test_rest_malformed(self):
        requests = [
            b"\0\1\2\3\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 90,
            http2.PREFACE, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
            b"GET /v1/server HTTP/1.1\r\n\r\n", b"GET /v1/server HTTP/1.1\r\nHost x\r\n\r\n",
            b"GET /v1/server HTTP/1.1\r\nHost: x\r\n : y\r\n\r\n",
            b"GET /v1/tasks/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"GET /v1/tasks?a=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n"
            b"\r\n{}",
            b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n"
            b"\r\n{\"a\":\xff\xfe}}",
            b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000"
            b"\r\n\r\n" + b"[" * 60000,
        ]
        source = random.Random(4)
        requests += [source.randbytes(source.randrange(1, 2000)) + b"\r\n\r\n"
                     for _ in range(50)]

        def round_of():
            for request in requests:
                connection = self.rest()
                with contextlib.suppress(ConnectionError):
                    connection.sendall(request)
                answer = rest_of(connection)
                self.assertTrue(
                    answer == b"" or 400 <= int(answer[9:12]) < 600, (request, answer))

        self.attack("malformed", round_of)

    def test_rest_oversize(self):
        post = b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        bomb = gzip.compress(b"{\"spec\":{\"image\":\"" + b"x" * (64 << 20), 9)
        requests = [
            (b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n", {400, 414, 431}),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n", {431}),
            (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000 + b"\r\n", {431}),
            (post + b"Content-Length: 99999999999\r\n\r\n" + b"x" * 100000, {413}),
            (post + b"Content-Length: 16777216\r\n\r\n" + b" " * (16 << 20), {413}),
            (post + b"Transfer-Encoding: chunked\r\n\r\n" +
             b"100000\r\n" + b" " * (1 << 20) + b"\r\n" +
             (b"100000\r\n" + b" " * (1 << 20) + b"\r\n") * 15, {413}),
            (post + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb,
             {413}),
        ]

        def round_of():
            for request, statuses in requests:
                connection = self.rest()
                with contextlib.suppress(ConnectionError):
                    connection.sendall(request)
                answer = rest_of(connection)
                # Who sends on after the answer may lose it to a reset.
                self.assertTrue(answer == b"" or int(answer[9:12]) in statuses, answer[:200])

        self.attack("oversize", round_of)

    def test_rest_slow(self):
        """A byte now and then of a head, of a body, and nobody who reads a stream."""
        def round_of():
            slow = [self.rest() for _ in range(150)]
            for i, connection in enumerate(slow):
                connection.sendall([
                    b"GET /v1/server HT",
                    b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
                    b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5",
                ][i % 3])
            deadline = time.monotonic() + 30
            while slow:
                self.assertLess(time.monotonic(), deadline, "they are still connected")
                readable, _, _ = select.select(slow, [], [], 0.1)
                for connection in readable:
                    answer = rest_of(connection)
                    self.assertTrue(answer == b"" or b" 408 " in answer[:20], answer[:80])
                    slow.remove(connection)
                for connection in slow:
                    with contextlib.suppress(ConnectionError):
                        connection.send(b"1" if random.random() < 0.2 else b"")

        self.attack("slow", round_of)

    def test_rest_half_closed_and_reset(self):
        requests = [GOOD, b"GET /v1/tasks:watch HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{\"spec\"",
                    b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"]

        def round_of():
            for i in range(400):
                connection = self.rest()
                connection.sendall(requests[i % len(requests)])
                if i % 3 == 0:
                    connection.shutdown(socket.SHUT_WR)
                    rest_of(connection)
                elif i % 3 == 1:
                    reset(connection)

        self.attack("half-closed, reset", round_of)

    def test_rest_flood(self):
        """Connections that ask without end and read nothing."""
        def round_of():
            flooders = [self.rest() for _ in range(100)]
            for connection in flooders:
                connection.setblocking(False)
            request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50
            for _ in range(20):
                for connection in flooders:
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        connection.send(request)
            for connection in flooders:
                reset(connection)

        self.attack("flood", round_of)

    # ---- gRPC

    def test_grpc_malformed(self):
        source = random.Random(5)
        head, _ = self.grpc().headers(HEALTH)
        frames = [
            b"\xff" * 100, http2.frame(http2.HEADERS, 4, 1, b"\x80\xff\xff\xff\xff\xff\x0f"),
            http2.frame(http2.DATA, 1, 7, b"x"), http2.frame(http2.HEADERS, 4, 2, b"\x82"),
            http2.frame(http2.SETTINGS, 0, 0, b"odd"), http2.frame(http2.PING, 0, 0, b"odd"),
            http2.frame(http2.WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), http2.frame(99, 255, 99, b"?"),
            http2.frame(http2.CONTINUATION, 4, 1, b"x"),
            head + http2.frame(http2.DATA, 1, 1, b"\0\xff\xff\xff\xff"),
            head + http2.frame(http2.DATA, 1, 1, http2.message(b"\xff\xff\xff")),
        ]

        def round_of():
            for request in [GOOD] + [source.randbytes(200) for _ in range(20)]:
                connection = self.raw_grpc()
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                rest_of(connection)
            for each in frames:
                connection = self.grpc()
                with contextlib.suppress(ConnectionError):
                    connection.send(each)
                    connection.socket.shutdown(socket.SHUT_WR)
                rest_of(connection.socket)

        self.attack("malformed", round_of)

    def test_grpc_oversize(self):
        def round_of():
            # Headers of three times what is allowed, in pieces: that call is refused.
            connection = self.grpc()
            head, stream = connection.headers(HEALTH, flags=0)
            connection.send(head)
            for _ in range(3):
                connection.send(http2.frame(
                    http2.CONTINUATION, 0, stream, http2.header("x", b"y" * 16000)))
            connection.send(http2.frame(http2.CONTINUATION, 4, stream),
                            http2.frame(http2.DATA, 1, stream, http2.message(b"")))
            self.assertEqual(http2.status(connection.until(stream)[1]), EXHAUSTED)
            # A message of 32.
            connection = self.grpc()
            head, stream = connection.headers("/jarvis.v1.Scheduler/GetTask")
            connection.send(head)
            if connection.body(stream, http2.message(b"\0" * (32 << 20))):
                self.assertEqual(http2.status(connection.until(stream)[1]), EXHAUSTED)
            # Those that are only announced, and go no further.
            for _ in range(50):
                connection = self.grpc()
                head, stream = connection.headers(HEALTH)
                connection.send(
                    head, http2.frame(http2.DATA, 0, stream, b"\0\x7f\xff\xff\xff"))

        self.attack("oversize", round_of)

    def test_grpc_slow_and_half_closed(self):
        def round_of():
            for i in range(200):
                connection = self.raw_grpc()
                connection.sendall(http2.PREFACE[:1 + i % len(http2.PREFACE)])
                if i % 2 == 0:
                    connection.shutdown(socket.SHUT_WR)
            for i in range(100):
                connection = self.grpc()
                head, stream = connection.headers(WATCH if i % 2 else HEALTH)
                connection.send(head, http2.frame(http2.DATA, 0, stream, b"\0\0"))
                if i % 4 < 2:
                    connection.socket.shutdown(socket.SHUT_WR)

        self.attack("slow, half-closed", round_of)

    def test_grpc_reset(self):
        """Calls that are begun and reset at once, as fast as it goes."""
        def round_of():
            for _ in range(4):
                connection = self.grpc()
                # Until the server has had enough of it.
                with contextlib.suppress(ConnectionError, EOFError):
                    for _ in range(1000):
                        head, stream = connection.headers(WATCH)
                        connection.send(
                            head, http2.frame(http2.DATA, 1, stream, http2.message(b"")),
                            http2.frame(http2.RST_STREAM, 0, stream, b"\0\0\0\x08"))
                reset(connection.socket)
            for _ in range(200):
                connection = self.grpc()
                connection.begin(WATCH)
                reset(connection.socket)

        self.attack("reset", round_of)

    def endless(self, connection, piece, bytes_max=64 << 20):
        """Sends it again and again; the server is to end that."""
        with self.assertRaises(ConnectionError):
            for _ in range(bytes_max // len(piece)):
                connection.socket.sendall(piece)

    def test_grpc_headers_without_end(self):
        """A value of 2 GiB is announced, and comes in pieces of all sizes, or in ever new names."""
        value = b"\0\1x\x7f" + b"\xff" * 3 + b"\x7f"
        pieces = [value + b"y" * 16000, value + b"y", b"", http2.header("x", b"y" * 1000)]

        def round_of():
            for piece in pieces:
                connection = self.grpc()
                head, stream = connection.headers(HEALTH, flags=0)
                connection.send(head)
                self.endless(connection, 64 * http2.frame(http2.CONTINUATION, 0, stream, piece))

        self.attack("headers without end", round_of, 2)

    def test_grpc_headers_that_swell(self):
        """A field that takes one byte each time: gRPC keeps all, until a message comes."""
        def round_of():
            connection = self.grpc()
            head, stream = connection.headers(HEALTH, flags=0)
            connection.send(head, http2.frame(
                http2.CONTINUATION, 4, stream, b"\x40" + http2.text("x") + http2.text("y" * 3000)))
            with self.assertRaises(ConnectionError):
                for _ in range(500):
                    head, stream = connection.headers(HEALTH, flags=0)
                    connection.send(
                        head, http2.frame(http2.CONTINUATION, 4, stream, b"\xbe" * 10000))

        self.attack("headers that swell", round_of, 2)

    def test_grpc_frames_without_end(self):
        """They mean nothing, and each is cheap: it is their number that would keep others out."""
        frames = [
            http2.frame(http2.WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), http2.frame(http2.DATA, 0, 99),
            http2.frame(http2.PING, http2.ACK, 0, b"12345678"), http2.frame(99, 0, 0),
            http2.frame(http2.SETTINGS, http2.ACK, 0), http2.frame(2, 0, 1, b"\0\0\0\0\1"),
            http2.frame(http2.RST_STREAM, 0, 1, b"\0\0\0\x08"),
        ]

        def round_of():
            for each in frames:
                connection = self.grpc()
                connection.begin(HEALTH)
                self.endless(connection, each * 5000)

        self.attack("frames without end", round_of, 1)

    def test_grpc_rapid_reset(self):
        """As fast as it can be sent, not waiting for anything: CVE-2023-44487."""
        def round_of():
            for path in (HEALTH, WATCH):
                connection = self.grpc()
                pairs = b"".join(
                    head + http2.frame(http2.RST_STREAM, 0, stream, b"\0\0\0\x08")
                    for head, stream in (connection.headers(path) for _ in range(40000)))
                with contextlib.suppress(ConnectionError):
                    connection.send(pairs)
                # Up to the end, which only the server makes.
                rest_of(connection.socket)

        self.attack("rapid reset", round_of, 2)

    def test_grpc_calls_that_wait_for_no_answer(self):
        """The server ends each itself, so none is in progress for long (CVE-2025-8671), or none
        ends; who has not acknowledged its settings is told no limit by gRPC."""
        tails = [lambda stream: http2.frame(http2.WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff"),
                 lambda _: b""]

        def round_of():
            for path, flags, tail in (("/no/method", 5, tails[1]), (WATCH, 4, tails[0]),
                                      (HEALTH, 4, tails[1])):
                connection = self.grpc()
                calls = b"".join(head + tail(stream) for head, stream in (
                    connection.headers(path, flags=flags) for _ in range(20000)))
                with contextlib.suppress(ConnectionError):
                    connection.send(calls)
                rest_of(connection.socket)

        self.attack("calls without waiting", round_of, 2)

    def test_clients_that_cancel_are_no_attack(self):
        """Thousands of calls that are cancelled, or miss their deadlines, on one connection."""
        client = api.Grpc(self.server.grpc_port)
        self.addCleanup(client.close)
        before = self.refused()
        for _ in range(2):
            begun = [client.begin("WatchTasks") for _ in range(2500)]
            for call in begun:
                call.cancel()
            begun = [client.begin("WatchTasks", timeout=0.001) for _ in range(500)]
            self.assertEqual({call.code().name for call in begun}, {"DEADLINE_EXCEEDED"})
            client.call("GetServerInfo", {})
        self.assertEqual(self.refused(), before)

    def refused(self):
        lines = self.server.rest.raw("GET", "/metrics")[2].decode().splitlines()
        return next(line for line in lines if line.startswith("jarvis_grpc_refused_total "))

    def test_grpc_connections(self):
        """More than are allowed: those who were there stay, the others are closed."""
        def round_of():
            # One is that of the others.
            held = [self.grpc() for _ in range(CONNECTIONS_MAX - 1)]
            for connection in held:
                connection.until(connection.begin(HEALTH))
            for _ in range(300):
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(rest_of(self.grpc().socket), b"")
            for connection in held:
                connection.until(connection.begin(HEALTH))

        self.attack("connections", round_of, 1)

    def test_the_store_keeps_its_files(self):
        task = self.server.submit(image="x")
        held = [self.rest() for _ in range(FILES_MAX - OWN_FILES + 100)]
        eventually(self.files, lambda now: now >= FILES_MAX - OWN_FILES)
        self.assertLess(self.files(), FILES_MAX - OWN_FILES + 20)
        self.server.grpc.call("CancelTask", {"id": task})
        # Those who got none have been told, long before a request of theirs could time out.
        held[-1].settimeout(1)
        self.assertEqual(rest_of(held[-1]), b"")
        self.open.close()
        eventually(self.files, lambda now: now < 100)
        self.server.rest.call("GetTask", {"id": task})

    def test_no_more_files(self):
        """Both ports serve again as soon as there are files, also who comes first after that."""
        process = self.server.process.pid
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        self.addCleanup(resource.prlimit, process, resource.RLIMIT_NOFILE, before)
        for port in (self.server.grpc_port, self.server.rest_port):
            eventually(self.files, lambda now: now <= self.idle_files + 4)
            files = self.files()
            resource.prlimit(process, resource.RLIMIT_NOFILE, (files + 20, before[1]))
            waiting = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(60)]
            eventually(self.files, lambda now: now >= files + 19)
            used = self.processor_seconds()
            time.sleep(1)
            self.assertLess(self.processor_seconds() - used, 0.5, "it spins")
            for connection in waiting:
                connection.close()
            resource.prlimit(process, resource.RLIMIT_NOFILE, before)
            with http2.Connection(self.server.grpc_port) as connection:
                connection.until(connection.begin(HEALTH))
            with socket.create_connection(("127.0.0.1", self.server.rest_port), 30) as connection:
                connection.sendall(GOOD)
                self.assertIn(b" 200 ", connection.recv(4096))

    def test_grpc_flood(self):
        """Pings and settings without end, and nobody who reads their answers."""
        def round_of():
            kinds = [http2.frame(http2.PING, 0, 0, b"12345678"),
                     http2.frame(http2.SETTINGS, 0, 0, b"\0\4\0\0\xff\xff")]
            flooders = [self.grpc() for _ in range(20)]
            for i, connection in enumerate(flooders):
                connection.socket.setblocking(False)
                for _ in range(50):
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        connection.socket.send(kinds[i % 2] * 200)
            for connection in flooders:
                reset(connection.socket)

        self.attack("flood", round_of)


if __name__ == "__main__":
    case.main()
