#!/usr/bin/python3
"""Stores as a crash, a disk or another release leaves them: opened, or refused in clear words."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402

from testing.process.harness import case, places  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402

EX_SOFTWARE, EX_TEMPFAIL = 70, 75


def key(letter, *numbers):
    """The start of a key, as hexadecimal: a letter, then numbers of 8 bytes."""
    return (letter.encode() + b"".join(n.to_bytes(8, "big") for n in numbers)).hex()


class StoreCase(case.MachineCase):
    """A store with some tasks in it, made once; each test damages a copy."""

    flags = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = Server(cls.machine, "whole", **cls.flags).start()
        worker = Worker(cls.machine, server, "n").start()
        done = server.submit(executor="noop", command=["print", "hello"])
        server.finished(done)
        cls.told = {done: server.task(done)}
        for i in range(20):
            task = cls.waiting(server, request_id=f"r-{i}", env={"N": "x" * 1000})
            cls.told[task] = server.task(task)
        worker.kill()
        server.kill()
        cls.whole = server.flags["storage.path"]

    @staticmethod
    def waiting(server, **spec):
        """A task that this worker could run, but never has the room for."""
        return server.submit(executor="noop", command=["sleep", "3600000"],
                             resources={"cpu_millis": 8000}, **spec)

    def copy(self):
        path = self.machine.path(self.id().rsplit(".", maxsplit=1)[-1])
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.whole, path)
        return path

    def refused(self, path, *words):
        """The server does not start, says each of the words, and leaves the store as it was."""
        before = sizes(path)
        code, said = Server(self.machine, "refused", storage__path=path).run_to_end()
        self.assertEqual(code, EX_TEMPFAIL, said)
        for word in words:
            self.assertRegex(said, word)
        self.assertLessEqual(set(before), set(sizes(path)), "files of the store are gone")
        return said

    def serves(self, path, told):
        """The server starts, knows what was told, and takes more."""
        server = Server(self.machine, "again", storage__path=path).start()
        for task, was in told.items():
            self.assertEqual(server.task(task)["spec"], was["spec"])
        self.assertNotIn(self.waiting(server), told)
        self.assertEqual(server.stop(), 0)


def sizes(path):
    return {name: os.path.getsize(os.path.join(path, name)) for name in os.listdir(path)
            if name.endswith((".sst", "CURRENT"))}


def newest_log(path):
    return max(glob.glob(path + "/*.log"), key=os.path.getsize)


class Records(StoreCase):
    """One record is wrong, though the database's own checksums are right."""

    def spoil(self, how, path, prefix):
        done = subprocess.run([places.find("testing/edge/recovery/spoil"), how, path, prefix],
                              check=True, capture_output=True, text=True,
                              env=self.machine.environment())
        return done.stdout.strip()

    def test_a_damaged_record_is_named(self):
        # Whatever the core loads is checked at the start: meta, shapes, tasks, nodes and more.
        for letter in "MHLNQR":
            for how in ("flip", "cut"):
                with self.subTest(letter=letter, how=how):
                    path = self.copy()
                    name = self.spoil(how, path, key(letter))
                    self.refused(path, name, "checksum|damaged|cut|short", "backup")

    def test_a_record_of_a_later_release_is_told_apart_from_damage(self):
        for letter in "MHLNQ":
            with self.subTest(letter=letter):
                path = self.copy()
                name = self.spoil("newer", path, key(letter))
                self.refused(path, name, "newer")

    def test_a_damaged_spec_or_log_is_an_error_to_who_reads_it(self):
        path = self.copy()
        self.spoil("flip", path, key("S", 1))
        self.spoil("flip", path, key("G", 1))
        server = Server(self.machine, "reads", storage__path=path).start()
        for method, request in (("GetTask", {"id": "t-1"}), ("GetTaskLogs", {"id": "t-1"})):
            refused = self.refuses("DATA_LOSS", None, server.grpc.call, method, request)
            self.assertRegex(refused.message, "task 1")
        self.assertEqual(server.task("t-2")["spec"], self.told["t-2"]["spec"])
        self.assertEqual(server.stop(), 0)

    def test_a_record_that_is_missing_is_found(self):
        # A task's shape is gone; a whole store without its head.
        for letter, words in (("H", "shape"), ("M", "meta")):
            with self.subTest(letter=letter):
                path = self.copy()
                self.spoil("drop", path, key(letter))
                self.refused(path, words)


class Files(StoreCase):
    """The database's own files are damaged, or half of them is there."""

    def test_power_cuts_at_any_point_of_the_log(self):
        log = os.path.basename(newest_log(self.whole))
        whole = os.path.getsize(os.path.join(self.whole, log))
        survivors = []
        for cut in sorted({0, 1, whole - 1, whole} | {whole * i // 16 for i in range(16)}):
            with self.subTest(cut=cut, of=whole):
                path = self.copy()
                os.truncate(os.path.join(path, log), cut)
                server = Server(self.machine, "cut", storage__path=path).start()
                # What was acknowledged before the cut is there, in order, and nothing else.
                ids = [task for task in self.told if self.known(server, task)]
                self.assertEqual(ids, list(self.told)[:len(ids)])
                for task in ids:
                    self.assertEqual(server.task(task)["spec"], self.told[task]["spec"])
                self.assertNotIn(server.submit(executor="noop"), ids)
                self.assertEqual(server.stop(), 0)
                survivors.append(len(ids))
        self.assertEqual(survivors, sorted(survivors), "a longer log holds fewer tasks")
        self.assertEqual((survivors[0], survivors[-1]), (0, len(self.told)))

    @staticmethod
    def known(server, task):
        try:
            return server.task(task)["id"] == task
        except case.Refused as refused:
            assert refused.code == "NOT_FOUND", refused
            return False

    def test_damage_inside_the_log_is_never_skipped(self):
        path = self.copy()
        with open(newest_log(path), "r+b") as file:
            file.seek(os.path.getsize(file.name) // 3)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 16]))
        self.refused(path, "[Cc]orrupt|damaged|checksum", path)

    def test_half_of_the_files(self):
        for name in ("CURRENT", "MANIFEST-*"):
            with self.subTest(name=name):
                path = self.copy()
                for file in glob.glob(f"{path}/{name}"):
                    os.unlink(file)
                self.refused(path, path)

    def test_a_head_that_was_half_written(self):
        for name in ("CURRENT", "MANIFEST-*"):
            with self.subTest(name=name):
                path = self.copy()
                for file in glob.glob(f"{path}/{name}"):
                    os.truncate(file, os.path.getsize(file) // 2)
                self.refused(path, path)

    def test_a_new_database_that_never_became_one(self):
        # A crash in the first moment: some files, no CURRENT yet, nothing acknowledged.
        path = self.machine.path("newborn")
        os.makedirs(path)
        with open(path + "/LOCK", "wb"), open(path + "/LOG", "wb"):
            pass
        self.serves(path, {})

    def test_two_servers_at_once(self):
        path = self.copy()
        first = Server(self.machine, "first", storage__path=path).start()
        code, said = Server(self.machine, "second", storage__path=path).run_to_end()
        self.assertEqual(code, EX_TEMPFAIL, said)
        self.assertRegex(said, "in use|another")
        self.assertTrue(self.waiting(first))
        # A crash leaves no lock behind that anybody would have to delete.
        self.assertEqual(first.kill(), -signal.SIGKILL)
        self.serves(path, self.told)


class BrokenDisk(case.MachineCase):
    def test_a_disk_that_fails_stops_the_server_and_loses_nothing(self):
        for left in (0, 1, 7):
            with self.subTest(left=left):
                self.run_until_broken(left)

    def run_until_broken(self, left):
        mark = self.machine.path(f"broken-{left}")
        server = Server(self.machine, f"store-{left}")
        server.prefix = ["env", f"BROKEN_DISK={mark}",
                         f"LD_PRELOAD={places.find('testing/edge/recovery/broken_disk.so')}"]
        server.start()
        told = {server.submit(image="x", request_id=f"b-{i}"): f"b-{i}" for i in range(10)}
        with open(mark, "w", encoding="utf-8") as file:
            file.write(str(left))
        doubtful = self.submit_until_it_stops(server, told)
        self.assertEqual(server.wait(), EX_SOFTWARE)
        said = server.log()
        self.assertRegex(said, "commit.failed")
        self.assertRegex(said, "Input/output error|IO error")
        self.assertRegex(said, "disk")
        # The disk is repaired: everything acknowledged is there; what was not may be.
        os.unlink(mark)
        server.prefix = []
        server.start()
        for task, request_id in told.items():
            self.assertEqual(server.task(task)["spec"]["request_id"], request_id)
        answer = server.grpc.call("SubmitTask", {"spec": {"image": "x", "request_id": doubtful}})
        again = server.grpc.call("SubmitTask", {"spec": {"image": "x", "request_id": doubtful}})
        self.assertEqual(answer["task"]["id"], again["task"]["id"])
        self.assertNotIn(answer["task"]["id"], told)
        self.assertEqual(server.stop(), 0)

    def submit_until_it_stops(self, server, told):
        for i in range(1000):
            request_id = f"d-{i}"
            try:
                told[server.submit_or_raise(image="x", request_id=request_id)] = request_id
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                return request_id
        raise AssertionError("the disk is broken, and the server takes tasks")


class EarlierReleases(case.MachineCase):
    """What each release wrote, today's server reads."""

    def test_every_store_that_is_kept(self):
        stores = sorted(glob.glob("testing/fixtures/stores/*.tar.gz"))
        self.assertTrue(stores)
        for archive in stores:
            with self.subTest(archive=archive):
                with open(archive.replace(".tar.gz", ".json"), encoding="utf-8") as file:
                    self.check(archive, json.load(file))

    def check(self, archive, said):
        path = self.machine.path(os.path.basename(archive))
        with tarfile.open(archive) as tar:
            tar.extractall(path)
        # It keeps them as long as it can: what was written long ago would be removed at once.
        server = Server(self.machine, "today", storage__path=path,
                        retention__time="36500d").start()
        info = server.grpc.call("GetServerInfo")
        self.assertEqual(info["cluster_id"], said["cluster_id"])
        self.assertGreaterEqual(int(server.grpc.call("GetStats")["revision"]),
                                int(said["revision"]))
        for was in said["tasks"]:
            now = server.task(was["id"])
            now["status"].pop("pending", None)
            self.assertEqual(now["spec"], was["spec"])
            # The message of a task that runs on a node that is away is today's.
            if was["status"]["state"] != "TASK_STATE_RUNNING":
                self.assertEqual(now["status"], was["status"])
        for task, log in said["logs"].items():
            self.assertEqual(server.log_of(task).decode(), log)
        self.check_lists(server, said["tasks"])
        # The rest of their lives: what waited and what ran ends under today's server.
        for was in said["tasks"]:
            if "finish_time" not in was["status"]:
                server.grpc.call("CancelTask", {"id": was["id"]})
        self.assertEqual(server.restart(kill=True), -signal.SIGKILL)
        self.assertEqual(server.stop(), 0)

    def check_lists(self, server, tasks):
        """What an older release did not index is in the index before long."""
        def listed(order, **wanted):
            answer = server.grpc.call("ListTasks", {"order_by": order, "filter": wanted})
            return [task["id"] for task in answer.get("tasks", [])]

        named = sorted((task for task in tasks if task["spec"].get("name")),
                       key=lambda task: (task["spec"]["name"], int(task["id"][2:])))
        finished = [task["id"] for task in tasks if "finish_time" in task["status"]]
        eventually(lambda: listed("name"), lambda ids: ids == [task["id"] for task in named])
        self.assertEqual(sorted(listed("finish_time")), sorted(finished))
        for task in tasks:
            for key, value in task["spec"].get("labels", {}).items():
                self.assertIn(task["id"], listed("name", labels={key: value}))


if __name__ == "__main__":
    case.main()
