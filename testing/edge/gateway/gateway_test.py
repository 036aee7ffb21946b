#!/usr/bin/python3
"""The same requests to Jarvis's REST edge and to a real grpc-gateway in front of its gRPC port.

Debian has version 1 of grpc-gateway, Jarvis does as version 2: every row of table.py in which the
two differ says why.
"""

import os
import sys
import unittest

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402

from testing.edge.gateway import peer, table  # noqa: E402

SERVER = "testing/edge/gateway/server"
PROXY = "testing/edge/gateway/proxy.bin"


class Gateway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = peer.Program(SERVER)
        cls.addClassCleanup(cls.server.kill)
        cls.grpc_port, cls.port = cls.server.ports
        # It complains of its own faults on its standard error, at length.
        cls.proxy = peer.Program(PROXY, f"127.0.0.1:{cls.grpc_port}", quiet=True)
        cls.addClassCleanup(cls.proxy.kill)
        [cls.proxy_port] = cls.proxy.ports
        with grpc.insecure_channel(f"127.0.0.1:{cls.grpc_port}") as channel:
            grpc.channel_ready_future(channel).result(peer.PATIENCE_S)

    def answers_as_recorded(self, row):
        try:
            answer = peer.ask(self.proxy_port, row.verb, row.uri, row.headers, row.body)
        except (EOFError, OSError):
            return False
        # Of errors only the status: version 1 has other bodies, or plain text.
        if row.status != 200:
            return answer.status == row.status
        try:
            table.check(self, row, answer)
        except (AssertionError, ValueError):
            return False
        return True

    def test_the_proxy_is_one(self):
        answer = peer.ask(self.proxy_port, "GET", "/v1/ones/a")
        self.assertEqual(answer.headers["grpc-metadata-content-type"], ["application/grpc"])

    def test_rows_agree_unless_they_say_why_not(self):
        compared = 0
        for row in table.ROWS:
            with self.subTest(str(row)):
                self.assertEqual(self.answers_as_recorded(row), row.v1 is None,
                                 row.v1 or "grpc-gateway answers otherwise")
                compared += row.v1 is None
        self.assertGreater(compared, 200, "most rows are of both versions")


class Metadata(unittest.TestCase):
    """What REST has as headers, over gRPC."""

    def test_headers_and_trailers_of_handlers(self):
        server = peer.Program(SERVER)
        self.addCleanup(server.kill)
        with grpc.insecure_channel(f"127.0.0.1:{server.ports[0]}") as channel:
            # Request{orders: {headers: {"a": "b"}, trailers: {"t-bin": "u"}}}, Request{}
            orders = (b"\x12\x14" + b"\x1a\x06\x0a\x01a\x12\x01b"
                      + b"\x22\x0a\x0a\x05t-bin\x12\x01u")
            for method, asks in (("Obey", channel.unary_unary), ("Count", channel.unary_stream)):
                call = asks(f"/testing.gateway.Gateway/{method}")
                if method == "Obey":
                    metadata = [("foo", "bar"), ("x-bin", b"\0")]
                    answer, call = call.with_call(orders, metadata=metadata)
                    self.assertIn(b"\x0a\x03foo\x12\x03bar", answer)
                    self.assertIn(b"\x0a\x05x-bin\x12\x01\0", answer)
                else:
                    call = call(orders)
                    self.assertEqual(list(call), [])
                self.assertIn(("a", "b"), [tuple(pair) for pair in call.initial_metadata()])
                self.assertIn(("t-bin", b"u"), [tuple(pair) for pair in call.trailing_metadata()])


if __name__ == "__main__":
    unittest.main()
