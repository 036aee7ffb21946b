#!/usr/bin/python3
"""Contexts: which server is asked, with which certificates and token, and that nothing leaks."""

import os
import subprocess
import sys
import tempfile
import unittest

import grpc

sys.path.insert(0, os.getcwd())

from testing.edge.cli.case import CliCase, task  # noqa: E402
from testing.edge.cli.fake import Fake  # noqa: E402
from testing.process.harness import places  # noqa: E402


class Contexts(CliCase):
    """The current context is asked when nobody names a server."""

    def setUp(self):
        super().setUp()
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        self.fake.on["GetHealth"] = lambda request, context: {"status": "HEALTH_STATUS_HEALTHY"}
        self.fake.on["ListTasks"] = self.list
        self.tokens = []

    def list(self, request, context):
        metadata = dict(context.invocation_metadata())
        self.tokens.append(metadata.get("authorization"))
        return {"tasks": [task()]}

    def jarvis(self, *words, text="", **environment):
        done = subprocess.run(
            [places.find("cli/jarvis"), *words], input=text.encode(), timeout=40, check=False,
            env=dict({"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": self.home.name},
                     **environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_a_server_is_found_by_its_name_and_gets_its_token(self):
        result, out, err = self.jarvis("context", "add", "lab", "-s", self.fake.address,
                                       "--token-stdin", text="tok-1\n")
        self.assertEqual((result, out), (0, "context lab (current)\n"), err)
        path = os.path.join(self.home.name, "jarvis/contexts.yaml")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(os.path.dirname(path)), ["contexts.yaml"])
        result, out, err = self.jarvis("task", "list", "-o", "name")
        self.assertEqual((result, out), (0, "t-1\n"), err)
        self.assertEqual(self.tokens, ["Bearer tok-1"])
        # A server that is named by itself gets no token of a context.
        self.assertEqual(self.jarvis("task", "list", "-s", self.fake.address)[0], 0)
        self.assertEqual(self.jarvis("task", "list", JARVIS_SERVER=self.fake.address,
                                     JARVIS_TOKEN="tok-2")[0], 0)
        self.assertEqual(self.tokens[1:], [None, "Bearer tok-2"])
        self.assertEqual(self.jarvis("task", "list", "-s", self.fake.address,
                                     JARVIS_CONTEXT="lab")[0], 0)
        self.assertEqual(self.tokens[3:], [None])
        for words in [["context", "show"], ["context", "list"], ["context", "show", "-o", "json"],
                      ["context", "list", "-o", "yaml"]]:
            result, out, err = self.jarvis(*words)
            self.assertEqual(result, 0, err)
            self.assertIn("lab", out)
            self.assertNotIn("tok-1", out + err)

    def test_a_context_speaks_tls(self):
        pem, key = os.path.join(self.home.name, "ca.pem"), os.path.join(self.home.name, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-keyout", key, "-out", pem, "-days", "2", "-subj", "/CN=lab",
             "-addext", "subjectAltName=DNS:lab.example.com"], check=True, capture_output=True)
        with open(pem, "rb") as pem_file, open(key, "rb") as key_file:
            safe = Fake(credentials=grpc.ssl_server_credentials(
                [(key_file.read(), pem_file.read())]))
        self.addCleanup(safe.close)
        safe.on["ListTasks"] = self.list
        token = os.path.join(self.home.name, "token")
        with open(token, "w", encoding="ascii") as file:
            file.write("tok-9\n")
        result, _, err = self.jarvis(
            "context", "add", "lab", "-s", safe.address, "--ca", pem, "--server-name",
            "lab.example.com", "--token-file", token)
        self.assertEqual(result, 0, err)
        result, out, err = self.jarvis("task", "list", "-o", "name")
        self.assertEqual((result, out), (0, "t-1\n"), err)
        self.assertEqual(self.tokens, ["Bearer tok-9"])
        # The certificate is another's, or the server speaks no TLS: no connection, and no token.
        for hint, words in [
                ("for another name; if that is meant, say which with --server-name",
                 ["--context", "lab", "--server-name", "other.example.com"]),
                ("this port does not speak TLS", ["--context", "lab", "-s", self.fake.address]),
                ("who has signed it with --ca FILE", ["-s", safe.address, "--tls"]),
                ("the server may speak TLS: --tls", ["-s", safe.address])]:
            with self.subTest(hint):
                result, _, err = self.jarvis("task", "list", *words)
                self.assertEqual(result, 4, err)
                self.assertIn(hint, err)
                # Two lines, and not what the library logs meanwhile.
                self.assertEqual(len(err.splitlines()), 2, err)
        self.assertEqual(len(self.tokens), 1)

    def test_the_life_of_contexts(self):
        self.assertEqual(self.jarvis("context", "add", "a", "-s", "127.0.0.1:1")[0], 0)
        self.assertEqual(self.jarvis("context", "add", "b", "-s", self.fake.address)[0], 0)
        self.assertEqual(self.jarvis("context", "list", "-o", "name")[1], "a\nb\n")
        result, _, err = self.jarvis("context", "add", "b", "-s", "x:1")
        self.assertEqual(result, 1)
        self.assertIn("replace it with --replace", err)
        self.assertEqual(self.jarvis("task", "list")[0], 4)
        self.assertEqual(self.jarvis("task", "list", "--context", "b")[0], 0)
        self.assertEqual(self.jarvis("task", "list", JARVIS_CONTEXT="b")[0], 0)
        result, _, err = self.jarvis("context", "use", "bb")
        self.assertEqual(result, 2)
        self.assertIn('did you mean "b"?', err)
        self.assertEqual(self.jarvis("context", "use", "b")[0], 0)
        self.assertEqual(self.jarvis("task", "list")[0], 0)
        self.assertEqual(self.jarvis("context", "remove", "b")[1], "context b removed\n")
        result, _, err = self.jarvis("context", "show")
        self.assertEqual(result, 2)
        self.assertIn("choose one with: jarvis context use", err)

    def test_what_cannot_be_a_context_is_refused(self):
        for words in [["a"], ["a b", "-s", "x:1"], ["a", "-s", "x:1", "--cert", "/dev/null"],
                      ["a", "-s", "x:1", "--ca", "/no/such/file"],
                      ["a", "-s", "x:1", "--token-stdin"]]:
            with self.subTest(words=words):
                result, out, err = self.jarvis("context", "add", *words)
                self.assertEqual((result, out), (2, ""), err)
        self.assertEqual(self.jarvis("context", "list", "-o", "name")[1], "")

    def test_two_at_once_lose_nothing(self):
        names = [f"c{i}" for i in range(8)]
        running = [subprocess.Popen(
            [places.find("cli/jarvis"), "context", "add", name, "-s", "x:1"],
            env={"XDG_CONFIG_HOME": self.home.name}, stdout=subprocess.DEVNULL) for name in names]
        self.assertEqual([process.wait(20) for process in running], [0] * 8)
        self.assertEqual(sorted(self.jarvis("context", "list", "-o", "name")[1].split()), names)


if __name__ == "__main__":
    unittest.main(verbosity=2)
