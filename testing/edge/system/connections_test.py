#!/usr/bin/python3
"""Ten thousand clients that are connected and say nothing, and one that works."""

import os
import re
import resource
import socket
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, http2  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402

WANTED = 10000
# Descriptors that the server keeps for its store, and those of this test beside the connections.
OTHERS = 800
# The goal of 600 MB for 10,000 connections over gRPC and 10,000 over REST leaves so much for one.
KB_MAX = 35
# The struct of a connection and malloc's own, with room for the noise of a few MB.
REST_KB_MAX = 2


class Connections(case.ServerCase):
    @classmethod
    def setUpClass(cls):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.count = min(WANTED, hard - OTHERS)
        super().setUpClass()

    def memory_kb(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check(self, client):
        data, _ = client.until(client.begin("/grpc.health.v1.Health/Check"))
        self.assertEqual(http2.messages(data), [(False, b"\x08\x01")])

    def test_ten_thousand_idle_connections(self):
        self.assertGreaterEqual(self.count, 4000, "this machine allows too few files to say much")
        task = self.server.submit(image="x")
        before, files = self.memory_kb(), self.descriptors()
        clients = []
        for i in range(self.count):
            clients.append(http2.Connection(self.server.grpc_port, source=f"127.0.0.{2 + i % 4}"))
            self.check(clients[-1])
        each = (self.memory_kb() - before) / self.count
        print(f"{self.count} connections, {each:.1f} kB each", flush=True)
        # A sanitizer's allocator is another thing.
        if not any(key.endswith("SAN_OPTIONS") for key in os.environ):
            self.assertLess(each, KB_MAX)
        # Whoever works is served, and so are the first and the last that came.
        for _ in range(100):
            self.assertEqual(self.server.task(task)["id"], task)
        self.check(clients[0])
        self.check(clients[-1])
        for client in clients:
            client.close()
        eventually(self.descriptors, lambda count: count <= files + 1)

    def test_ten_thousand_idle_connections_over_rest(self):
        request = b"GET /alive HTTP/1.1\r\nHost: x\r\n\r\n"

        def ask(client):
            client.sendall(request)
            self.assertIn(b"200 OK", client.recv(65536))
        before, files = self.memory_kb(), self.descriptors()
        clients = []
        for i in range(self.count):
            clients.append(socket.create_connection(
                ("127.0.0.1", self.server.rest_port), 10, (f"127.0.0.{2 + i % 4}", 0)))
            ask(clients[-1])
        each = (self.memory_kb() - before) / self.count
        print(f"{self.count} connections, {each:.2f} kB each", flush=True)
        if not any(key.endswith("SAN_OPTIONS") for key in os.environ):
            self.assertLess(each, REST_KB_MAX)
        # Doing nothing costs next to nothing, and they are still served.
        began = self.cpu_seconds()
        time.sleep(2)
        self.assertLess(self.cpu_seconds() - began, 0.5)
        ask(clients[0])
        ask(clients[-1])
        for client in clients:
            client.close()
        eventually(self.descriptors, lambda count: count <= files + 1)

    def test_connections_that_never_say_what_they_want(self):
        """Somebody who connects and is silent is sent away; he does not hold up others."""
        sockets = [socket.create_connection(("127.0.0.1", self.server.grpc_port))
                   for _ in range(200)]
        began = time.monotonic()
        self.server.submit(image="x")
        self.assertLess(time.monotonic() - began, 5)
        for one in sockets:
            one.settimeout(30)
            # What the server says first (its settings), then the end.
            while one.recv(4096):
                pass
            one.close()


if __name__ == "__main__":
    case.main()
