#!/usr/bin/python3
"""What outlives what: keepers that are killed, machines that start anew, tasks that are to be kept,
workers of another build."""

import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, places  # noqa: E402
from testing.process.harness.containers import SERVER_FLAGS, ContainerCase  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402
from testing.process.harness.witness import Witness  # noqa: E402

# Multiplies the times of the outage below: 15 is a true minute, by the default lease.
SCALE = float(os.environ.get("JARVIS_OUTAGE_SCALE", "1"))
# What a worker is installed as.
PROGRAMS = ("worker/jarvis-worker", "worker/shim/jarvis-shim", "worker/image/unpack/jarvis-unpack")
COUNT = "i=0; while [ $i -lt {0} ]; do i=$((i+1)); echo $i; sleep 0.1; done; exit {1}"


class KeeperCase(ContainerCase):
    def witnessed(self, key, **spec):
        """A task that runs until its witness releases it."""
        witness = Witness(self.shared, key)
        task = self.sh(witness.script(), mounts=witness.mounts(), **spec)
        self.server.until(task, "RUNNING")
        eventually(witness.lines, bool)
        return task, witness

    def pids(self, part):
        return [pid for pid, what in self.machine.processes().items() if part in what]

    def keeper_of(self, task, attempt=1):
        (pid,) = self.pids(f"/runc/attempts/{task}.{attempt}")
        return pid

    def in_container(self, task):
        """Its processes, by their cgroup."""
        found = []
        for pid in self.machine.processes():
            try:
                with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
                    found += [pid] if f"/{task}." in file.read() else []
            except OSError:
                continue
        return found


class Keepers(KeeperCase):
    def test_one_is_killed(self):
        task, witness = self.witnessed("killed")
        os.kill(self.keeper_of(task), signal.SIGKILL)
        status = self.ended(task, "FAILED", "EXECUTOR", attempt=1)
        self.assertIn("keeper was ended by signal 9 (KILL)", status["message"])
        self.assertEqual(self.in_container(task), [])
        self.assertEqual(len(witness.names()), 1)

    def test_one_is_killed_and_the_task_is_tried_again(self):
        """Its container is gone before the next attempt begins."""
        task, witness = self.witnessed("again", retry={
            "max_attempts": 4, "on": ["FAILURE_REASON_EXECUTOR"], "backoff_initial": "0.01s",
            "backoff_max": "0.01s"})
        for attempt in (1, 2, 3):
            self.server.until(task, "RUNNING")
            eventually(witness.names, lambda names, n=attempt: len(names) == n)
            os.kill(self.keeper_of(task, attempt), signal.SIGKILL)
            eventually(witness.names, lambda names, n=attempt: len(names) == n + 1)
        witness.release()
        self.ended(task, "SUCCEEDED", attempt=4, failed_attempts=3)
        self.assertEqual(witness.faults(), [])

    def test_one_is_killed_while_no_worker_lives(self):
        """Nobody is there to end its container: the kernel does."""
        task, witness = self.witnessed("alone")
        keeper = self.keeper_of(task)
        self.worker.kill()
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: self.in_container(task), lambda left: not left, 2)
        self.worker.start()
        status = self.ended(task, "FAILED", "EXECUTOR", attempt=1)
        self.assertIn("while no worker watched", status["message"])
        self.assertEqual(witness.faults(), [])

    def test_one_that_stands_still_is_ended_all_the_same(self):
        task, witness = self.witnessed("still", timeouts={"grace": "0.1s"})
        os.kill(self.keeper_of(task), signal.SIGSTOP)
        self.server.grpc.call("CancelTask", {"id": task})
        self.ended(task, "CANCELLED")
        self.assertEqual(len(witness.names()), 1)

    def test_a_machine_starts_anew(self):
        """Another boot id, and nothing that ran: no fault of the task."""
        boot_id = self.machine.path("boot_id")
        for number in (1, 2):
            with open(boot_id, "w", encoding="ascii") as file:
                file.write(f"{number:08x}-0000-4000-8000-000000000000\n")
            self.worker.prefix = [
                "unshare", "--mount", "sh", "-c", f"mount --bind {boot_id} "
                "/proc/sys/kernel/random/boot_id && exec \"$@\"", "sh"]
            if number == 2:
                self.worker.kill()
                os.kill(self.keeper_of(task), signal.SIGKILL)
                self.worker.start()
            else:
                self.worker.restart()
                task, witness = self.witnessed("boot", retry={"backoff_initial": "0.1s"})
        eventually(witness.names, lambda names: len(names) == 2)
        witness.release()
        status = self.ended(task, "SUCCEEDED", attempt=2, lost_attempts=1)
        self.assertEqual(status.get("failed_attempts", 0), 0)
        self.assertEqual(witness.faults(), [])
        self.worker.prefix = []
        self.worker.restart()


class Keep(KeeperCase):
    """on_disconnect: KEEP."""

    def kept(self, key, **spec):
        return self.witnessed(key, on_disconnect="ON_DISCONNECT_KEEP", **spec)

    def test_it_goes_on_without_worker_and_server(self):
        task, witness = self.kept("kept")
        stopped, _ = self.kept("stopped", timeouts={"grace": "0.1s"})
        self.worker.kill()
        self.worker.until_state("NODE_STATE_LOST", 15)
        status = self.server.task(task)["status"]
        self.assertEqual(status["state"], "TASK_STATE_RUNNING")
        self.assertIn("node worker is lost, and attempt 1 may still run there", status["message"])
        self.server.grpc.call("CancelTask", {"id": stopped})
        status = self.server.task(stopped)["status"]
        self.assertEqual(status["state"], "TASK_STATE_STOPPING")
        self.assertIn("it is ended, for it was cancelled", status["message"])
        self.server.restart(kill=True)
        self.worker.start()
        self.ended(stopped, "CANCELLED", attempt=1)
        self.assertNotIn("message", self.server.task(task)["status"])
        witness.release()
        self.ended(task, "SUCCEEDED", attempt=1, lost_attempts=0)
        self.assertEqual(witness.faults(), [])

    def test_it_goes_on_while_the_server_is_away(self):
        task, witness = self.kept("away")
        other = self.sh("sleep 100", retry={"backoff_initial": "0.1s"})
        self.server.until(other, "RUNNING")
        self.server.kill()
        eventually(lambda: self.in_container(other), lambda left: not left, 15)
        before = len(witness.lines())
        self.server.start(keep_ports=True)
        eventually(lambda: len(witness.lines()), lambda count: count > before)
        self.worker.until_state("NODE_STATE_READY")
        witness.release()
        self.ended(task, "SUCCEEDED", attempt=1)
        self.server.grpc.call("CancelTask", {"id": other})
        self.ended(other, "CANCELLED")

    def test_a_worker_of_that_name_that_does_not_have_it(self):
        task, witness = self.kept("replaced", retry={"backoff_initial": "0.1s"})
        keeper = self.keeper_of(task)
        self.worker.kill()
        self.worker.until_state("NODE_STATE_LOST", 15)
        # The operator knows that the machine is gone.
        os.kill(keeper, signal.SIGKILL)
        os.rename(self.state, self.state + ".old")
        self.worker.start()
        eventually(witness.names, lambda names: len(names) == 2)
        witness.release()
        self.ended(task, "SUCCEEDED", attempt=2, lost_attempts=1)
        self.assertEqual(witness.faults(), [])
        shutil.rmtree(self.state + ".old")


class Upgrade(KeeperCase):
    """The programs are replaced while tasks run: by ones of other bytes at the same paths."""

    @classmethod
    def install(cls, release):
        for path in PROGRAMS:
            name = os.path.join(cls.bin, os.path.basename(path))
            shutil.copyfile(places.find(path), name + ".new")
            with open(name + ".new", "ab") as file:
                file.write(release.encode())
            os.chmod(name + ".new", 0o755)
            os.rename(name + ".new", name)

    @classmethod
    def make_places(cls):
        super().make_places()
        cls.bin = cls.machine.path("bin")
        os.mkdir(cls.bin)
        cls.install("one")
        cls.worker_flags = {"runtime.shim": cls.bin + "/jarvis-shim"}

    @classmethod
    def start_programs(cls):
        super().start_programs()
        cls.worker.binary = lambda: cls.bin + "/jarvis-worker"
        cls.worker.restart()

    def change_plans(self):
        """As a later release would have written them: its number, and fields behind the others."""
        attempts = os.path.join(self.state, "runc", "attempts")
        for name in os.listdir(attempts):
            with open(os.path.join(attempts, name, "plan"), "r+b") as file:
                version = file.read(1)[0]
                file.seek(0)
                file.write(bytes([version + 1]))
                file.seek(0, os.SEEK_END)
                file.write(b"of a later release")

    def test_containers_go_on(self):
        running = self.sh(COUNT.format(30, 5))
        short = self.sh(COUNT.format(8, 0))
        for task in (running, short):
            self.server.until(task, "RUNNING")
        self.install("two")
        self.assertEqual(self.worker.stop(), 0)
        self.change_plans()
        time.sleep(1)
        self.worker.start()
        again = self.sh("echo by the new one")
        self.assertEqual(self.output(again), "by the new one\n")
        self.ended(short, "SUCCEEDED", attempt=1, lost_attempts=0)
        self.ended(running, "FAILED", "EXIT_CODE", exit_code=5, attempt=1, lost_attempts=0)
        for task, count in ((short, 8), (running, 30)):
            self.assertEqual(self.server.log_of(task).split(),
                             [str(i).encode() for i in range(1, count + 1)])


class Outage(KeeperCase):
    """The server is away for half its lease, as a minute is of the default: nothing is lost."""

    server_flags = {
        **SERVER_FLAGS,
        "scheduler.lease": f"{8 * SCALE}s",
        "scheduler.heartbeat": f"{0.6 * SCALE}s",
        "scheduler.fence": f"{0.6 * SCALE}s",
    }

    def outage(self, kill_worker):
        """Of three tasks one ends while the server is away, one after it, and one begins after."""
        counts = {self.sh(COUNT.format(int(n * SCALE), code)): (int(n * SCALE), code)
                  for n, code in ((20, 3), (50, 0))}
        waits = self.sh("echo waited", resources={"cpu_millis": 7900})
        for task in counts:
            self.server.until(task, "RUNNING")
        self.server.kill()
        if kill_worker:
            self.worker.kill()
            time.sleep(1.5 * SCALE)
            self.worker.spawn()
        time.sleep((2.5 if kill_worker else 4) * SCALE)
        self.server.start(keep_ports=True)
        for task, (count, code) in counts.items():
            self.ended(task, "FAILED" if code else "SUCCEEDED", exit_code=code, attempt=1,
                       lost_attempts=0)
            self.assertEqual(self.server.log_of(task).split(),
                             [str(i).encode() for i in range(1, count + 1)])
        self.ended(waits, "SUCCEEDED", attempt=1)

    def test_the_server_is_away(self):
        self.outage(kill_worker=False)

    def test_the_server_is_away_and_the_worker_is_killed(self):
        self.outage(kill_worker=True)


if __name__ == "__main__":
    case.main()
