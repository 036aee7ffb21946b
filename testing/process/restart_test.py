#!/usr/bin/python3
"""Server and worker stopped, killed and started again around tasks that wait and run."""

import os
import signal
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402

# Prints all along, so that a gap or a repetition in the log would be seen.
COUNT = "i=0; while [ $i -lt {0} ]; do i=$((i+1)); echo $i; sleep 0.1; done; exit {1}"


class RestartCase(ContainerCase):
    def start_tasks(self):
        """One that runs, one that waits for it, one that ends while something is down."""
        running = self.sh(COUNT.format(35, 5), resources={"cpu_millis": 4000})
        short = self.sh(COUNT.format(8, 0), resources={"cpu_millis": 3900})
        waiting = self.sh("echo waited", resources={"cpu_millis": 5000})
        for task in (running, short):
            self.server.until(task, "RUNNING")
            eventually(lambda t=task: self.server.log_of(t), bool)
        return running, short, waiting

    def check_tasks(self, running, short, waiting):
        """Each ran once, from its beginning to its own end, and nothing of its log is missing."""
        self.ended(short, "SUCCEEDED", attempt=1, lost_attempts=0)
        self.assertEqual(self.numbers(short), list(range(1, 9)))
        self.ended(running, "FAILED", "EXIT_CODE", exit_code=5, attempt=1, lost_attempts=0)
        self.assertEqual(self.numbers(running), list(range(1, 36)))
        self.ended(waiting, "SUCCEEDED", attempt=1)
        self.assertEqual(self.server.log_of(waiting), b"waited\n")

    def numbers(self, task):
        return [int(line) for line in self.server.log_of(task).split()]


class SeparateWorker(RestartCase):
    def test_the_server_is_killed(self):
        tasks = self.start_tasks()
        self.assertEqual(self.server.kill(), -signal.SIGKILL)
        time.sleep(1)
        self.server.start(keep_ports=True)
        self.check_tasks(*tasks)

    def test_the_server_is_stopped(self):
        tasks = self.start_tasks()
        self.assertEqual(self.server.stop(), 0)
        time.sleep(1)
        self.server.start(keep_ports=True)
        self.check_tasks(*tasks)

    def test_the_worker_is_stopped(self):
        tasks = self.start_tasks()
        self.assertEqual(self.worker.stop(), 0)
        time.sleep(1)
        self.worker.start()
        self.check_tasks(*tasks)

    def test_the_worker_is_killed(self):
        tasks = self.start_tasks()
        self.assertEqual(self.worker.kill(), -signal.SIGKILL)
        time.sleep(1)
        self.worker.start()
        self.check_tasks(*tasks)

    def test_both_are_killed(self):
        tasks = self.start_tasks()
        self.worker.kill()
        self.server.kill()
        time.sleep(1)
        self.server.start(keep_ports=True)
        self.worker.start()
        self.check_tasks(*tasks)

    def test_the_worker_is_killed_while_it_starts_tasks(self):
        """A container that was being made is either adopted or cleared away, and runs once."""
        ledger = self.shared + "/ledger"
        mounts = [{"source": self.shared, "target": "/out", "writable": True}]
        tasks = []
        for i in range(8):
            tasks.append(self.sh(f"echo {i} >> /out/ledger; sleep 0.2", mounts=mounts))
            if i in (2, 5):
                time.sleep(0.05 * i)
                self.worker.kill()
                self.worker.start()
        for task in tasks:
            self.ended(task, "SUCCEEDED")
        with open(ledger, encoding="ascii") as file:
            seen = sorted(int(line) for line in file.read().split())
        # An attempt that was lost before its start may be followed by another; none ran in vain.
        self.assertEqual(sorted(set(seen)), list(range(8)))

    def test_a_cancel_while_the_worker_is_down(self):
        task = self.sh("sleep 100", timeouts={"grace": "0.2s"})
        self.server.until(task, "RUNNING")
        self.worker.kill()
        self.worker.until_state("NODE_STATE_DISCONNECTED")
        self.server.grpc.call("CancelTask", {"id": task, "reason": "while it was away"})
        self.assertEqual(self.server.task(task)["status"]["state"], "TASK_STATE_STOPPING")
        self.worker.start()
        self.ended(task, "CANCELLED", cancel_reason="while it was away")

    def test_a_worker_that_lost_the_server_stops_its_tasks(self):
        """After the lease, and only then; the next attempt runs once the server is back."""
        task = self.sh("echo $$; sleep 6", resources={"cpu_millis": 300})
        self.server.until(task, "RUNNING")
        shims = self.machine.processes
        self.server.kill()
        time.sleep(2.5)
        self.assertTrue([p for p in shims().values() if "sleep" in p], "stopped within the lease")
        eventually(lambda: [p for p in shims().values() if "sleep" in p], lambda left: not left, 15)
        self.server.start(keep_ports=True)
        status = self.ended(task, "SUCCEEDED")
        self.assertEqual((status["attempt"], status["lost_attempts"]), (2, 1))

    def check_fenced(self, task):
        """The shims end it by themselves when the lease is over, and not before."""
        shims = self.machine.processes
        time.sleep(2.5)
        self.assertTrue([p for p in shims().values() if "sleep" in p], "ended within the lease")
        eventually(lambda: [p for p in shims().values() if "sleep" in p], lambda left: not left, 5)
        self.server.until(task, "QUEUED")

    def test_a_worker_that_stays_away(self):
        task = self.sh("echo $$; sleep 7", resources={"cpu_millis": 300})
        self.server.until(task, "RUNNING")
        self.worker.kill()
        self.check_fenced(task)
        self.worker.start()
        status = self.ended(task, "SUCCEEDED")
        self.assertEqual((status["attempt"], status["lost_attempts"]), (2, 1))

    def test_a_worker_that_stands_still(self):
        task = self.sh("echo $$; sleep 7", resources={"cpu_millis": 300})
        self.server.until(task, "RUNNING")
        self.worker.signal(signal.SIGSTOP)
        try:
            self.check_fenced(task)
        finally:
            self.worker.signal(signal.SIGCONT)
        status = self.ended(task, "SUCCEEDED")
        self.assertEqual((status["attempt"], status["lost_attempts"]), (2, 1))


class EmbeddedWorker(RestartCase):
    embedded = True

    def test_killed(self):
        tasks = self.start_tasks()
        self.server.kill()
        time.sleep(1)
        self.server.start(keep_ports=True)
        self.check_tasks(*tasks)

    def test_stopped(self):
        tasks = self.start_tasks()
        self.assertEqual(self.server.stop(), 0)
        time.sleep(1)
        self.server.start(keep_ports=True)
        self.check_tasks(*tasks)


if __name__ == "__main__":
    case.main()
