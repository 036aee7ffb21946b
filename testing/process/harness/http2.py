"""HTTP/2 by hand: a client that does what no gRPC library lets one do.

A connection is one socket, its frames are made and read here, and nothing happens by itself: a
test sends exactly what it means to, even what a well-behaved client never would. It is cheap, too:
ten thousand of them fit into one test.
"""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 3, 4, 6, 7, 8, 9)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def integer(value, bits):
    """HPACK's integer with the first byte's upper bits zero."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    out = [most]
    value -= most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes(out + [value])


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return integer(len(value), 7) + value


def header(name, value):
    """A literal that nobody indexes, without Huffman's code."""
    return b"\0" + text(name) + text(value)


def message(payload, compressed=False):
    """With gRPC's prefix of five bytes."""
    return struct.pack(">BI", int(compressed), len(payload)) + payload


class Connection:
    """settings: {identifier: value}, sent with the preface."""

    def __init__(self, port, host="127.0.0.1", source=None, settings=None, timeout=30):
        self.socket = socket.create_connection(
            (host, port), timeout, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next_stream = 1
        self.unread = b""
        pairs = b"".join(struct.pack(">HI", *pair) for pair in (settings or {}).items())
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, pairs))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    # ---- calls

    def headers(self, path, metadata=(), flags=END_HEADERS):
        """The frame that begins a call, and the number of its stream."""
        stream = self.next_stream
        self.next_stream += 2
        block = b"".join(header(*pair) for pair in [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
            ("content-type", "application/grpc"), ("te", "trailers"), *metadata])
        return frame(HEADERS, flags, stream, block), stream

    def begin(self, path, payload=b"", metadata=(), compressed=False):
        """A call with one message, whole. Returns the number of its stream."""
        head, stream = self.headers(path, metadata)
        self.send(head, frame(DATA, END_STREAM, stream, message(payload, compressed)))
        return stream

    def body(self, stream, data):
        """All of it, as fast as the server's windows allow. False if the server has ended the
        stream before."""
        windows = {0: 65535, stream: 65535}
        sent = 0
        while sent < len(data):
            size = min(16384, windows[0], windows[stream], len(data) - sent)
            if size > 0:
                end = END_STREAM if sent + size == len(data) else 0
                self.send(frame(DATA, end, stream, data[sent:sent + size]))
                sent += size
                windows[0] -= size
                windows[stream] -= size
                continue
            kind, flags, of, payload = self.frame()
            if kind == WINDOW_UPDATE and of in windows:
                windows[of] += int.from_bytes(payload, "big")
            elif kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK, 0))
                for i in range(0, len(payload), 6):
                    name, value = struct.unpack(">HI", payload[i:i + 6])
                    if name == INITIAL_WINDOW_SIZE:
                        windows[stream] += value - 65535
            elif of == stream and kind in (HEADERS, RST_STREAM):
                return False
        return True

    # ---- what comes

    def read(self, size):
        while len(self.unread) < size:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError("the server has closed the connection")
            self.unread += piece
        data, self.unread = self.unread[:size], self.unread[size:]
        return data

    def frame(self):
        """The next one, as it is: kind, flags, stream, payload."""
        head = self.read(9)
        size = int.from_bytes(head[:3], "big")
        return head[3], head[4], int.from_bytes(head[5:9], "big"), self.read(size)

    def next(self):
        """The same, but settings and pings of the server are answered and left out."""
        while True:
            kind, flags, stream, payload = self.frame()
            if kind == SETTINGS:
                if not flags & ACK:
                    self.send(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))
            else:
                return kind, flags, stream, payload

    def until(self, stream, window=True):
        """Reads until the stream has ended: its messages' bytes, and what ended it (the payload of
        its last frame, in which a status can be found). window: what was read is given back to
        the server."""
        data = b""
        while True:
            kind, flags, of, payload = self.next()
            if kind == GOAWAY:
                raise EOFError(f"the server says goodbye: {payload[8:]!r}")
            if kind == DATA and payload and window:
                more = struct.pack(">I", len(payload))
                self.send(frame(WINDOW_UPDATE, 0, 0, more), frame(WINDOW_UPDATE, 0, of, more))
            if of != stream:
                continue
            if kind == DATA:
                data += payload
            if kind == RST_STREAM or flags & END_STREAM:
                return data, payload


def messages(data):
    """Those in the bytes of a stream: [(whether compressed, payload)]."""
    found = []
    while data:
        compressed, size = struct.unpack(">BI", data[:5])
        found.append((bool(compressed), data[5:5 + size]))
        data = data[5 + size:]
    return found


def status(trailers):
    """gRPC's code in the first trailers of a connection, which are plain text."""
    at = trailers.index(b"grpc-status") + len(b"grpc-status")
    return int(trailers[at + 1:at + 1 + trailers[at]])
