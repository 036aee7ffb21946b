"""What a test makes on the machine, and the proof that nothing of it is left.

A `Machine` has a name that nothing else on the machine bears: its directory, its cgroup parent and
an environment variable of its processes carry it. So the check at the end finds what this test has
left without being disturbed by whoever else works here.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time

CGROUP_ROOT = "/sys/fs/cgroup"
MARK = "JV_TEST_MARK"
# Whatever is being torn down may take a moment.
SETTLE_SECONDS = 10


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


class Machine:
    def __init__(self):
        base = os.environ.get("TEST_TMPDIR") or None
        # Sockets and overlay mounts do not like long paths.
        if base and len(base) > 60:
            base = None
        self.directory = tempfile.mkdtemp(prefix="jarvis-test-", dir=base)
        self.name = os.path.basename(self.directory)
        self.cgroup_parent = "/" + self.name
        self.programs = []

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def environment(self):
        kept = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}
        kept.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        kept[MARK] = self.name
        return kept

    # ---- what is there

    def processes(self):
        """Of this test, by mark, by cgroup or by command line: {pid: what it is}."""
        found = {}
        for pid in pids():
            if pid == os.getpid():
                continue
            where = f"/proc/{pid}/"
            marked = (
                self.name in read(where + "environ")
                or self.name in read(where + "cgroup")
                or self.name in read(where + "cmdline")
            )
            if marked and read(where + "stat").rpartition(")")[2].split()[:1] != ["Z"]:
                found[pid] = read(where + "cmdline").replace("\0", " ").strip()[:200]
        return found

    def mounts(self):
        lines = read("/proc/self/mountinfo").splitlines()
        return [line for line in lines if self.name in line]

    def cgroups(self):
        """Directories of this test in every hierarchy, parents first."""
        found = []
        for hierarchy in [CGROUP_ROOT] + [
            os.path.join(CGROUP_ROOT, name)
            for name in (os.listdir(CGROUP_ROOT) if os.path.isdir(CGROUP_ROOT) else [])
        ]:
            top = hierarchy + self.cgroup_parent
            if os.path.isdir(top):
                found += [directory for directory, _, _ in os.walk(top)]
        return found

    def leftovers(self, directories=()):
        """Sentences on what is left; `directories` are those that should be empty or gone."""
        left = [f"process {pid}: {what}" for pid, what in self.processes().items()]
        left += [f"mount: {line}" for line in self.mounts()]
        left += [f"cgroup: {path}" for path in self.cgroups()]
        for directory in directories:
            if os.path.isdir(directory):
                left += [f"file: {directory}/{name}" for name in sorted(os.listdir(directory))]
        return left

    # ---- the end

    def settle(self, directories=()):
        """What is still left after a while."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.leftovers(directories) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.leftovers(directories)

    def close(self, directories=()):
        """Stops the programs, takes stock, then removes by force. Returns what was left."""
        for program in reversed(self.programs):
            program.end()
        left = self.settle(directories)
        self.sweep()
        return left

    def sweep(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for line in reversed(self.mounts()):
            subprocess.run(["umount", "-l", line.split()[4]], check=False, capture_output=True)
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.cgroups() and time.monotonic() < deadline:
            for path in reversed(self.cgroups()):
                try:
                    os.rmdir(path)
                except OSError:
                    time.sleep(0.02)
        shutil.rmtree(self.directory, ignore_errors=True)
