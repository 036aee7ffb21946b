#!/usr/bin/python3
"""One client floods the server with calls and streams; the others are served as before."""

import multiprocessing
import os
import selectors
import statistics
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, http2  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402

EXHAUSTED = 8


class Flooder:
    """A connection that has so many calls in flight, always."""

    def __init__(self, port, path, payload, in_flight, source):
        self.client = http2.Connection(port, source=source)
        self.path, self.payload = path, payload
        # No answer waits for a window.
        self.client.send(http2.frame(http2.WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big")))
        self.client.until(self.client.begin("/grpc.health.v1.Health/Check"))
        self.client.socket.setblocking(False)
        self.sending = b""
        self.data = b""
        self.ask(in_flight)

    def ask(self, count):
        frames = []
        for _ in range(count):
            head, stream = self.client.headers(self.path)
            frames += [head, http2.frame(http2.DATA, http2.END_STREAM, stream,
                                         http2.message(self.payload))]
        self.sending += b"".join(frames)
        self.flush()

    def flush(self):
        try:
            while self.sending:
                self.sending = self.sending[self.client.socket.send(self.sending):]
        except BlockingIOError:
            pass

    def turn(self):
        """Reads what is there; returns how many calls have ended."""
        try:
            self.data += self.client.socket.recv(1 << 20)
        except BlockingIOError:
            pass
        ended = 0
        at = 0
        while len(self.data) >= at + 9:
            size = int.from_bytes(self.data[at:at + 3], "big")
            if len(self.data) < at + 9 + size:
                break
            kind, flags = self.data[at + 3], self.data[at + 4]
            if kind == http2.PING and not flags & http2.ACK:
                self.sending += http2.frame(http2.PING, http2.ACK, 0,
                                            self.data[at + 9:at + 9 + size])
            ended += kind == http2.HEADERS and flags & http2.END_STREAM
            at += 9 + size
        self.data = self.data[at:]
        if ended:
            self.ask(ended)
        else:
            self.flush()
        return ended


def flood(port, path, payload, connections, in_flight, source, ready, stop, ended):
    """A process of its own, so that it takes nothing of the small client's time."""
    flooders = [Flooder(port, path, payload, in_flight, source) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for flooder in flooders:
        selector.register(flooder.client.socket, selectors.EVENT_READ, flooder)
    ready.set()
    while not stop.is_set():
        for key, _ in selector.select(0.1):
            ended.value += key.data.turn()


class Flood:
    def __init__(self, server, path, payload=b"", connections=1, in_flight=1000, source=None):
        self.ready, self.stop = multiprocessing.Event(), multiprocessing.Event()
        self.ended = multiprocessing.Value("q", 0)
        self.process = multiprocessing.Process(target=flood, args=(
            server.grpc_port, path, payload, connections, in_flight, source, self.ready, self.stop,
            self.ended))

    def __enter__(self):
        self.process.start()
        assert self.ready.wait(60)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.process.join()


class Fairness(case.ServerCase):
    CALLS = 50

    def payload(self, method, request):
        return self.server.grpc.schema.request(method, request).SerializeToString()

    def flood(self, path, request, connections, **options):
        made = Flood(self.server, path, self.payload(path.rpartition("/")[2], request), connections,
                     **options)
        made.in_flight = 1000 * connections
        return made

    def small_client(self, method, request):
        """The milliseconds of some calls, one after another: the median."""
        taken = []
        for _ in range(self.CALLS):
            began = time.monotonic()
            self.server.grpc.call(method, request)
            taken.append((time.monotonic() - began) * 1000)
        return statistics.median(taken)

    def check(self, flooding, share, method, request):
        """A client beside the flood waits for a small share of what is in flight. Served in the
        order of their coming it would wait for all of it."""
        alone = self.small_client(method, request)
        with flooding:
            time.sleep(1)
            before, began = flooding.ended.value, time.monotonic()
            beside = self.small_client(method, request)
            rate = (flooding.ended.value - before) / (time.monotonic() - began)
        in_order = 1000 * flooding.in_flight / rate
        print(f"alone {alone:.2f} ms; beside {rate:.0f} calls/s: {beside:.2f} ms, in order of "
              f"coming {in_order:.0f} ms", flush=True)
        self.assertLess(beside, alone + share * in_order)

    def test_a_thousand_calls_of_another_connection(self):
        task = self.server.submit(image="x")
        self.check(self.flood("/jarvis.v1.Scheduler/GetTask", {"id": task}, 1), 0.8,
                   "GetTask", {"id": task})

    def test_thousands_of_calls_of_another_host(self):
        task = self.server.submit(image="x")
        self.check(self.flood("/jarvis.v1.Scheduler/GetTask", {"id": task}, 5, source="127.0.0.9"),
                   0.5, "GetTask", {"id": task})

    def test_thousands_of_submissions_of_another_host(self):
        request = {"spec": {"image": "x", "executor": "noop"}}
        self.check(self.flood("/jarvis.v1.Scheduler/SubmitTask", request, 5, source="127.0.0.9"),
                   0.5, "SubmitTask", request)


class Streams(case.ServerCase):
    flags = {"grpc__client_calls_max": 500}

    def test_one_client_cannot_take_all_streams(self):
        flood_ = http2.Connection(self.server.grpc_port, source="127.0.0.9")
        for _ in range(500):
            flood_.begin("/jarvis.v1.Scheduler/WatchTasks")
        _, trailers = flood_.until(flood_.begin("/jarvis.v1.Scheduler/WatchTasks"))
        self.assertEqual(http2.status(trailers), EXHAUSTED)
        self.assertIn(b"500 calls in progress", trailers)
        # Nor by another connection.
        with http2.Connection(self.server.grpc_port, source="127.0.0.9") as second:
            _, trailers = second.until(second.begin("/grpc.health.v1.Health/Check"))
            self.assertEqual(http2.status(trailers), EXHAUSTED)
        # Others notice nothing.
        start = int(self.server.grpc.call("GetStats")["revision"])
        watch = self.server.grpc.begin("WatchTasks", {"from_revision": start})
        task = self.server.submit(image="x")
        self.assertEqual(next(watch).task.id, task)
        watch.cancel()
        flood_.close()
        # What it had is given back.
        eventually(self.calls_again, bool)

    def calls_again(self):
        with http2.Connection(self.server.grpc_port, source="127.0.0.9") as client:
            _, trailers = client.until(client.begin("/grpc.health.v1.Health/Check"))
            return http2.status(trailers) == 0


if __name__ == "__main__":
    case.main()
