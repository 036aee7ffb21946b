#!/usr/bin/python3
"""The process executor: plain processes keep every promise that containers keep."""

import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, places  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402
from testing.process.harness.machine import read  # noqa: E402
from testing.process.harness.programs import Program, Worker, eventually  # noqa: E402

# Prints all along, so that a gap or a repetition in the log would be seen.
COUNT = "i=0; while [ $i -lt {0} ]; do i=$((i+1)); echo $i; sleep 0.05; done; exit {1}"
# A daemon as daemons are made: another session, another parent, no open output.
# Out of all control groups. Of version 1 the root is a plain file system, where a name would become
# a file, and every later worker would take the directory for a hierarchy.
LEAVE = ("for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do"
         " [ ! -e $f ] || echo 0 > $f; done; ")
ESCAPE = ("setsid sh -c '(trap \"\" TERM HUP; sleep 1000.{0}) >/dev/null 2>&1 </dev/null &' "
          ">/dev/null 2>&1 & wait; ")


class ProcessCase(ContainerCase):
    worker_flags = {"executors": "process"}

    @classmethod
    def directories_to_be_empty(cls):
        return [os.path.join(cls.state, "process", name) for name in ("attempts", "trash")]

    def submit(self, **spec):
        return super().submit(**{"executor": "process", "network": "NETWORK_MODE_HOST",
                                 "image": "", **spec})

    def alive(self, *words):
        return [what for what in self.machine.processes().values()
                if all(word in what for word in words)]

    def numbers(self, task):
        return [int(line) for line in self.server.log_of(task).split()]

    def keeper_of(self, task):
        """The process id of the task's shim."""
        found = [pid for pid, what in self.machine.processes().items()
                 if what.endswith(f"/{task}.1") and "jarvis-shim" in what]
        self.assertEqual(len(found), 1, found)
        return found[0]


class Tasks(ProcessCase):
    def test_command_environment_and_directory(self):
        task = self.submit(command=["sh", "-c", "echo $GREETING \"$@\"; pwd; env"],
                           args=["x", "a b", "c"], env={"GREETING": "hello"},
                           working_directory="/tmp")
        lines = self.output(task).splitlines()
        self.assertEqual(lines[:2], ["hello a b c", "/tmp"])
        names = {line.partition("=")[0] for line in lines[2:]}
        # What the worker has in its own environment stays there.
        self.assertEqual(names - {"PWD", "SHLVL", "_", "OLDPWD"},
                         {"GREETING", "PATH", "JARVIS_ATTEMPT"})

    def test_user(self):
        script = "id -u; id -g; id -G; grep -E 'NoNewPrivs|CapEff' /proc/self/status"
        lines = self.output(self.sh(script, user="65534")).split()
        self.assertEqual(lines[:3], ["65534", "65534", "65534"])
        self.assertEqual(lines[3:], ["CapEff:", "0" * 16, "NoNewPrivs:", "1"])
        self.assertEqual(self.output(self.sh("id -u; id -g", user="123:456")).split(),
                         ["123", "456"])

    def test_limits(self):
        task = self.sh("ulimit -c; cat /proc/self/cgroup")
        lines = self.output(task).splitlines()
        self.assertEqual(lines[0], "0")
        self.assertTrue(any(f"{self.machine.cgroup_parent}/" in line and line.endswith(
            f"/{task}.1") for line in lines), lines)
        hog = self.submit(command=["/usr/bin/python3", "-c", "x = bytearray(200 << 20)"],
                          resources={"memory_bytes": 64 << 20})
        self.ended(hog, "FAILED", "OUT_OF_MEMORY")
        bomb = self.sh("for i in $(seq 50); do sleep 5 & done; wait", resources={"pids": 8})
        self.ended(bomb, "FAILED", "EXIT_CODE")
        self.assertIn(b"fork", self.server.log_of(bomb))

    def test_exit_status_and_streams(self):
        task = self.sh("echo out; echo err >&2; exit 7")
        self.ended(task, "FAILED", "EXIT_CODE", exit_code=7)
        self.assertEqual(self.server.log_of(task, stream="LOG_STREAM_STDERR"), b"err\n")
        self.ended(self.sh("kill -SEGV $$"), "FAILED", "SIGNAL", exit_code=128 + 11)
        usage = self.ended(self.sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"),
                           "SUCCEEDED").get("usage", {})
        self.assertGreater(int(usage.get("cpu_micros", 0)), 0, usage)

    def test_commands_that_cannot_be(self):
        for spec, words in (
                ({"command": ["no-such-command"]}, "no-such-command: No such file"),
                ({"command": ["/etc/passwd"]}, "/etc/passwd: Permission denied"),
                ({"command": ["true"], "working_directory": "/nowhere"}, "/nowhere"),
                ({"command": ["sh"], "user": "65534", "working_directory": "/root"}, "/root")):
            status = self.ended(self.submit(**spec), "FAILED", "COMMAND")
            self.assertIn(words, status["message"])
        self.assertIn("spec.command",
                      self.ended(self.submit(), "FAILED", "COMMAND")["message"])

    def test_what_only_containers_can_give_is_refused_by_name(self):
        mount = {"source": self.shared, "target": "/out"}
        for field, spec in (("spec.image", {"image": "busybox"}),
                            ("spec.mounts", {"mounts": [mount]}),
                            ("spec.network", {"network": "NETWORK_MODE_NONE"}),
                            ("spec.read_only_rootfs", {"read_only_rootfs": True})):
            status = self.ended(self.submit(command=["true"], **spec), "FAILED", "REJECTED")
            self.assertIn(field, status["message"])

    def test_cancel_ends_the_whole_group(self):
        """TERM reaches all of the group; what ignores it is killed after the grace."""
        task = self.sh("trap 'echo bye; exit 3' TERM; sleep 1000.1 & wait",
                       timeouts={"grace": "20s"})
        eventually(lambda: self.alive("sleep 1000.1"), bool)
        self.server.grpc.call("CancelTask", {"id": task})
        self.ended(task, "CANCELLED")
        self.assertEqual(self.server.log_of(task), b"bye\n")
        stubborn = self.sh("trap '' TERM; echo up; while :; do sleep 1000.2; done",
                           timeouts={"grace": "0.5s"})
        eventually(lambda: self.server.log_of(stubborn), bool)
        self.server.grpc.call("CancelTask", {"id": stubborn})
        self.ended(stubborn, "CANCELLED", exit_code=128 + 9)
        self.assertEqual(self.alive("sleep 1000."), [])

    def test_nothing_is_left_of_a_daemon(self):
        task = self.sh(ESCAPE.format(3) + "sleep 0.3; echo done")
        self.assertEqual(self.output(task), "done\n")
        self.assertEqual(self.alive("sleep 1000.3"), [])

    def test_nothing_is_left_of_one_that_runs_away(self):
        """Each forks its successor into a session of its own and ends, faster than a list of
        processes is read; and it has left its control group."""
        ran = os.path.join(self.shared, "ran")
        runner = ("import os\nn = 0\nwhile True:\n if os.fork(): os._exit(0)\n os.setsid()\n"
                  " n += 1\n if n == 100: open(\"" + ran + "\", \"w\").write(\"x\")\n")
        task = self.sh(f"({LEAVE} exec /usr/bin/python3 -c '{runner}' runs-away) "
                       f">/dev/null 2>&1 & until [ -e {ran} ]; do sleep 0.1; done; echo done")
        self.assertEqual(self.output(task), "done\n")
        self.assertEqual(self.alive("runs-away"), [])

    def test_running_timeout(self):
        task = self.sh(ESCAPE.format(4) + "sleep 1000.4", timeouts={"running": "0.5s",
                                                                    "grace": "0.2s"})
        self.ended(task, "FAILED", "RUNNING_TIMEOUT")
        self.assertEqual(self.alive("sleep 1000.4"), [])

    def test_many_short_ones_lose_no_line(self):
        tasks = [self.submit(command=["echo", str(i)], resources={"cpu_millis": 100})
                 for i in range(60)]
        for i, task in enumerate(tasks):
            self.assertEqual(self.output(task), f"{i}\n")


class Restarts(ProcessCase):
    def test_the_worker_is_killed(self):
        running = self.sh(COUNT.format(60, 5))
        short = self.sh(COUNT.format(12, 0))
        for task in (running, short):
            eventually(lambda t=task: self.server.log_of(t), bool)
        self.assertEqual(self.worker.kill(), -signal.SIGKILL)
        time.sleep(1)
        self.worker.start()
        self.ended(short, "SUCCEEDED", attempt=1, lost_attempts=0)
        self.assertEqual(self.numbers(short), list(range(1, 13)))
        self.ended(running, "FAILED", "EXIT_CODE", exit_code=5, attempt=1, lost_attempts=0)
        self.assertEqual(self.numbers(running), list(range(1, 61)))

    def test_the_worker_is_killed_at_any_moment(self):
        """Each runs once, whatever the worker was doing: a ledger outside has the proof."""
        ledger = os.path.join(self.shared, "ledger")
        tasks = []
        for i in range(16):
            tasks.append(self.sh(f"echo {i} >> {ledger}; sleep 0.1"))
            if i % 4 == 3:
                time.sleep(0.007 * i)
                self.worker.kill()
                self.worker.start()
        for task in tasks:
            self.ended(task, "SUCCEEDED")
        with open(ledger, encoding="ascii") as file:
            lines = sorted(int(line) for line in file.read().split())
        self.assertEqual(sorted(set(lines)), list(range(16)))
        lost = sum(self.server.task(t)["status"].get("lost_attempts", 0) for t in tasks)
        self.assertLessEqual(len(lines), 16 + lost)

    def test_the_keeper_is_killed(self):
        """With all that it kept, whatever session that is in; the failure says so."""
        task = self.sh(ESCAPE.format(5) + "echo up; sleep 1000.5")
        eventually(lambda: self.server.log_of(task), bool)
        eventually(lambda: self.alive("sleep 1000.5"), lambda found: len(found) >= 2)
        os.kill(self.keeper_of(task), signal.SIGKILL)
        status = self.ended(task, "FAILED", "EXECUTOR")
        self.assertIn("keeper was ended by signal 9", status["message"])
        self.assertEqual(self.alive("sleep 1000.5"), [])
        self.assertEqual(self.server.log_of(task), b"up\n")

    def test_a_task_that_kills_its_keeper(self):
        """It may, being root; it goes with it, also where it has left its control group."""
        task = self.sh(f"({LEAVE} sleep 1000.9) >/dev/null 2>&1 & echo up; sleep 0.5; "
                       "kill -9 $PPID; sleep 1000.9")
        self.ended(task, "FAILED", "EXECUTOR")
        self.assertEqual(self.server.log_of(task), b"up\n")
        self.assertEqual(self.alive("sleep 1000.9"), [])

    def test_the_lease_ends_it_without_a_worker(self):
        task = self.sh(ESCAPE.format(6) + "sleep 1000.6")
        eventually(lambda: self.alive("sleep 1000.6"), lambda found: len(found) >= 2)
        self.worker.kill()
        time.sleep(2)
        self.assertTrue(self.alive("sleep 1000.6"), "ended within the lease")
        eventually(lambda: self.alive("sleep 1000.6"), lambda left: not left, 6)
        self.worker.start()
        self.server.until(task, "RUNNING")
        self.assertEqual(self.server.task(task)["status"]["attempt"], 2)
        self.server.grpc.call("CancelTask", {"id": task})
        self.ended(task, "CANCELLED", lost_attempts=1)

    def test_stop_causes_outlive_the_worker(self):
        task = self.sh("trap '' TERM; echo up; while :; do sleep 0.1; done",
                       timeouts={"running": "0.5s", "grace": "1s"})
        eventually(lambda: self.server.log_of(task), bool)
        time.sleep(0.8)
        self.worker.kill()
        self.worker.start()
        self.ended(task, "FAILED", "RUNNING_TIMEOUT")


class WithoutRoot(ProcessCase):
    """No control groups, no other users: the rest holds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker.end()
        home = cls.machine.path("home")
        os.mkdir(home)
        os.chmod(cls.machine.directory, 0o711)
        shim = cls.machine.path("jarvis-shim")
        shutil.copyfile(places.find("worker/shim/jarvis-shim"), shim)
        os.chmod(shim, 0o755)
        os.chown(home, 65534, 65534)
        cls.state = os.path.join(home, "state")
        flags = {**cls.flags_of_the_worker(), "state.path": cls.state, "runtime.shim": shim}
        cls.worker = Worker(cls.machine, cls.server, **flags)
        cls.worker.user = 65534
        cls.worker.start()

    def test_it_says_how_it_limits(self):
        self.assertIn("process.no_cgroups", self.worker.log())
        self.assertIn("resource limits only", self.worker.log())

    def test_limits_are_of_each_process(self):
        lines = self.output(self.sh("id -u; ulimit -d; ulimit -c; "
                                    "sed -n 's/Max processes *//p' /proc/self/limits",
                                    resources={"memory_bytes": 64 << 20, "pids": 77})).split()
        self.assertEqual(lines[:4], ["65534", "65536", "0", "77"])
        hog = self.submit(command=["/usr/bin/python3", "-c", "x = bytearray(200 << 20)"],
                          resources={"memory_bytes": 64 << 20})
        self.ended(hog, "FAILED", "EXIT_CODE")
        self.assertIn(b"MemoryError", self.server.log_of(hog))

    def test_another_user_is_refused(self):
        status = self.ended(self.sh("id", user="1000:1000"), "FAILED", "REJECTED")
        self.assertIn("spec.user", status["message"])
        self.assertEqual(self.output(self.sh("id -u", user="65534:0")), "65534\n")

    def test_nothing_is_left_of_a_daemon(self):
        task = self.sh(ESCAPE.format(7) + "sleep 0.3; echo done")
        self.assertEqual(self.output(task), "done\n")
        self.assertEqual(self.alive("sleep 1000.7"), [])

    def test_the_keeper_is_killed(self):
        task = self.sh(ESCAPE.format(8) + "echo up; sleep 1000.8")
        eventually(lambda: self.alive("sleep 1000.8"), lambda found: len(found) >= 2)
        os.kill(self.keeper_of(task), signal.SIGKILL)
        self.ended(task, "FAILED", "EXECUTOR")
        self.assertEqual(self.alive("sleep 1000.8"), [])

    def test_the_worker_is_killed(self):
        task = self.sh(COUNT.format(30, 4))
        eventually(lambda: self.server.log_of(task), bool)
        self.worker.kill()
        time.sleep(0.5)
        self.worker.start()
        self.ended(task, "FAILED", "EXIT_CODE", exit_code=4, attempt=1, lost_attempts=0)
        self.assertEqual(self.numbers(task), list(range(1, 31)))


class OffByDefault(case.MachineCase):
    def test_default(self):
        program = Program(self.machine, "describe", "worker/jarvis-worker", {})
        program.spawn(["--describe"])
        said = program.process.stdout.read().decode()
        program.wait()
        self.assertIn("executors: [runc]", said)
        self.assertEqual(read(program.log_path), "")


if __name__ == "__main__":
    case.main()
