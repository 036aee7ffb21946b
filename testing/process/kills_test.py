#!/usr/bin/python3
"""Server, workers and keepers are killed at random moments under load; a ledger of everything that
clients were told, and of what ran, is compared with what there is in the end.

A short run by default. As many kills as you like, by hand, after a build of the same things:

    JARVIS_KILLS=1000 JARVIS_SEED=7 testing/process/kills_test.py

docs/reliability.md has the figures of such a run.
"""

import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import api, case  # noqa: E402
from testing.process.harness.api import Refused  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402
from testing.process.harness.witness import Witness  # noqa: E402

KILLS = int(os.environ.get("JARVIS_KILLS", "12"))
SEED = int(os.environ.get("JARVIS_SEED", str(time.time_ns() % 1000000)))
NODES = ("a", "b")
LEASE = 6
# Tasks that have not ended, of each of the clients.
LIVE_MAX = 12
CLIENTS = 3
END_SECONDS = 180

# Each line is told to the witness and printed: what ran, and what its log must be.
SCRIPT = (
    "name=$(cat /proc/sys/kernel/random/uuid); i=0; while [ $i -lt {lines} ]; do i=$((i+1)); "
    "echo $name $i >> /out/{key}; echo line $i; usleep {pause}; done; "
    "echo $name end >> /out/{key}; exit {code}"
)
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100),
             ("grpc.max_reconnect_backoff_ms", 400)]
AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "RESOURCE_EXHAUSTED")
# Of a task whatever fails at its keeper.
REASONS = {"FAILURE_REASON_EXIT_CODE", "FAILURE_REASON_EXECUTOR"}


class Job:
    """A task as its client sees it."""

    def __init__(self, shared, key, rng):
        self.key = key
        self.witness = Witness(shared, key)
        self.lines = rng.randint(1, 40)
        self.code = rng.choice((0, 0, 0, 3))
        self.cancel = rng.random() < 0.1
        self.script = SCRIPT.format(
            key=key, lines=self.lines, code=self.code, pause=rng.randint(1, 60) * 1000)
        self.id = None
        self.cancelled = False
        self.final = None

    def spec(self):
        return {
            "name": self.key, "request_id": self.key, "image": "busybox",
            "command": ["sh", "-c", self.script], "mounts": self.witness.mounts(),
            "resources": {"cpu_millis": 500, "memory_bytes": 32 << 20, "pids": 64},
            "timeouts": {"grace": "0.5s"},
            "retry": {"max_lost": 100, "backoff_initial": "0.1s", "backoff_max": "0.5s"},
        }


class Client(threading.Thread):
    """Submits, asks, cancels, and repeats whatever was not answered; keeps the ledger."""

    def __init__(self, number, port, shared, seed):
        super().__init__(daemon=True)
        self.number = number
        self.shared = shared
        self.rng = random.Random(seed)
        self.grpc = api.Grpc(port, RECONNECT)
        self.jobs = []
        self.calls = self.repeated = 0
        self.submitting = True
        self.faults = []

    def ask(self, method, request):
        """The answer, however often it takes; an error that no kill explains is raised."""
        while True:
            self.calls += 1
            try:
                return self.grpc.call(method, request, timeout=10)
            except Refused as refused:
                if refused.code not in AGAIN:
                    raise
                self.repeated += 1
                time.sleep(0.05)

    def submit(self):
        job = Job(self.shared, f"k{self.number}-{len(self.jobs)}", self.rng)
        job.id = self.ask("SubmitTask", {"spec": job.spec()})["task"]["id"]
        self.jobs.append(job)
        if self.rng.random() < 0.2:
            answer = self.ask("SubmitTask", {"spec": job.spec()})
            if (answer["task"]["id"], answer.get("duplicate")) != (job.id, True):
                self.faults.append(f"{job.key} is {job.id}, and again {answer}")

    def look(self, job):
        status = self.ask("GetTask", {"id": job.id})["task"]["status"]
        ended = status["state"] in (
            "TASK_STATE_SUCCEEDED", "TASK_STATE_FAILED", "TASK_STATE_CANCELLED")
        if job.final is not None and status != job.final:
            self.faults.append(f"{job.id} was final, and changed: {job.final} {status}")
        if ended:
            job.final = status
        elif job.cancel and self.rng.random() < 0.3:
            self.cancel(job)

    def cancel(self, job):
        job.cancelled = True
        try:
            self.ask("CancelTask", {"id": job.id})
        except Refused as refused:
            # It has ended meanwhile.
            if refused.code != "FAILED_PRECONDITION":
                raise

    def step(self):
        live = [job for job in self.jobs if job.final is None]
        if self.submitting and len(live) < LIVE_MAX:
            self.submit()
        elif live:
            self.look(self.rng.choice(live))
            time.sleep(0.05)
        if self.jobs and self.rng.random() < 0.1:
            self.look(self.rng.choice(self.jobs))

    def done(self):
        return not self.submitting and all(job.final is not None for job in self.jobs)

    def run(self):
        try:
            while not self.done():
                self.step()
            for job in self.jobs:
                self.look(job)
        except Exception as error:  # pylint: disable=broad-except
            self.faults.append(f"client {self.number}: {error!r}")


class Kills(ContainerCase):
    server_flags = {
        "scheduler.lease": f"{LEASE}s", "scheduler.fence": "2s", "scheduler.heartbeat": "500ms"}

    @classmethod
    def start_programs(cls):
        cls.server = Server(cls.machine, **cls.server_flags).start()
        cls.workers = [Worker(cls.machine, cls.server, name, **{
            **cls.flags_of_the_worker(name), "capacity.cpu_millis": 4000}).start()
            for name in NODES]

    @classmethod
    def states(cls):
        return [cls.machine.path(node) for node in NODES]

    def keepers(self):
        found = []
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/cmdline", encoding="utf-8") as file:
                    if name.isdigit() and self.machine.name in (text := file.read()) and \
                            "/runc/attempts/" in text:
                        found.append(int(name))
            except OSError:
                continue
        return found

    def away(self):
        """Mostly a moment; now and then for longer than the lease."""
        return LEASE + 3 if self.rng.random() < 0.02 else self.rng.random() ** 2

    def kill_server(self):
        self.server.kill()
        time.sleep(self.away())
        self.server.start(keep_ports=True)

    def kill_worker(self):
        worker = self.rng.choice(self.workers)
        worker.kill()
        if self.rng.random() < 0.2:
            self.kill_keeper()
        time.sleep(self.away())
        worker.spawn()

    def kill_both(self):
        self.server.kill()
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.spawn()
        time.sleep(self.away())
        self.server.start(keep_ports=True)

    def kill_keeper(self):
        keepers = self.keepers()
        if not keepers:
            return
        try:
            os.kill(self.rng.choice(keepers), signal.SIGKILL)
            self.keepers_killed += 1
        except ProcessLookupError:
            pass

    def kill_one(self):
        """Returns how many processes of ours were killed."""
        kind = self.rng.choices(
            (self.kill_server, self.kill_worker, self.kill_both, self.kill_keeper),
            (40, 40, 5, 15))[0]
        before = self.keepers_killed
        kind()
        self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
        programs = {self.kill_server: 1, self.kill_worker: 1, self.kill_both: 3}.get(kind, 0)
        return programs + self.keepers_killed - before

    def test_a_ledger_of_everything_that_was_told(self):
        print(f"seed {SEED}, {KILLS} kills", flush=True)
        self.rng = random.Random(SEED)
        self.counts = {}
        self.keepers_killed = 0
        clients = [Client(n, self.server.grpc_port, self.shared, SEED * 100 + n)
                   for n in range(CLIENTS)]
        began = time.monotonic()
        for client in clients:
            client.start()
        self.kill_all(clients)
        for client in clients:
            client.submitting = False
        deadline = time.monotonic() + END_SECONDS
        for client in clients:
            client.join(max(deadline - time.monotonic(), 0.1))
        self.check(clients)
        self.tell(clients, time.monotonic() - began)

    def kill_all(self, clients):
        killed, told = 0, time.monotonic()
        while killed < KILLS and not any(client.faults for client in clients):
            time.sleep(self.rng.random() * 1.2)
            killed += self.kill_one()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                jobs = [job for client in clients for job in client.jobs]
                ended = sum(job.final is not None for job in jobs)
                print(f"{killed} kills, {len(jobs)} tasks, {ended} ended", flush=True)
        self.killed = killed

    def check(self, clients):
        faults = [fault for client in clients for fault in client.faults]
        jobs = [job for client in clients for job in client.jobs]
        faults += [f"{job.id} has not ended: {self.server.task(job.id)}"
                   for job in jobs if job.final is None]
        for job in jobs:
            if job.final is not None:
                faults += [f"{job.id}: {fault}" for fault in self.faults_of(job)]
        faults += self.faults_of_the_list({job.key: job.id for job in jobs})
        if faults:
            self.fail(f"{len(faults)} faults, seed {SEED}:\n" + "\n".join(faults[:20])[:20000])

    def faults_of(self, job):
        """What was told of a task against what ran."""
        status, state = job.final, job.final["state"]
        yield from job.witness.faults()
        lines = job.witness.lines()
        ends = sum(what == "end" for _, what in lines)
        again = status.get("lost_attempts", 0) + status.get("failed_attempts", 0)
        if ends > 1 + again or len(job.witness.names()) > status.get("attempt", 0):
            yield f"ran more often than told: {len(job.witness.names())} {ends} {status}"
        if state == "TASK_STATE_CANCELLED" and not job.cancelled:
            yield "was cancelled, and nobody asked for it"
        if state == "TASK_STATE_FAILED":
            yield from self.faults_of_a_failure(job, status)
        reported = state == "TASK_STATE_SUCCEEDED" or (
            status.get("failure_reason") == "FAILURE_REASON_EXIT_CODE")
        if not reported or state == "TASK_STATE_CANCELLED":
            return
        if state == "TASK_STATE_SUCCEEDED" and job.code != 0:
            yield f"succeeded with code {job.code}"
        if not lines or lines[-1][1] != "end":
            yield f"is told as ended, but its last attempt did not end: {lines[-3:]}"
        wanted = "".join(f"line {i}\n" for i in range(1, job.lines + 1)).encode()
        if (log := self.server.log_of(job.id)) != wanted:
            yield f"its log is not what it printed: {len(log)} of {len(wanted)} bytes"

    def faults_of_a_failure(self, job, status):
        reason = status["failure_reason"]
        if reason not in REASONS:
            yield f"failed for {reason}: {status['message']}"
        if reason == "FAILURE_REASON_EXIT_CODE" and (status["exit_code"], True) != (
                job.code, job.code != 0):
            yield f"exited with {status['exit_code']} instead of {job.code}"
        if reason == "FAILURE_REASON_EXECUTOR" and "keeper" not in status["message"]:
            yield f"failed at its executor: {status['message']}"
        if reason == "FAILURE_REASON_EXECUTOR":
            self.counts["tasks_failed_by_their_keeper"] = 1 + self.counts.get(
                "tasks_failed_by_their_keeper", 0)

    def faults_of_the_list(self, wanted):
        """The server knows what was acknowledged, each once, and nothing else."""
        found, token = {}, ""
        while True:
            page = self.server.grpc.call("ListTasks", {"page_size": 500, "page_token": token})
            for task in page.get("tasks", []):
                if task["spec"]["name"] in found:
                    yield f"{task['spec']['name']} is there twice"
                found[task["spec"]["name"]] = task["id"]
            token = page.get("next_page_token", "")
            if not token:
                break
        if found != wanted:
            yield f"not as acknowledged: {sorted(set(found.items()) ^ set(wanted.items()))[:5]}"

    def tell(self, clients, seconds):
        jobs = [job for client in clients for job in client.jobs]
        total = {key: sum(job.final.get(key, 0) for job in jobs)
                 for key in ("attempt", "lost_attempts", "failed_attempts")}
        states = {}
        for job in jobs:
            state = job.final["state"].replace("TASK_STATE_", "").lower()
            states[state] = states.get(state, 0) + 1
        print(f"{self.killed} kills in {seconds:.0f} s: {self.counts}, "
              f"keepers {self.keepers_killed}\n"
              f"{len(jobs)} tasks {states}, attempts {total}, "
              f"{sum(client.calls for client in clients)} calls, "
              f"{sum(client.repeated for client in clients)} of them repeated", flush=True)


if __name__ == "__main__":
    case.main()
