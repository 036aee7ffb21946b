#!/usr/bin/python3
"""The check for leftovers notices each kind of them: otherwise it would prove nothing."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, machine  # noqa: E402


class Leftovers(unittest.TestCase):
    def setUp(self):
        self.machine = machine.Machine()
        self.addCleanup(self.machine.sweep)
        self.assertEqual(self.machine.leftovers(), [])

    def left(self, kind):
        left = self.machine.leftovers([self.machine.path("state")])
        self.assertEqual([sentence.split(":")[0].split()[0] for sentence in left], [kind], left)

    def test_a_process_by_its_mark(self):
        child = subprocess.Popen(["sleep", "100"], env=self.machine.environment())
        self.addCleanup(child.wait)
        self.left("process")
        self.machine.sweep()
        self.assertEqual(child.wait(), -9)

    def test_a_process_by_its_cgroup(self):
        top = "/sys/fs/cgroup/pids" if os.path.isdir("/sys/fs/cgroup/pids") else "/sys/fs/cgroup"
        group = top + self.machine.cgroup_parent
        os.mkdir(group)
        self.left("cgroup")
        child = subprocess.Popen(["sleep", "100"], env={})
        self.addCleanup(child.wait)
        with open(group + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(child.pid))
        self.assertIn(child.pid, self.machine.processes())
        self.machine.sweep()
        self.assertEqual(child.wait(), -9)
        self.assertFalse(os.path.exists(group))

    def test_a_mount(self):
        where = self.machine.path("mounted")
        os.mkdir(where)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", where], check=True)
        self.left("mount")
        self.machine.sweep()
        self.assertEqual(self.machine.mounts(), [])

    def test_a_file(self):
        os.mkdir(self.machine.path("state"))
        with open(self.machine.path("state", "forgotten"), "w", encoding="ascii"):
            pass
        self.left("file")


if __name__ == "__main__":
    case.main()
