#!/usr/bin/python3
"""A disk that is full, a directory that may not be written: needs root and a mount namespace."""

import os
import subprocess
import sys

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402

from testing.process.harness import case  # noqa: E402
from testing.process.harness.machine import read  # noqa: E402
from testing.process.harness.programs import Server  # noqa: E402

EX_SOFTWARE, EX_TEMPFAIL = 70, 75
NOBODY = 65534


class SmallDisk(case.MachineCase):
    """A tmpfs that only the server's own mount namespace sees."""

    def setUp(self):
        self.disk = self.machine.path("disk")
        os.mkdir(self.disk)
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sleep", "infinity"],
            env=self.machine.environment())
        self.addCleanup(self.drop)
        self.inside("true")
        self.inside("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", self.disk)

    def drop(self):
        self.holder.kill()
        self.holder.wait()

    def enter(self):
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt",
                f"--root=/proc/{self.holder.pid}/root", "--"]

    def inside(self, *command):
        # unshare needs a moment to be in its own namespace.
        mine = os.readlink("/proc/self/ns/mnt")
        while os.readlink(f"/proc/{self.holder.pid}/ns/mnt") == mine:
            pass
        subprocess.run(self.enter() + list(command), check=True, capture_output=True)

    def test_a_full_disk_stops_the_server_and_loses_nothing(self):
        server = Server(self.machine, storage__path=self.disk + "/store",
                        **{"storage__write_buffer": "1MiB"})
        server.prefix = self.enter()
        server.start()
        told = {}
        for i in range(20):
            told[server.submit(image="x", request_id=f"before-{i}")] = f"before-{i}"
        subprocess.run(self.enter() + ["dd", "if=/dev/zero", f"of={self.disk}/filler", "bs=64k"],
                       check=False, capture_output=True)
        refused = self.fill(server, told)
        self.assertEqual(server.wait(), EX_SOFTWARE)
        self.assertEqual(refused.code(), grpc.StatusCode.UNAVAILABLE)
        said = server.log()
        self.assertRegex(said, "No space left|full")
        self.assertRegex(said, "free|restart|start", "the message must say what to do")

        self.inside("rm", f"{self.disk}/filler")
        server.start()
        for task, request_id in told.items():
            self.assertEqual(server.task(task)["spec"]["request_id"], request_id)
        self.assertTrue(server.submit(image="x"))
        self.assertEqual(server.stop(), 0)

    def fill(self, server, told):
        """Submits until the server gives up; the error that the last one got."""
        for i in range(2000):
            request_id = f"during-{i}"
            try:
                told[server.submit_or_raise(image="x", request_id=request_id,
                                            env={"A": "x" * 100000})] = request_id
            except grpc.RpcError as error:
                return error
        raise AssertionError("the disk is full, and the server takes tasks")


class Permissions(case.MachineCase):
    def test_a_directory_of_somebody_else(self):
        os.chmod(self.machine.directory, 0o755)
        path = self.machine.path("roots")
        os.mkdir(path, 0o700)
        server = Server(self.machine, storage__path=path)
        server.user = NOBODY
        code, said = server.run_to_end()
        self.assertEqual(code, EX_TEMPFAIL, said)
        self.assertIn(path, said)
        self.assertRegex(said, "[Pp]ermission")

    def test_a_low_port_without_root(self):
        os.chmod(self.machine.directory, 0o755)
        path = self.machine.path("nobodys")
        os.mkdir(path)
        os.chown(path, NOBODY, NOBODY)
        if int(read("/proc/sys/net/ipv4/ip_unprivileged_port_start") or 1024) < 2:
            self.skipTest("every port is free for everyone here")
        server = Server(self.machine, storage__path=path, grpc__listen="127.0.0.1:1")
        server.user = NOBODY
        code, said = server.run_to_end()
        self.assertEqual(code, EX_TEMPFAIL, said)
        self.assertIn("127.0.0.1:1", said)
        self.assertRegex(said, "[Pp]ermission.*root")


if __name__ == "__main__":
    case.main()
