"""Programs that serve, and requests to them over a plain socket."""

import socket
import subprocess

PATIENCE_S = 20


class Program:
    """Says its ports on its first line; ends when its input does."""

    def __init__(self, *command, quiet=False):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL if quiet else None)
        self.ports = [int(port) for port in self.process.stdout.readline().split()]

    def stop(self):
        """Its exit status."""
        self.process.stdin.close()
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Answer:
    def __init__(self, status, headers, body, trailers, chunks):
        self.status = status
        self.headers = headers
        self.body = body
        self.trailers = trailers
        self.chunks = chunks

    @property
    def text(self):
        return self.body.decode()


class Connection:
    """HTTP/1.1 as bytes, so that what is sent and what comes is seen as it is."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, verb, uri, headers=None, body=None):
        lines = [f"{verb} {uri} HTTP/1.1", "Host: gateway.test"]
        for name, values in (headers or {}).items():
            for value in values if isinstance(values, list) else [values]:
                lines.append(f"{name}: {value}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def fields(self):
        """Names in lower case, with a list of their values."""
        found = {}
        for line in iter(self.file.readline, b"\r\n"):
            if not line:
                raise EOFError("the connection has ended")
            name, _, value = line.decode("latin-1").partition(":")
            found.setdefault(name.lower(), []).append(value.strip())
        return found

    def chunks(self):
        while True:
            size = int(self.file.readline(), 16)
            if size == 0:
                return
            yield self.file.read(size)
            self.file.readline()

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError("no answer, but the end of the connection")
        status = int(line.split()[1])
        headers = self.fields()
        if headers.get("transfer-encoding") == ["chunked"]:
            chunks = list(self.chunks())
            return Answer(status, headers, b"".join(chunks), self.fields(), chunks)
        length = headers.get("content-length")
        body = self.file.read() if length is None else self.file.read(int(length[0]))
        return Answer(status, headers, body, None, None)

    def ask(self, verb, uri, headers=None, body=None):
        self.send(verb, uri, headers, body)
        return self.read()


def ask(port, verb, uri, headers=None, body=None):
    with Connection(port) as connection:
        return connection.ask(verb, uri, headers, body)
