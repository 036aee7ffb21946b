#!/usr/bin/python3
"""What a task prints is what is read back: by gRPC and REST, from any offset, followed, limited."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402

from testing.process.harness.containers import ContainerCase  # noqa: E402
from testing.process.harness.programs import chunk_data, eventually  # noqa: E402

# Every byte there is, in an order that no terminal would survive.
ALL_BYTES = bytes(range(256)) * 4


class Logs(ContainerCase):
    def both(self, task, **request):
        """The log over both transports, which must be equal; as bytes."""
        over_grpc = self.server.grpc.call("GetTaskLogs", {"id": task, **request})
        over_rest = self.server.rest.call("GetTaskLogs", {"id": task, **request})
        # The store goes on between the two reads: the later one may be of a later revision.
        said = [int(piece.pop("revision")) for piece in over_grpc + over_rest]
        self.assertEqual(said, sorted(said))
        self.assertEqual(over_grpc, over_rest)
        at = None
        for piece in over_grpc:
            offset = int(piece["chunk"].get("offset", 0))
            if at is not None and "stream" not in request:
                self.assertEqual(offset, at, "a gap or an overlap")
            at = offset + len(chunk_data(piece))
        return b"".join(chunk_data(piece) for piece in over_grpc)

    def test_every_byte(self):
        with open(self.shared + "/bytes", "wb") as file:
            file.write(ALL_BYTES)
        task = self.sh("cat /in/bytes", mounts=[{"source": self.shared, "target": "/in"}])
        status = self.ended(task, "SUCCEEDED")
        self.assertEqual(self.both(task), ALL_BYTES)
        self.assertEqual(int(status["log_bytes"]), len(ALL_BYTES))
        for offset in (0, 1, 255, 1000, len(ALL_BYTES) - 1, len(ALL_BYTES), 10**9):
            with self.subTest(offset=offset):
                self.assertEqual(self.both(task, offset=offset), ALL_BYTES[offset:])

    def test_much(self):
        task = self.sh("seq 1 300000")
        expected = "".join(f"{i}\n" for i in range(1, 300001)).encode()
        self.ended(task, "SUCCEEDED", log_bytes=str(len(expected)))
        got = self.both(task)
        self.assertEqual(len(got), len(expected))
        self.assertTrue(got == expected)
        for lines in (1, 10, 1000, 100000):
            with self.subTest(tail_lines=lines):
                tail = b"".join(expected.splitlines(True)[-lines:])
                self.assertTrue(self.both(task, tail_lines=lines) == tail)
        self.assertTrue(self.both(task, offset=777777) == expected[777777:])

    def test_streams_apart(self):
        task = self.sh("for i in 1 2 3; do echo out$i; sleep .05; echo err$i >&2; sleep .05; done")
        self.ended(task, "SUCCEEDED")
        self.assertEqual(self.both(task, stream="LOG_STREAM_STDOUT"), b"out1\nout2\nout3\n")
        self.assertEqual(self.both(task, stream="LOG_STREAM_STDERR"), b"err1\nerr2\nerr3\n")
        self.assertEqual(self.both(task), b"out1\nerr1\nout2\nerr2\nout3\nerr3\n")
        self.assertEqual(self.both(task, stream="LOG_STREAM_STDERR", tail_lines=2), b"err2\nerr3\n")

    def test_nothing_and_no_newline(self):
        silent, line, blank = self.sh("true"), self.sh("printf 'a\\nb'"), self.sh("echo; echo")
        for task in (silent, line, blank):
            self.ended(task, "SUCCEEDED")
        self.assertEqual(self.both(silent), b"")
        self.assertEqual(self.both(line, tail_lines=1), b"b")
        self.assertEqual(self.both(blank, tail_lines=1), b"\n")

    def test_the_last_words_are_there(self):
        """Printed right before the end, by a process that nobody waits for."""
        tasks = [self.sh(f"echo begin; echo last words {i}; kill -9 $$") for i in range(6)]
        for i, task in enumerate(tasks):
            self.ended(task, "FAILED")
            self.assertEqual(self.both(task), f"begin\nlast words {i}\n".encode())

    def test_a_limit(self):
        """The first half and the last are kept, and between them how much is missing."""
        task = self.sh("seq 1 100000; echo on stderr >&2; exit 3", log_limits={"max_bytes": 4096})
        status = self.ended(task, "FAILED", "EXIT_CODE", exit_code=3)
        pieces = self.server.grpc.call("GetTaskLogs", {"id": task})
        text = self.both(task)
        marks = [piece for piece in pieces if piece["chunk"].get("truncated")]
        self.assertEqual(len(marks), 1)
        self.assertEqual(int(status["log_bytes"]), len(text))
        whole = "".join(f"{i}\n" for i in range(1, 100001)).encode()
        mark = chunk_data(marks[0])
        missing = len(whole) + len(b"on stderr\n") - 4096
        self.assertEqual(mark.lstrip(b"\n"), b"[jarvis: %d bytes of output are missing here: "
                                             b"the limit is 4096 bytes]\n" % missing)
        head, tail = text.split(mark)
        self.assertEqual(head, whole[:2048])
        self.assertEqual(len(tail), 2048)
        self.assertIn(b"on stderr\n", tail)
        self.assertTrue(whole.endswith(tail.replace(b"on stderr\n", b"")))

    def test_what_is_printed_past_the_limit_is_output_too(self):
        """No time-out strikes a task that prints, though nobody can read it yet."""
        task = self.sh("for i in $(seq 1 60); do seq 1 300; sleep 0.05; done; echo the end",
                       log_limits={"max_bytes": 1024}, timeouts={"no_output": "1s"})
        self.ended(task, "SUCCEEDED")
        self.assertTrue(self.both(task).endswith(b"300\nthe end\n"))

    def test_hundreds_of_containers_lose_no_line(self):
        tasks = [self.sh(f"echo line {i}", resources={"cpu_millis": 100}) for i in range(100)]
        for i, task in enumerate(tasks):
            self.ended(task, "SUCCEEDED")
            self.assertEqual(self.server.log_of(task), f"line {i}\n".encode())

    def test_a_killed_keeper_leaves_both_ends(self):
        """What a keeper had not come to at its death, the worker does."""
        task = self.sh("seq 1 5000; echo ready >&2; sleep 100", log_limits={"max_bytes": 2048})
        directory = f"{self.state}/runc/attempts/{task}.1"
        eventually(lambda: [name for name in os.listdir(directory) if name.startswith("tail.")]
                   if os.path.exists(directory) else [], bool)
        time.sleep(0.5)
        keepers = [pid for pid, what in self.machine.processes().items()
                   if "jarvis-shim" in what and directory in what]
        self.assertEqual(len(keepers), 1, self.machine.processes())
        os.kill(keepers[0], signal.SIGKILL)
        self.ended(task, "FAILED", "EXECUTOR")
        text = self.both(task)
        self.assertTrue(text.startswith(b"1\n2\n3\n"))
        self.assertIn(b"bytes of output are missing here: the limit is 2048 bytes]\n", text)
        self.assertTrue(text.endswith(b"4999\n5000\nready\n") or text.endswith(b"5000\n"), text)

    def test_follow_goes_on_where_it_was_cut(self):
        """A client that is cut off, and a server that is killed: no gap, nothing twice."""
        task = self.sh("i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; sleep 0.05; done")
        expected = b"".join(b"line %d\n" % i for i in range(1, 61))
        got, cuts = b"", 0
        deadline = time.monotonic() + 60
        while got != expected:
            self.assertLess(time.monotonic(), deadline, got)
            self.assertTrue(expected.startswith(got), got)
            try:
                call = self.server.grpc.begin(
                    "GetTaskLogs", {"id": task, "follow": True, "offset": len(got)}, timeout=20)
                for count, answer in enumerate(call):
                    self.assertEqual(answer.chunk.offset, len(got))
                    got += answer.chunk.data
                    if count == 4 and cuts < 3:
                        cuts += 1
                        if cuts == 2:
                            self.server.restart(kill=True)
                        break
                call.cancel()
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                time.sleep(0.05)
        self.assertEqual(cuts, 3)
        self.ended(task, "SUCCEEDED", attempt=1)
        self.assertEqual(self.both(task), expected)

    def test_follow(self):
        task = self.sh("for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done")
        arrivals = []
        call = self.server.grpc.begin("GetTaskLogs", {"id": task, "follow": True})
        connection, response = self.server.rest.open("GET", f"/v1/tasks/{task}/logs?follow=true")
        over_rest = []
        reader = threading.Thread(target=lambda: over_rest.extend(response.readlines()))
        reader.start()
        for answer in call:
            arrivals.append((time.monotonic(), answer.chunk.data))
        reader.join()
        connection.close()
        expected = b"".join(b"line %d\n" % i for i in range(1, 6))
        self.assertEqual(b"".join(data for _, data in arrivals), expected)
        self.assertEqual(b"".join(base64.b64decode(json.loads(line)["result"]["chunk"]["data"])
                                  for line in over_rest), expected)
        self.assertGreater(arrivals[-1][0] - arrivals[0][0], 0.8, "it came all at once")
        self.ended(task, "SUCCEEDED")

    def test_follow_ends_with_a_retry_or_a_cancel(self):
        task = self.sh("echo up; sleep 100", timeouts={"grace": "0.2s"})
        call = self.server.grpc.begin("GetTaskLogs", {"id": task, "follow": True})
        self.assertEqual(next(call).chunk.data, b"up\n")
        self.server.grpc.call("CancelTask", {"id": task})
        self.assertEqual(list(call), [])
        task = self.sh("echo try; exit 1", retry={"max_attempts": 2, "backoff_initial": "1s"})
        eventually(lambda: self.server.task(task)["status"].get("attempt"), bool)
        pieces = self.server.grpc.call("GetTaskLogs", {"id": task, "attempt": 1, "follow": True})
        self.assertEqual(b"".join(map(chunk_data, pieces)), b"try\n")
        self.ended(task, "FAILED", attempt=2)

    def test_a_slow_reader_holds_up_nobody(self):
        task = self.sh("seq 1 1000000")
        call = self.server.grpc.begin("GetTaskLogs", {"id": task, "follow": True})
        next(call)
        self.ended(task, "SUCCEEDED")
        self.assertEqual(self.output(self.sh("echo meanwhile")), "meanwhile\n")
        call.cancel()


class FullDisk(ContainerCase):
    """The disk of the worker's state is small, and a task fills it."""

    @classmethod
    def flags_of_the_worker(cls):
        os.makedirs(cls.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", cls.state], check=True)
        cls.addClassCleanup(cls.unmount)
        return super().flags_of_the_worker()

    @classmethod
    def unmount(cls):
        cls.worker.stop()
        # A keeper clears away behind its result.
        eventually(lambda: subprocess.run(["umount", cls.state], check=False).returncode,
                   lambda code: code == 0, 15)

    @classmethod
    def directories_to_be_empty(cls):
        return []

    def test_the_exit_status_survives(self):
        task = self.sh("echo before; dd if=/dev/zero of=/fill bs=64k 2>/dev/null; "
                       "dd if=/dev/zero of=/fill2 bs=1 2>/dev/null; seq 1 100000; exit 7")
        status = self.ended(task, "FAILED", "EXIT_CODE", exit_code=7)
        text = self.server.log_of(task)
        self.assertTrue(text.startswith(b"before\n"), text[:100])
        self.assertIn("No space left on device", status["message"])
        # There is room again, so the next one is as if nothing had been.
        self.assertEqual(self.output(self.sh("echo fine")), "fine\n")


if __name__ == "__main__":
    from testing.process.harness import case
    case.main()
