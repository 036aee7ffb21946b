"""Networks that a test can cut: the test and its server in one namespace, each worker in another.

`isolate` moves the test itself into a network namespace of its own, so nothing on the machine is
touched. A `Wire` is a veth pair to a namespace that lives as long as the process that holds it.
"""

import ctypes
import os
import subprocess
import time

CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def isolate():
    """For the whole process: to be called before it has threads or sockets."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare a network namespace; are you root?")
    ip("link", "set", "lo", "up")


class Wire:
    """Number 1..: this end has the address `here`, the other `there`."""

    def __init__(self, number):
        self.device = f"jv{number}"
        self.here = f"10.77.{number}.1"
        self.there = f"10.77.{number}.2"
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "1000000"])
        self.wait_for_namespace()
        ip("link", "add", self.device, "type", "veth", "peer", "name", "eth0",
           "netns", str(self.holder.pid))
        ip("addr", "add", self.here + "/30", "dev", self.device)
        ip("link", "set", self.device, "up")
        self.ip_there("addr", "add", self.there + "/30", "dev", "eth0")
        self.ip_there("link", "set", "lo", "up")
        self.ip_there("link", "set", "eth0", "up")

    def wait_for_namespace(self):
        own = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + 10
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            if time.monotonic() > deadline:
                raise AssertionError("the namespace of a wire was not made")
            time.sleep(0.005)

    def prefix(self):
        """In front of a command that is to run at the other end."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--"]

    def ip_there(self, *words):
        subprocess.run([*self.prefix(), "ip", *words], check=True, capture_output=True)

    def cut(self):
        """Nothing goes through, either way."""
        ip("link", "set", self.device, "down")

    def heal(self):
        ip("link", "set", self.device, "up")

    def mute(self):
        """What is said here is not heard there; what is said there is heard here."""
        ip("route", "add", "blackhole", self.there + "/32")

    def unmute(self):
        ip("route", "del", "blackhole", self.there + "/32")

    def close(self):
        self.holder.kill()
        self.holder.wait()
