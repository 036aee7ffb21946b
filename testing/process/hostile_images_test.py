#!/usr/bin/python3
"""Hostile and corrupt images: refused with a clear sentence, or contained; nothing else is touched.

Each is served by a registry of the test's own, for no real one would take most of them.
"""

import gzip
import io
import json
import os
import stat
import struct
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, registry  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402
from testing.process.harness.registry import (  # noqa: E402
    Fake, Image, digest_of, file, layer_of, tar_of)

MIB = 1 << 20
SYMLINK, HARDLINK = {"type": tarfile.SYMTYPE}, {"type": tarfile.LNKTYPE}
DIRECTORY = {"type": tarfile.DIRTYPE, "mode": 0o755}


class HostileCase(ContainerCase):
    @classmethod
    def setUpClass(cls):
        cls.fake = Fake()
        cls.addClassCleanup(cls.fake.stop)
        cls.base = registry.busybox_layer()
        super().setUpClass()
        cls.images = os.path.join(cls.state, "runc/images")
        # What must never be touched: beside the cache, and where links lead.
        cls.victim = cls.machine.path("victim")
        os.makedirs(cls.victim)
        with open(os.path.join(cls.victim, "kept"), "w", encoding="ascii") as out:
            out.write("kept")

    @classmethod
    def flags_of_the_worker(cls):
        return {**super().flags_of_the_worker(), "images.recheck": "0s",
                "images.insecure_registries": f"[{cls.fake.host}]", "images.image_max": "24MiB",
                "images.files_max": "1000", "images.pull_attempts": "2",
                "images.cache_max": "256MiB", "images.pull_timeout": "10s"}

    def tearDown(self):
        self.fake.before = None
        self.assertEqual(sorted(os.listdir(self.victim)), ["kept"])
        with open(os.path.join(self.victim, "kept"), encoding="ascii") as kept:
            self.assertEqual(kept.read(), "kept")
        self.assertFalse(os.path.exists("/jarvis-was-here"))
        # Nothing half done stays, and nobody works on it any more.
        for name in ("work", "trash"):
            eventually(lambda path=os.path.join(self.images, name): os.listdir(path),
                       lambda left: not left, 10)
        eventually(lambda: [what for what in self.machine.processes().values()
                            if "jarvis-unpack" in what],
                   lambda left: not left, 10)

    def push(self, image, name="hostile"):
        return self.fake.push(name, "v1", image)

    def refused(self, image, *words, reason="IMAGE"):
        begun = time.monotonic()
        reference = image if isinstance(image, str) else self.push(image)
        message = self.ended(self.submit(image=reference, command=["/bin/sh", "-c", "true"]),
                             "FAILED", reason)["message"]
        for word in words:
            self.assertIn(word, message)
        self.assertLess(time.monotonic() - begun, 30)
        return message

    def runs(self, image, script):
        """What a script prints in the image."""
        return self.output(self.submit(image=self.push(image), command=["/bin/sh", "-c", script]))

    def unpacked(self, image):
        return os.path.join(self.images, "unpacked", image.digest, "rootfs")


class Contained(HostileCase):
    """What is let through, and does no harm."""

    def test_links_that_lead_out(self):
        image = Image(
            self.base,
            layer_of(file("abs", **SYMLINK, linkname=self.victim),
                     file("up", **SYMLINK, linkname="../../../../../../.." + self.victim),
                     file("root", **SYMLINK, linkname="/")),
            # Through links of the layer below: what a naive tool writes outside.
            layer_of(file("abs/written", "x"), file("up/written", "x"),
                     file("root/jarvis-was-here", "x")))
        self.assertEqual(self.runs(image, "cat /jarvis-was-here"), "x")
        self.assertFalse(os.path.exists(os.path.join(self.victim, "written")))

    def test_whiteouts_through_links(self):
        image = Image(
            self.base, layer_of(file("link", **SYMLINK, linkname=self.victim)),
            layer_of(file("link/.wh.kept", ""), file("link/.wh..wh..opq", "")))
        self.runs(image, "true")

    def test_hard_links_through_links(self):
        image = Image(
            self.base, layer_of(file("link", **SYMLINK, linkname=self.victim)),
            layer_of(file("stolen", **HARDLINK, linkname="link/kept")))
        reference = self.push(image)
        status = self.status(self.submit(image=reference,
                                         command=["/bin/sh", "-c", "cat /stolen || true"]))
        # Either it is refused, or the link leads nowhere.
        if status["state"] == "TASK_STATE_SUCCEEDED":
            self.assertFalse(os.path.exists(os.path.join(self.unpacked(image), "stolen")))
        else:
            self.assertEqual(status["failure_reason"], "FAILURE_REASON_IMAGE")

    def test_device_files_are_taken_out(self):
        image = Image(self.base, layer_of(
            file("dev", **DIRECTORY), file("pipe", type=tarfile.FIFOTYPE),
            file("dev/mem", type=tarfile.CHRTYPE, devmajor=1, devminor=1, mode=0o666),
            file("dev/disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o666),
            # To overlay this is a whiteout.
            file("bin/hidden", type=tarfile.CHRTYPE, devmajor=0, devminor=0)))
        text = self.runs(image, "ls -d /dev/mem /dev/disk /bin/hidden /pipe 2>&1; true")
        self.assertIn("/pipe\n", text)
        for name in ("dev/mem", "dev/disk", "bin/hidden"):
            self.assertFalse(os.path.lexists(os.path.join(self.unpacked(image), name)))
            self.assertIn("No such file", text)

    def test_set_uid_files_mean_nothing(self):
        with open(registry.BUSYBOX, "rb") as binary:
            image = Image(self.base, layer_of(file("bin/id-root", binary.read(), 0o4755)))
        text = self.output(self.submit(
            image=self.push(image), user="1000:1000",
            command=["/bin/sh", "-c", "grep NoNewPrivs /proc/self/status; "
                     "/bin/id-root sh -c 'id -u' 2>/dev/null || /bin/busybox id -u"]))
        self.assertIn("NoNewPrivs:\t1", text)
        self.assertNotIn("\n0\n", text)
        # And nobody else of this machine can reach it.
        self.assertEqual(stat.S_IMODE(os.stat(self.images).st_mode), 0o700)

    def test_settings_of_the_wrong_kind(self):
        for config in ({"Env": 7, "Cmd": {"a": 1}, "User": [], "WorkingDir": 3, "Entrypoint": None},
                       {"Env": [None, 7, "=x", "A=b"], "Cmd": [None]}, {"User": "no-such-user"},
                       {"WorkingDir": "../../.."}, {"WorkingDir": "relative"}):
            image = Image(self.base, config=config)
            status = self.status(self.submit(image=self.push(image),
                                             command=["/bin/sh", "-c", "echo ok"]))
            self.assertIn(status.get("failure_reason", ""),
                          ("", "FAILURE_REASON_COMMAND", "FAILURE_REASON_IMAGE",
                           "FAILURE_REASON_EXECUTOR"), status)
            self.assertEqual(self.worker.node()["state"], "NODE_STATE_READY")

    def test_a_user_table_that_is_a_link(self):
        image = Image(self.base, layer_of(
            file("etc", **DIRECTORY), file("etc/passwd", **SYMLINK, linkname="/proc/kmsg"),
            file("etc/group", **SYMLINK, linkname=f"{self.victim}/kept")),
            config={"User": "daemon"})
        self.status(self.submit(image=self.push(image), command=["/bin/sh", "-c", "true"]))
        self.assertEqual(self.worker.node()["state"], "NODE_STATE_READY")

    def test_a_deep_tree_is_unpacked_and_removed(self):
        image = Image(self.base, layer_of(file("d/" * 900 + "leaf", "x")))
        self.runs(image, "true")


class Refused(HostileCase):
    def test_names_with_dots(self):
        for member in (file("../escape", "x"), file("a/../../escape", "x"),
                       file("x" * 200 + "/../../escape", "x"),
                       file("hard", **HARDLINK, linkname="../../../etc/shadow")):
            self.refused(Image(self.base, layer_of(member)), '".."')

    def test_whiteouts_of_nothing(self):
        for name in (".wh..", ".wh...", "bin/.wh."):
            self.refused(Image(self.base, layer_of(file(name, ""))), "whiteout")

    def test_attributes_that_overlay_would_obey(self):
        info, content = file("bin/cat2", "x")
        info.pax_headers = {"SCHILY.xattr.trusted.overlay.redirect": "/etc"}
        self.refused(Image(self.base, layer_of((info, content))), "trusted.overlay.redirect")

    def test_a_bomb_of_bytes(self):
        # 4 GiB of zeroes in 4 MiB, twice compressed in effect; by its header, and by its stream.
        zeroes = gzip.compress(bytes(16 * MIB), 9)
        bomb = io.BytesIO()
        info, _ = file("bomb")
        info.size = 4 << 30
        bomb.write(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)))
        for _ in range(256):
            bomb.write(zeroes)
        before = self.disk()
        self.refused(Image(self.base, bomb.getvalue()), "images.image_max")
        self.assertLess(self.disk() - before, 16 * MIB)

    def test_a_sparse_bomb(self):
        info, content = file("sparse", "0\n")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                            "GNU.sparse.name": "sparse", "GNU.sparse.realsize": str(1 << 40)}
        self.refused(Image(self.base, layer_of((info, content))), "images.image_max")

    def test_a_bomb_of_files(self):
        members = [file(f"f{i}") for i in range(2000)]
        self.refused(Image(self.base, layer_of(*members)), "images.files_max")
        # Spread over layers, each small enough.
        layers = [layer_of(*(file(f"{n}-{i}") for i in range(400))) for n in range(4)]
        self.refused(Image(self.base, *layers), "images.files_max")

    def test_a_bomb_of_headers(self):
        info, content = file("long", "x")
        info.pax_headers = {"comment": "x" * (2 * MIB)}
        self.refused(Image(self.base, layer_of((info, content))), "header")

    def disk(self):
        found = subprocess.run(["du", "-s", "--block-size=1", self.images], capture_output=True,
                               text=True, check=False)
        return int(found.stdout.split()[0])

    def test_layers_that_are_no_layers(self):
        whole = layer_of(file("noise", os.urandom(100000)))
        cut = gzip.compress(tar_of(file("a", "x" * 9000))[:4096])
        for layer, words in ((b"no gzip", "in the middle"), (b"no gzip at all" * 99, "no tar"),
                             (gzip.compress(b"no tar" * 1000), "no tar"), (cut, "in the middle"),
                             (whole[:len(whole) // 2], "damaged"), (whole + b"trailing", ""),
                             (whole[:-8] + struct.pack("<II", 1, 2), "damaged")):
            if words:
                self.refused(Image(self.base, layer), words)
            else:
                self.status(self.submit(image=self.push(Image(self.base, layer)),
                                        command=["/bin/sh", "-c", "true"]))

    def test_layers_of_other_kinds(self):
        layer = layer_of(file("a", "x"))
        oci = "application/vnd.oci.image.layer."
        self.refused(Image(layer, media=oci + "v1.tar+zstd"), "zstd")
        self.refused(Image(layer, media=oci + "nondistributable.v1.tar+gzip"), "elsewhere")
        self.refused(Image(layer, media="text/html"), "not known")

    def test_blobs_that_are_not_what_they_are_called(self):
        image = Image(self.base, layer_of(file("a", os.urandom(200000))))
        reference = self.push(image)
        layer = json.loads(image.manifest)["layers"][1]["digest"]
        good = self.fake.blobs[layer]
        self.fake.blobs[layer] = good[:-10] + bytes(10)
        self.refused(reference, "digest", "tried 2 times")
        self.assertNotIn(layer[7:], os.listdir(os.path.join(self.images, "blobs/sha256")))
        # Shorter than it says, and then again as it should be.
        self.fake.blobs[layer] = good[:1000]
        self.refused(reference, "tried 2 times")
        self.fake.blobs[layer] = good
        self.assertEqual(self.runs(image, "echo mended"), "mended\n")

    def test_a_blob_that_does_not_end(self):
        image = Image(self.base, layer_of(file("endless", os.urandom(1000))))
        layer = json.loads(image.manifest)["layers"][1]["digest"]

        def before(handler, kind, reference):
            if reference != layer or handler.command != "GET":
                return False
            handler.send_response(200)
            handler.end_headers()
            handler.close_connection = True
            for _ in range(4096):
                handler.wfile.write(os.urandom(65536))
            return True
        self.fake.before = before
        self.refused(image, "more than the manifest says", "tried 2 times")
        self.assertLess(self.disk(), 200 * MIB)

    def test_manifests_that_are_none(self):
        def serve(text, media=registry.MANIFEST):
            data = text if isinstance(text, bytes) else json.dumps(text).encode()
            self.fake.manifests["bad", "v1"] = (media, data)
            self.fake.manifests["bad", digest_of(data)] = (media, data)
            return f"docker://{self.fake.host}/bad:v1"
        good = json.loads(Image(self.base).manifest)
        self.refused(serve(b"{"), "not JSON")
        self.refused(serve([]), "object")
        self.refused(serve({**good, "layers": good["layers"] * 300}), "layers")
        self.refused(serve({**good, "layers": [{**good["layers"][0], "size": -5}]}), "size")
        self.refused(serve({**good, "layers": [{**good["layers"][0], "size": 1 << 60}]}),
                     "images.image_max")
        self.refused(serve({**good, "layers": [
            {**good["layers"][0], "digest": "sha256:../../../../etc/passwd"}]}), "sha256")
        self.refused(serve(b" " * (5 * MIB) + json.dumps(good).encode()))
        self.refused(serve(b"[" * MIB))
        self.refused(serve({"schemaVersion": 1, "fsLayers": []},
                           "application/vnd.docker.distribution.manifest.v1+json"), "schema 1")
        # An index that names itself, and one of ten thousand.
        entry = {"mediaType": registry.MANIFEST, "size": 1, "digest": digest_of(b"x"),
                 "platform": {"os": "linux", "architecture": "mips"}}
        self.refused(serve({"schemaVersion": 2, "manifests": [entry] * 10000}, registry.INDEX),
                     "entries")

    def test_a_manifest_with_another_digest(self):
        image = Image(self.base)
        wanted = "sha256:" + "0" * 64
        self.fake.manifests["wrong", wanted] = (image.media, image.manifest)
        self.fake.blobs.update(image.blobs)
        self.refused(f"docker://{self.fake.host}/wrong@{wanted}", "digest")

    def test_another_machine(self):
        self.refused(Image(self.base, architecture="riscv64"), "riscv64")

    def test_layouts_and_tars_of_this_machine(self):
        """What is named by path obeys the same limits."""
        path = self.machine.path("images", "bomb.tar")
        with open(path, "wb") as out:
            out.write(tar_of(*(file(f"f{i}") for i in range(2000))))
        self.refused(path, "images.files_max")
        with open(path, "wb") as out:
            out.write(tar_of(file("../escape", "x")))
        self.refused(path, '".."')
        self.assertFalse(os.path.exists(self.machine.path("images", "escape")))


if __name__ == "__main__":
    case.main()
