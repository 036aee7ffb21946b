#!/usr/bin/python3
"""TLS on both ports: the server, workers and the command line with certificates, good and bad."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402
from concurrent import futures  # noqa: E402

from testing.process.harness import case, http2, places  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402

EX_CONFIG, EX_TEMPFAIL = 78, 75


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


class Authority:
    """One that signs certificates, with openssl's own commands, in a folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.make_key(name)
        openssl("req", "-x509", "-new", "-key", self.path(name + ".key"), "-subj", f"/CN={name}",
                "-days", "30", "-out", self.path(name + ".pem"))
        self.pem = self.path(name + ".pem")

    def path(self, file):
        return os.path.join(self.folder, file)

    def make_key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                "-out", self.path(name + ".key"))
        os.chmod(self.path(name + ".key"), 0o600)

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1"):
        """Paths of a certificate and its key."""
        self.make_key(name)
        openssl("req", "-new", "-key", self.path(name + ".key"), "-subj", f"/CN={name}",
                "-out", self.path(name + ".csr"))
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.pem,
                "-CAkey", self.path(self.name + ".key"), "-CAcreateserial", "-days", "30",
                "-extfile", self.path(name + ".ext"), "-out", self.path(name + ".pem"))
        return self.path(name + ".pem"), self.path(name + ".key")


def read(path):
    with open(path, "rb") as file:
        return file.read()


class TlsCase(case.MachineCase):
    flags = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.machine.path("pki")
        os.mkdir(folder)
        cls.ca = Authority(folder, "ca")
        cls.other = Authority(folder, "other")
        cls.cert, cls.key = cls.ca.issue("server")
        cls.client = cls.ca.issue("client")
        cls.stranger = cls.other.issue("stranger")
        cls.server = Server(cls.machine, tls__cert=cls.cert, tls__key=cls.key,
                            **cls.more_flags()).start()

    @classmethod
    def more_flags(cls):
        return cls.flags

    # ---- clients

    def context(self, ca=None, pair=None):
        context = ssl.create_default_context(cafile=(ca or self.ca).pem)
        if pair:
            context.load_cert_chain(*pair)
        return context

    def get(self, path, ca=None, pair=None):
        """Status and body over HTTPS."""
        connection = http.client.HTTPSConnection(
            "localhost", self.server.rest_port, timeout=10, context=self.context(ca, pair))
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def alive(self, ca=None, pair=None):
        """Asks over gRPC."""
        key, cert = (read(pair[1]), read(pair[0])) if pair else (None, None)
        credentials = grpc.ssl_channel_credentials(read((ca or self.ca).pem), key, cert)
        with grpc.secure_channel(f"localhost:{self.server.grpc_port}", credentials) as channel:
            return channel.unary_unary("/jarvis.v1.Monitor/GetLiveness")(b"", timeout=10)

    def jarvis(self, *arguments):
        done = subprocess.run(
            [places.find("cli/jarvis"), "--server", f"127.0.0.1:{self.server.grpc_port}",
             *arguments], capture_output=True, text=True, timeout=30, check=False,
            env={"PATH": os.environ["PATH"], "HOME": self.machine.directory})
        return done.returncode, done.stdout + done.stderr

    def nodes(self, **options):
        answer = json.loads(self.get("/v1/nodes", **options)[1])
        return {node["id"]: node["state"] for node in answer["nodes"]}


class Both(TlsCase):
    """Both ports have the one certificate; an embedded worker comes by a way of its own."""

    @classmethod
    def more_flags(cls):
        return {"worker__enabled": "true", "worker__executors": "noop", "worker__node__name": "own",
                "worker__state__path": cls.machine.path("own"), "log__level": "debug"}

    def test_rest_and_grpc_are_served(self):
        self.assertEqual(self.get("/alive")[0], 200)
        self.alive()

    def test_the_embedded_worker_needs_no_certificate(self):
        eventually(self.nodes, lambda nodes: nodes.get("own") == "NODE_STATE_READY")
        socket_path = os.path.join(self.server.flags["storage.path"], "embedded.sock")
        self.assertEqual(os.stat(socket_path).st_mode & 0o022, 0)

    def test_the_command_line(self):
        code, output = self.jarvis("--tls", "--ca", self.ca.pem, "status")
        self.assertEqual(code, 0, output)
        code, output = self.jarvis("--tls", "--ca", self.other.pem, "status")
        self.assertNotEqual(code, 0, output)
        code, output = self.jarvis("status")
        self.assertNotEqual(code, 0, output)

    def test_another_authority_is_refused_by_clients(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.get("/alive", ca=self.other)
        with self.assertRaises(grpc.RpcError) as caught:
            self.alive(ca=self.other)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(self.get("/alive")[0], 200)

    def test_plain_http_is_told_so(self):
        connection = http.client.HTTPConnection("localhost", self.server.rest_port, timeout=10)
        connection.request("GET", "/alive")
        answer = connection.getresponse()
        self.assertEqual((answer.status, b"https://" in answer.read()), (400, True))
        connection.close()

    def test_plain_grpc_finds_no_server(self):
        with grpc.insecure_channel(f"localhost:{self.server.grpc_port}") as channel:
            with self.assertRaises(grpc.RpcError) as caught:
                channel.unary_unary("/jarvis.v1.Monitor/GetLiveness")(b"", timeout=10)
        self.assertIn(caught.exception.code(), (grpc.StatusCode.UNAVAILABLE,
                                                grpc.StatusCode.DEADLINE_EXCEEDED))

    def test_old_versions_of_tls_are_refused(self):
        context = self.context()
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("localhost", self.server.rest_port), 10) as plain:
            with self.assertRaises(ssl.SSLError):
                context.wrap_socket(plain, server_hostname="localhost")

    def test_half_a_handshake_holds_nobody(self):
        halves = []
        for _ in range(50):
            half = socket.create_connection(("localhost", self.server.rest_port), 10)
            half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            halves.append(half)
        self.assertEqual(self.get("/alive")[0], 200)
        for half in halves:
            half.close()

    def test_headers_without_end_are_ended_inside_tls_too(self):
        context = self.context()
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("localhost", self.server.grpc_port), 10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0) +
                               http2.frame(http2.HEADERS, 0, 1, b"\0\1x\x7f\xff\xff\xff\x7f"))
                with self.assertRaises((ConnectionError, ssl.SSLError)):
                    for _ in range(1000):
                        client.sendall(http2.frame(http2.CONTINUATION, 0, 1, b"y" * 16000))
        eventually(self.server.log, lambda log: "headers that are too long" in log)
        self.alive()

    def test_streams_and_large_answers_go_over_tls(self):
        context = self.context()
        with socket.create_connection(("localhost", self.server.rest_port), 10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
                client.settimeout(10)
                got = b""
                while got.count(b"HTTP/1.1 200") < 20:
                    got += client.recv(65536)

    def test_keys_are_not_in_the_log(self):
        secret = read(self.key).split(b"\n")[1].decode()
        self.assertNotIn(secret, self.server.log())
        self.assertNotIn("PRIVATE KEY", self.server.log())


class Renewal(TlsCase):
    def renew(self, authority):
        cert, key = authority.issue("renewed")
        os.replace(key, self.key)
        os.replace(cert, self.cert)

    def test_a_new_certificate_counts_after_hup_and_a_bad_one_never(self):
        kept = http.client.HTTPSConnection(
            "localhost", self.server.rest_port, timeout=10, context=self.context())
        kept.request("GET", "/alive")
        kept.getresponse().read()
        self.renew(self.other)
        self.server.signal(signal.SIGHUP)
        eventually(self.server.log, lambda log: log.count("tls.loaded") == 2)
        self.assertEqual(self.get("/alive", ca=self.other)[0], 200)
        self.alive(ca=self.other)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.get("/alive")
        # Who was there before is not disturbed.
        kept.request("GET", "/alive")
        self.assertEqual(kept.getresponse().status, 200)
        kept.close()
        with open(self.cert, "w", encoding="ascii") as file:
            file.write("not a certificate\n")
        self.server.signal(signal.SIGHUP)
        eventually(self.server.log, lambda log: "tls.reload_failed" in log)
        self.assertEqual(self.get("/alive", ca=self.other)[0], 200)
        # Without a signal: it is looked at by and by.
        self.renew(self.ca)
        eventually(self.server.log, lambda log: log.count("tls.loaded") == 3)
        self.assertEqual(self.get("/alive")[0], 200)


class Mutual(TlsCase):
    """Nobody is served without a certificate, workers included."""

    @classmethod
    def more_flags(cls):
        return {"tls__client_ca": cls.ca.pem, "tls__client_auth": "require"}

    def test_clients_need_one(self):
        self.assertEqual(self.get("/alive", pair=self.client)[0], 200)
        self.alive(pair=self.client)
        for pair in (None, self.stranger):
            with self.subTest(pair=pair):
                with self.assertRaises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
                    self.get("/alive", pair=pair)
                with self.assertRaises(grpc.RpcError) as caught:
                    self.alive(pair=pair)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_the_command_line_shows_one(self):
        files = ["--tls", "--ca", self.ca.pem, "--cert", self.client[0], "--key", self.client[1]]
        code, output = self.jarvis(*files, "status")
        self.assertEqual(code, 0, output)
        code, output = self.jarvis(*files[:3], "status")
        self.assertNotEqual(code, 0, output)

    def test_a_worker_comes_with_one(self):
        flags = {"server__tls": "true", "server__ca": self.ca.pem}
        good = Worker(self.machine, self.server, name="good", server__cert=self.client[0],
                      server__key=self.client[1], **flags)
        bare = Worker(self.machine, self.server, name="bare", **flags)
        good.spawn()
        bare.spawn()
        eventually(lambda: self.nodes(pair=self.client),
                   lambda nodes: nodes.get("good") == "NODE_STATE_READY")
        eventually(bare.log, lambda log: "link.lost" in log)
        self.assertNotIn("bare", self.nodes(pair=self.client))
        self.assertEqual(good.stop(), 0)
        self.assertEqual(bare.stop(), 0)


class Tokens(case.MachineCase):
    """What a worker sends, as a server that is not ours sees it."""

    def serve(self, credentials=None):
        seen = []

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                seen.append(dict(details.invocation_metadata))
                return None

        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())
        return port, seen

    def test_a_worker_sends_its_token_and_reads_it_anew(self):
        port, seen = self.serve()
        path = self.machine.path("token")
        with open(path, "w", encoding="ascii") as file:
            file.write("first-word\n")

        class Nowhere:
            grpc_port = port
        worker = Worker(self.machine, Nowhere, server__token_file=path, log__level="debug")
        worker.spawn()

        def tokens():
            return {metadata.get("authorization") for metadata in seen}
        eventually(tokens, lambda got: got == {"Bearer first-word"})
        with open(path, "w", encoding="ascii") as file:
            file.write("second-word\n")
        eventually(tokens, lambda got: "Bearer second-word" in got)
        self.assertEqual(worker.stop(), 0)
        self.assertNotIn("-word", worker.log())

    def test_a_token_does_not_leave_the_machine_unencrypted(self):
        path = self.machine.path("token2")
        with open(path, "w", encoding="ascii") as file:
            file.write("a-word\n")

        class Nowhere:
            grpc_port = 1
        worker = Worker(self.machine, Nowhere, name="leaky", server__token_file=path)
        worker.flags["server.address"] = "192.0.2.1:7070"
        code, output = worker.run_to_end()
        self.assertEqual((code, "unencrypted" in output), (EX_CONFIG, True), output)


class Mistakes(case.MachineCase):
    """Each is refused at the start, in words."""

    def refused(self, *said, code=EX_CONFIG, **flags):
        number = getattr(type(self), "number", 0)
        type(self).number = number + 1
        server = Server(self.machine, name=f"wrong{number}", **flags)
        got, output = server.run_to_end()
        self.assertEqual(got, code, output)
        for words in said:
            self.assertIn(words, output)

    def test_configuration(self):
        ca = Authority(self.machine.directory, "mistaken")
        cert, key = ca.issue("server")
        _, other = ca.issue("second")
        self.refused("grpc.tls is on", "tls.cert", grpc__tls="on")
        self.refused("rest.tls is on", rest__tls="on")
        self.refused("tls.key is not set", tls__cert=cert)
        self.refused("tls.client_ca", tls__cert=cert, tls__key=key, tls__client_auth="require")
        self.refused("say request or require", tls__cert=cert, tls__key=key,
                     tls__client_ca=ca.pem)
        self.refused("rest.cors.origins", "no origin", rest__cors__origins="[example.com]")
        self.refused("rest.hosts", "no name of a host", rest__hosts="[example.com:80]")
        self.refused("none.pem", "No such file", code=EX_TEMPFAIL, tls__cert="/none.pem",
                     tls__key=key)
        self.refused("does not belong", code=EX_TEMPFAIL, tls__cert=cert, tls__key=other)
        self.refused("no private key", code=EX_TEMPFAIL, tls__cert=cert, tls__key=cert)

    def checked(self, program, code, *said, **flags):
        done = subprocess.run(
            [places.find(program), "--check"] +
            [f"--{key.replace('__', '.')}={value}" for key, value in flags.items()],
            capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        for words in said:
            self.assertIn(words, done.stderr)

    def test_files_are_looked_at_before_a_start(self):
        ca = Authority(self.machine.directory, "checked")
        cert, key = ca.issue("server")
        _, other = ca.issue("second")
        bad = [({"cert": "/none.pem", "key": key}, "No such file"),
               ({"cert": cert, "key": other}, "does not belong"),
               ({"cert": cert, "key": cert}, "no private key")]
        for program, prefix, more in (("server/jarvisd", "tls__", {}),
                                      ("worker/jarvis-worker", "server__",
                                       {"server__tls": "true", "server__ca": ca.pem})):
            with self.subTest(program=program):
                def flags(pair):
                    return {**more, **{prefix + name: path for name, path in pair.items()}}
                self.checked(program, 0, **flags({"cert": cert, "key": key}))
                for pair, said in bad:
                    self.checked(program, EX_CONFIG, said, **flags(pair))
        self.checked("server/jarvisd", EX_CONFIG, "/no.pem", tls__cert=cert, tls__key=key,
                     tls__client_ca="/no.pem", tls__client_auth="require")
        self.checked("worker/jarvis-worker", EX_CONFIG, "/no.token",
                     server__token_file="/no.token")

    def test_one_port_may_be_plain(self):
        ca = Authority(self.machine.directory, "half")
        cert, key = ca.issue("server")
        server = Server(self.machine, tls__cert=cert, tls__key=key, rest__tls="off").start()
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=10)
        connection.request("GET", "/alive")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        self.assertEqual(server.stop(), 0)

    def test_without_anything_both_are_plain(self):
        server = Server(self.machine, name="plain").start()
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=10)
        connection.request("GET", "/alive")
        self.assertEqual(connection.getresponse().read()[:1], b"{")
        # A name that was made to point here; only plain ports of this machine are asked for it.
        connection.request("GET", "/alive", headers={"Host": "evil.example"})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 403)
        self.assertIn(b"rest.hosts", answer.read())
        connection.close()
        server.grpc.call("GetLiveness", {})
        server.signal(signal.SIGHUP)
        eventually(server.log, lambda log: "server.reload" in log)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    case.main()
