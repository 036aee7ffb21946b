#!/usr/bin/python3
"""Images of registries: by tag, by digest, with credentials; shared, retried, evicted."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, places, registry  # noqa: E402
from testing.process.harness.api import Refused  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402
from testing.process.harness.registry import Fake, Image, Registry, file, layer_of  # noqa: E402

PASSWORD = "h0rse-battery-staple"
MIB = 1 << 20


def noise(size, seed=1):
    """Bytes that do not compress."""
    import random
    return random.Random(seed).randbytes(size)


class RegistryCase(ContainerCase):
    """A worker that may speak to the registries of the class without TLS."""

    def setUp(self):
        self.fake.before = None
        self.fake.counts.clear()

    @classmethod
    def setUpClass(cls):
        cls.fake = Fake()
        cls.addClassCleanup(cls.fake.stop)
        cls.base = registry.busybox_layer()
        super().setUpClass()

    @classmethod
    def flags_of_the_worker(cls):
        return {**super().flags_of_the_worker(), "images.recheck": "0s",
                "images.insecure_registries": f"[{', '.join(cls.hosts())}]", **cls.image_flags()}

    @classmethod
    def hosts(cls):
        return [cls.fake.host]

    @classmethod
    def image_flags(cls):
        return {}

    def cached(self, directory):
        return sorted(os.listdir(os.path.join(self.state, "runc/images", directory)))

    def skopeos(self):
        return [what for what in self.machine.processes().values() if "skopeo" in what]

    def progress(self, task):
        return self.server.task(task)["status"].get("progress", "")

    def fails(self, task, *words, reason="IMAGE"):
        message = self.ended(task, "FAILED", reason)["message"]
        for word in words:
            self.assertIn(word, message)
        return message


class RealRegistry(RegistryCase):
    @classmethod
    def hosts(cls):
        cls.open = Registry(cls.machine)
        cls.addClassCleanup(cls.open.stop)
        cls.closed = Registry(cls.machine, "jarvis", PASSWORD)
        cls.addClassCleanup(cls.closed.stop)
        return [cls.fake.host, cls.open.host, cls.closed.host]

    @classmethod
    def image_flags(cls):
        path = cls.machine.path("auth.json")
        secret = base64.b64encode(f"jarvis:{PASSWORD}".encode()).decode()
        with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as out:
            json.dump({"auths": {cls.closed.host: {"auth": secret}}}, out)
        cls.secrets = [PASSWORD, secret]
        return {"images.authfile": path}

    @classmethod
    def check_idle(cls):
        cls.open.stop()
        cls.closed.stop()
        super().check_idle()

    def test_by_tag_by_digest_and_by_platform(self):
        image = Image(self.base, layer_of(file("greeting", "hello from a layer\n")),
                      config={"Cmd": ["/bin/cat", "/greeting"], "Env": ["A=b"],
                              "WorkingDir": "/work"})
        by_tag = self.open.push("team/app", "v1", image)
        self.assertEqual(self.output(self.submit(image=by_tag)), "hello from a layer\n")
        by_digest = f"docker://{self.open.host}/team/app@{image.digest}"
        self.assertEqual(self.output(self.submit(image=by_digest, command=["/bin/sh", "-c",
                         "echo $A; pwd"])), "b\n/work\n")
        other = Image(self.base, architecture="mips")
        self.open.push("team/app", "mips", other)
        index = registry.index_of(mips=other, **{json.loads(image.config)["architecture"]: image})
        self.open.put_manifest("team/app", "all", index, registry.INDEX)
        self.assertEqual(self.output(self.submit(
            image=f"docker://{self.open.host}/team/app:all")), "hello from a layer\n")
        # All three are one image.
        self.assertIn(image.digest, self.cached("unpacked"))
        self.fails(self.submit(image=f"docker://{self.open.host}/team/app:mips"), "mips")
        index = registry.index_of(mips=other)
        self.open.put_manifest("team/app", "none", index, registry.INDEX)
        self.fails(self.submit(image=f"docker://{self.open.host}/team/app:none"), "not there for")

    def test_made_by_umoci_pushed_by_skopeo(self):
        directory = self.machine.path("layout")
        script = (f"umoci init --layout {directory} && umoci new --image {directory}:a && "
                  f"umoci unpack --image {directory}:a {directory}-b && "
                  f"mkdir {directory}-b/rootfs/bin && "
                  f"cp {registry.BUSYBOX} {directory}-b/rootfs/bin/sh && "
                  f"umoci repack --image {directory}:a {directory}-b && "
                  f"skopeo copy --format v2s2 --dest-tls-verify=false oci:{directory}:a "
                  f"docker://{self.open.host}/made:latest")
        subprocess.run(["sh", "-c", script], check=True, capture_output=True)
        # Docker's schema, without a tag.
        self.assertEqual(self.output(self.submit(image=f"docker://{self.open.host}/made",
                                                 command=["/bin/sh", "-c", "echo made"])), "made\n")

    def test_a_tag_that_moves_is_followed(self):
        for word in ("old", "new"):
            reference = self.open.push("moving", "latest", Image(
                self.base, layer_of(file("word", word)), config={"Cmd": ["/bin/cat", "/word"]}))
            self.assertEqual(self.output(self.submit(image=reference)), word)

    def test_what_is_not_there(self):
        self.open.push("some", "v1", Image(self.base))
        message = self.fails(self.submit(image=f"docker://{self.open.host}/some:v2"),
                             "no such tag", f"docker://{self.open.host}/some:v2")
        self.assertNotIn("tried", message)
        self.fails(self.submit(image=f"docker://{self.open.host}/nothing:v1"), "no such")

    def test_credentials(self):
        image = Image(self.base, config={"Cmd": ["/bin/sh", "-c", "echo secretly"]})
        reference = self.closed.push("private/app", "v1", image)
        self.assertEqual(self.output(self.submit(image=reference)), "secretly\n")

    def test_wrong_credentials_and_none(self):
        self.closed.push("private/other", "v1", Image(self.base))
        path = self.machine.path("auth.json")
        with open(path, encoding="utf-8") as stored:
            kept = stored.read()
        wrong = base64.b64encode(b"jarvis:wr0ng-pass").decode()
        try:
            for auth in ({"auths": {self.closed.host: {"auth": wrong}}}, {}):
                with open(path, "w", encoding="utf-8") as out:
                    json.dump(auth, out)
                message = self.fails(
                    self.submit(image=f"docker://{self.closed.host}/private/other:v1"),
                    "images.authfile")
                self.assertNotIn("wr0ng", message)
                self.assertNotIn("tried", message)
        finally:
            with open(path, "w", encoding="utf-8") as out:
                out.write(kept)

    def test_zz_secrets_are_nowhere(self):
        """After the others: neither in logs nor in what the store tells."""
        seen = self.server.log() + self.worker.log()
        seen += json.dumps(self.server.grpc.call("ListTasks", {"page_size": 1000}))
        for secret in [*self.secrets, "wr0ng-pass"]:
            self.assertNotIn(secret, seen)

    def test_a_reference_is_checked_at_submission(self):
        for image in ("docker://", "docker://Upper/case", "docker://a:b:c", "docker://a@sha256:12",
                      f"docker://me:{PASSWORD}@{self.open.host}/a"):
            with self.assertRaises(Refused) as caught:
                self.submit(image=image)
            self.assertEqual(caught.exception.code, "INVALID_ARGUMENT")
            self.assertEqual(caught.exception.fields(), ["spec.image"])
            self.assertNotIn(PASSWORD, str(caught.exception))

    def test_plain_http_is_not_spoken_unless_it_is_allowed(self):
        other = Fake()
        try:
            reference = other.push("a", "v1", Image(self.base))
            self.fails(self.submit(image=reference), "images.insecure_registries")
        finally:
            other.stop()


class Pulls(RegistryCase):
    @classmethod
    def image_flags(cls):
        return {"images.pull_timeout": "4s", "images.pull_attempts": "2"}

    def slowly(self, digest, until, step=64 << 10):
        """The blob comes in steps until the event is set."""
        data = self.fake.blobs[digest]

        def before(handler, kind, reference):
            if reference == digest and handler.command == "GET":
                return Fake.send_slowly(handler, data, step, 0.2, until)
            return False
        self.fake.before = before

    def big(self, name, size=3 * MIB, seed=1, command=("echo", "done")):
        layer = layer_of(file("noise", noise(size, seed)))
        image = Image(self.base, layer, config={"Cmd": ["/bin/sh", "-c", " ".join(command)]})
        return self.fake.push(name, "v1", image), registry.digest_of(layer)

    def test_progress_is_seen_while_it_waits(self):
        reference, digest = self.big("progress")
        until = threading.Event()
        self.slowly(digest, until)
        task = self.submit(image=reference)
        status = eventually(
            lambda: self.server.task(task)["status"],
            lambda status: re.search(r"pulling docker://.*: \d\.[1-9] of \d\.\d MiB, 1 of 2 layers",
                                     status.get("progress", "")), 15)
        self.assertEqual(status["state"], "TASK_STATE_STARTING")
        shown = subprocess.run(
            [places.find("cli/jarvis"), "--server", f"127.0.0.1:{self.server.grpc_port}", "task",
             "get", task], capture_output=True, text=True, check=True).stdout
        self.assertRegex(shown, r"Progress:? +pulling docker://")
        until.set()
        self.assertEqual(self.output(task), "done\n")
        self.assertEqual(self.progress(task), "")
        events = [event for event in self.watched(task) if event]
        told = [e["progress"] for e in events if e.get("progress")]
        self.assertTrue(told)
        # Not more than the agent may say, and never once it runs.
        self.assertLess(len(told), 60)
        self.assertTrue(all(e["state"] == "TASK_STATE_STARTING" for e in events
                            if e.get("progress")))

    def watched(self, task):
        """All that a watch from the start tells of the task."""
        seen = []
        call = self.server.grpc.begin("WatchTasks", {"from_revision": 1})
        for answer in call:
            message = self.server.grpc.schema.to_dict(answer)
            found = message.get("task") or message.get("event", {}).get("task") or {}
            if found.get("id") == task:
                seen.append(found["status"])
                if found["status"]["state"] == "TASK_STATE_SUCCEEDED":
                    break
        call.cancel()
        return seen

    def test_one_pull_for_many(self):
        reference, digest = self.big("many", seed=2)
        until = threading.Event()
        self.slowly(digest, until)
        tasks = [self.submit(image=reference) for _ in range(8)]
        for task in tasks:
            eventually(lambda task=task: self.progress(task), lambda text: "pulling" in text, 15)
        until.set()
        for task in tasks:
            self.assertEqual(self.output(task), "done\n")
        self.assertEqual(self.fake.count("blobs", digest), 1)
        # The same by another name, and by its digest, fetches nothing.
        again = self.submit(image=reference)
        self.assertEqual(self.output(again), "done\n")
        self.assertEqual(self.fake.count("blobs", digest), 1)

    def test_layers_are_shared(self):
        shared = layer_of(file("shared", noise(MIB, 3)))
        digest = registry.digest_of(shared)
        until = threading.Event()
        references = [self.fake.push(f"sharing-{i}", "v1", Image(
            self.base, shared, layer_of(file("own", str(i))),
            config={"Cmd": ["/bin/cat", "/own"]})) for i in range(3)]
        self.slowly(digest, until)
        tasks = [self.submit(image=reference) for reference in references]
        eventually(lambda: self.fake.count("blobs", digest), bool)
        time.sleep(0.5)
        until.set()
        self.assertEqual([self.output(task) for task in tasks], ["0", "1", "2"])
        self.assertEqual(self.fake.count("blobs", digest), 1)

    def test_a_registry_that_stumbles_is_asked_again(self):
        reference, digest = self.big("stumbling", seed=4)
        failed = []

        def before(handler, kind, ref):
            if ref == "v1" and len(failed) < 1:
                failed.append(ref)
                Fake.send(handler, 503, "text/plain", b"not now")
                return True
            return False
        self.fake.before = before
        task = self.submit(image=reference)
        eventually(lambda: self.progress(task), lambda text: "trying again" in text, 15)
        self.assertEqual(self.output(task), "done\n")
        self.assertEqual(len(failed), 1)
        self.assertEqual(self.fake.count("blobs", digest), 1)

    def test_a_registry_that_is_away(self):
        with __import__("socket").socket() as closed:
            closed.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{closed.getsockname()[1]}"
            self.fails(self.submit(image=f"docker://{host}/a"), "connection refused",
                       "tried 2 times")

    def test_a_registry_that_stalls(self):
        reference, digest = self.big("stalling", seed=5)
        until = threading.Event()
        self.slowly(digest, until, step=1024)
        begun = time.monotonic()
        self.fails(self.submit(image=reference), "images.pull_timeout", "tried 2 times")
        self.assertLess(time.monotonic() - begun, 20)
        until.set()
        self.assertEqual(self.skopeos(), [])

    def test_the_starting_timeout_holds(self):
        reference, digest = self.big("starting", seed=6)
        until = threading.Event()
        self.slowly(digest, until, step=1024)
        task = self.submit(image=reference, timeouts={"starting": "1s"})
        self.fails(task, "timeouts.starting", reason="STARTING_TIMEOUT")
        until.set()
        eventually(self.skopeos, lambda left: not left, 5)

    def test_a_cancel_ends_the_pull_only_if_nobody_else_waits(self):
        reference, digest = self.big("cancelled", seed=7)
        until = threading.Event()
        self.slowly(digest, until, step=16 << 10)
        first, second = self.submit(image=reference), self.submit(image=reference)
        for task in (first, second):
            eventually(lambda task=task: self.progress(task), lambda text: "pulling" in text, 15)
        self.server.grpc.call("CancelTask", {"id": first})
        self.ended(first, "CANCELLED")
        self.assertTrue(self.skopeos())
        self.server.grpc.call("CancelTask", {"id": second})
        self.ended(second, "CANCELLED")
        eventually(self.skopeos, lambda left: not left, 5)
        eventually(lambda: self.cached("work"), lambda left: not left, 5)
        until.set()

    def test_a_crash_in_the_middle(self):
        reference, digest = self.big("crashing", seed=8)
        small = layer_of(file("small", noise(1000, 9)))
        image = Image(self.base, small, self.fake.blobs[digest],
                      config={"Cmd": ["/bin/sh", "-c", "echo after"]})
        reference = self.fake.push("crashing", "v2", image)
        until = threading.Event()
        self.slowly(digest, until, step=16 << 10)
        task = self.submit(image=reference, retry={"max_lost": 5})
        eventually(lambda: self.progress(task), lambda text: "2 of 3 layers" in text, 15)
        self.worker.kill()
        eventually(self.skopeos, lambda left: not left, 5)
        until.set()
        self.worker.start()
        self.assertEqual(self.output(task), "after\n")
        # What had come as a whole has not come again.
        self.assertEqual(self.fake.count("blobs", registry.digest_of(small)), 1)
        self.assertEqual(self.cached("work"), [])


class Cache(RegistryCase):
    """A cache in which there is room for three images of 4 MiB with their layers."""

    @classmethod
    def image_flags(cls):
        return {"images.cache_max": "32MiB", "images.image_max": "16MiB"}

    def image(self, name):
        """About 4 MiB packed, 6 unpacked."""
        seed = sum(name.encode())
        image = Image(self.base, layer_of(file("noise", noise(4 * MIB, seed))))
        return self.fake.push(name, "v1", image), image.digest

    def size(self):
        # The blocks of all that is there, as the machine counts them.
        path = os.path.join(self.state, "runc/images")
        found = subprocess.run(["du", "-s", "--block-size=1", path], capture_output=True,
                               text=True, check=True)
        return int(found.stdout.split()[0])

    def run_once(self, name):
        reference, digest = self.image(name)
        self.assertEqual(self.output(self.submit(
            image=reference, command=["/bin/sh", "-c", "echo ok"])), "ok\n")
        return digest

    def test_what_runs_is_never_evicted(self):
        reference, held = self.image("held")
        task = self.submit(image=reference, command=[
            "/bin/sh", "-c", "while [ ! -e /shared/go ]; do sleep 0.1; done; stat -c %s /noise"],
            mounts=[{"source": self.shared, "target": "/shared"}])
        self.server.until(task, "RUNNING")
        digests = [self.run_once(f"first-{i}") for i in range(4)]
        self.assertIn(held, self.cached("unpacked"))
        self.assertNotIn(digests[0], self.cached("unpacked"))
        self.assertIn(digests[-1], self.cached("unpacked"))
        # The next life of the worker knows it too.
        self.worker.restart(kill=True)
        digests += [self.run_once(f"second-{i}") for i in range(4)]
        self.assertIn(held, self.cached("unpacked"))
        self.assertNotIn(digests[1], self.cached("unpacked"))
        eventually(self.size, lambda size: size < 40 * MIB, 10)
        with open(os.path.join(self.shared, "go"), "w", encoding="ascii"):
            pass
        self.assertEqual(self.output(task), f"{4 * MIB}\n")
        # Nobody holds it any more: it goes like the others.
        for i in range(4):
            self.run_once(f"third-{i}")
        self.assertNotIn(held, self.cached("unpacked"))

    def test_the_least_recently_used_goes_first(self):
        first, second = self.run_once("lru-1"), self.run_once("lru-2")
        self.run_once("lru-1")
        # Not by age: the first is the younger in use.
        for i in range(3):
            if second not in self.cached("unpacked"):
                break
            self.run_once(f"lru-more-{i}")
        self.assertIn(first, self.cached("unpacked"))
        self.assertNotIn(second, self.cached("unpacked"))

    def test_what_does_not_fit_is_refused(self):
        layers = [layer_of(file(f"n{i}", noise(6 * MIB, 100 + i))) for i in range(3)]
        reference = self.fake.push("large", "v1", Image(self.base, *layers))
        self.fails(self.submit(image=reference, command=["/bin/true"]), "images.image_max")
        self.assertEqual(self.fake.count("blobs", registry.digest_of(layers[0])), 0)

    def test_a_blob_that_rots_on_the_disk_is_fetched_anew(self):
        reference, digest = self.image("rotten")
        self.output(self.submit(image=reference, command=["/bin/sh", "-c", "echo ok"]))
        state = os.path.join(self.state, "runc/images")
        blobs = json.loads(self.fake.manifests["rotten", "v1"][1])["layers"]
        layer = blobs[1]["digest"]
        self.worker.stop()
        # The image is gone and its layer is there, but spoilt.
        subprocess.run(["rm", "-rf", f"{state}/unpacked/{digest}"], check=True)
        with open(f"{state}/blobs/sha256/{layer[7:]}", "r+b") as blob:
            blob.seek(MIB)
            blob.write(b"rot")
        self.worker.start()
        self.assertEqual(self.output(self.submit(
            image=reference, command=["/bin/sh", "-c", "echo ok"])), "ok\n")
        self.assertEqual(self.fake.count("blobs", layer), 2)


if __name__ == "__main__":
    case.main()
