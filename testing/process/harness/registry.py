"""Registries of images on loopback: Debian's docker-registry, and one that does what a test says.

Images are made here too, byte by byte, so that a test can make what no tool would.
"""

import base64
import crypt
import gzip
import hashlib
import http.client
import http.server
import io
import json
import os
import re
import subprocess
import tarfile
import threading
import time
import zlib

BUSYBOX = "/bin/busybox"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file(name, content=b"", mode=0o644, **more):
    """A member of a tar: a regular file unless `type` says otherwise."""
    info = tarfile.TarInfo(name)
    info.mode = mode
    content = content.encode() if isinstance(content, str) else content
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        info.size = 0
    return info, content


def tar_of(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.size else None)
    return out.getvalue()


def layer_of(*members):
    """The bytes of a gzipped layer."""
    return gzip.compress(tar_of(*members), 1, mtime=0)


def busybox_layer():
    with open(BUSYBOX, "rb") as binary:
        content = binary.read()
    link = {"type": tarfile.SYMTYPE, "linkname": "busybox"}
    return layer_of(
        file("bin", mode=0o755, type=tarfile.DIRTYPE), file("bin/busybox", content, 0o755),
        *(file("bin/" + name, **link) for name in ("sh", "cat", "ls", "sleep", "stat", "find")))


class Image:
    """Manifest and blobs. `config` is the image's settings, `manifest` overrides the manifest."""

    def __init__(self, *layers, config=None, architecture=None, manifest=None, media=LAYER):
        import platform
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        document = {
            "architecture": architecture or machine, "os": "linux", "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [
                digest_of(plain(layer)) for layer in layers]}}
        self.config = json.dumps(document).encode()
        self.blobs = {digest_of(data): data for data in (self.config, *layers)}
        description = {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(self.config),
                       "size": len(self.config)},
            "layers": [{"mediaType": media, "digest": digest_of(layer), "size": len(layer)}
                       for layer in layers], **(manifest or {})}
        self.media = description["mediaType"]
        self.manifest = json.dumps(description).encode()
        self.digest = digest_of(self.manifest)


def plain(layer):
    """A layer without its compression; as it is if it has none that can be undone, or is a bomb."""
    try:
        unpacker = zlib.decompressobj(31)
        content = unpacker.decompress(layer, 64 << 20)
        return content if unpacker.eof else layer
    except zlib.error:
        return layer


def index_of(**images):
    """The bytes of an index: architecture=Image."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": image.media, "digest": image.digest, "size": len(image.manifest),
         "platform": {"os": "linux", "architecture": architecture}}
        for architecture, image in images.items()]}).encode()


class Registry:
    """Debian's docker-registry, with a password or without."""

    def __init__(self, machine, user=None, password=None):
        self.user, self.password = user, password
        self.directory = machine.path("registry-" + (user or "open"))
        os.makedirs(self.directory)
        settings = {"version": 0.1, "http": {"addr": "127.0.0.1:0"},
                    "storage": {"filesystem": {"rootdirectory": self.directory + "/data"},
                                "maintenance": {"uploadpurging": {"enabled": False}}}}
        if user:
            salted = crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
            with open(self.directory + "/htpasswd", "w", encoding="utf-8") as out:
                out.write(f"{user}:{salted.replace('$2b$', '$2y$', 1)}\n")
            settings["auth"] = {"htpasswd": {
                "realm": "jarvis", "path": self.directory + "/htpasswd"}}
        with open(self.directory + "/config.yml", "w", encoding="utf-8") as out:
            json.dump(settings, out)
        self.log_path = self.directory + "/log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/docker-registry", "serve", self.directory + "/config.yml"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=machine.environment())
        self.host = self.wait_for_address()

    def wait_for_address(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with open(self.log_path, encoding="utf-8") as log:
                found = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read())
            if found:
                return found[1]
            time.sleep(0.02)
        raise AssertionError("docker-registry does not listen: " + self.log_path)

    def request(self, verb, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=20)
        headers = dict(headers or {})
        if self.user:
            secret = f"{self.user}:{self.password}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(secret).decode()
        connection.request(verb, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status < 300, (verb, path, answer.status, content[:500])
        return answer

    def put_blob(self, name, data):
        place = self.request("POST", f"/v2/{name}/blobs/uploads/").getheader("Location")
        place = place.split(self.host, 1)[-1]
        self.request("PUT", f"{place}&digest={digest_of(data)}", data,
                     {"Content-Type": "application/octet-stream"})

    def push(self, name, tag, image):
        for data in image.blobs.values():
            self.put_blob(name, data)
        self.put_manifest(name, tag, image.manifest, image.media)
        return f"docker://{self.host}/{name}:{tag}"

    def put_manifest(self, name, tag, manifest, media):
        self.request("PUT", f"/v2/{name}/manifests/{tag}", manifest, {"Content-Type": media})

    def stop(self):
        self.process.kill()
        self.process.wait()


class Fake:
    """A registry whose every answer a test may change.

    `before(handler, kind, reference)` runs before an answer is sent: it may sleep, or answer itself
    and return True. Requests are counted by kind and reference.
    """

    def __init__(self):
        self.manifests = {}  # (name, reference): (media, bytes)
        self.blobs = {}
        self.counts = {}
        self.before = None
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_HEAD(self):
                fake.answer(self, head=True)

            def do_GET(self):
                fake.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def push(self, name, tag, image):
        self.blobs.update(image.blobs)
        self.manifests[name, tag] = self.manifests[name, image.digest] = (
            image.media, image.manifest)
        return f"docker://{self.host}/{name}:{tag}"

    def count(self, kind, reference):
        return self.counts.get((kind, reference), 0)

    def answer(self, handler, head=False):
        match = re.match(r"/v2/(.*)/(manifests|blobs)/([^/]+)$", handler.path)
        if match is None:
            self.send(handler, 200, "application/json", b"{}", head)
            return
        name, kind, reference = match.groups()
        key = (kind, reference)
        self.counts[key] = self.counts.get(key, 0) + 1
        try:
            if self.before is not None and self.before(handler, kind, reference):
                return
            media, data = self.find(name, kind, reference)
            self.send(handler, 200 if data is not None else 404, media, data or b"{}", head)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True

    def find(self, name, kind, reference):
        if kind == "manifests":
            return self.manifests.get((name, reference), ("application/json", None))
        return "application/octet-stream", self.blobs.get(reference)

    @staticmethod
    def send(handler, code, media, data, head=False):
        handler.send_response(code)
        handler.send_header("Content-Type", media)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if not head:
            handler.wfile.write(data)

    @staticmethod
    def send_slowly(handler, data, step, seconds, until=None):
        """In steps, with a pause between them, until an event is set."""
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        for at in range(0, len(data), step):
            handler.wfile.write(data[at:at + step])
            handler.wfile.flush()
            if until is None or not until.wait(seconds):
                time.sleep(seconds if until is None else 0)
        return True

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
