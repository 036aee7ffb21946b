#!/usr/bin/python3
"""At most one live attempt: real containers that append to one shared file while links are cut,
processes stand still and clocks jump (docs/reliability.md)."""

import os
import signal
import struct
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, network, places  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402
from testing.process.harness.programs import Server, Worker, eventually  # noqa: E402
from testing.process.harness.witness import Witness  # noqa: E402

LEASE = 2
FENCE = 2
# One for each thing that may happen to a node, and one that nothing happens to.
NODES = ("cut", "mute", "stopped", "keepers", "suspended", "slow")
REFUGE = "refuge"
TASKS_A_NODE = 2


class Nodes(ContainerCase):
    """A server, and nodes that each have a network of their own to it, and clocks of their own."""

    server_flags = {
        "grpc.listen": "0.0.0.0:0",
        "scheduler.lease": f"{LEASE}s",
        "scheduler.fence": f"{FENCE}s",
        "scheduler.heartbeat": "400ms",
    }

    @classmethod
    def start_programs(cls):
        cls.server = cls.clocked(Server(cls.machine, **cls.server_flags))
        cls.server.start()
        cls.wires, cls.workers = {}, {}
        for number, name in enumerate((*NODES, REFUGE), 1):
            wire = network.Wire(number)
            cls.addClassCleanup(wire.close)
            worker = Worker(cls.machine, cls.server, name, **{
                **cls.flags_of_the_worker(name),
                # Tasks go where they fill best: to the refuge only when there is nowhere else.
                "capacity.cpu_millis": 8000 if name == REFUGE else 2000,
                "server.address": f"{wire.here}:{cls.server.grpc_port}"})
            worker.prefix = wire.prefix()
            cls.wires[name], cls.workers[name] = wire, cls.clocked(worker)
            worker.spawn()

    @classmethod
    def clocked(cls, program):
        """By testing/process/clock.c."""
        program.clock = cls.machine.path(program.name + ".clock")
        program.shift = {"wall_ms": 0, "boot_ms": 0, "boot_ppm": 0}
        cls.turn(program)
        program.prefix = program.prefix + [
            "env", "LD_PRELOAD=" + places.find("testing/process/clock.so"),
            "JV_TEST_CLOCK=" + program.clock]
        return program

    @classmethod
    def turn(cls, program, **shift):
        """What is not named stays as it is: the clocks since boot never go back."""
        program.shift.update(shift)
        with open(program.clock, "r+b" if os.path.exists(program.clock) else "wb") as file:
            file.write(struct.pack("qqq", *program.shift.values()))

    @classmethod
    def states(cls):
        return [cls.machine.path(node) for node in (*NODES, REFUGE)]

    def start(self):
        """Tasks on each node that run until they are told to end: {id: witness}."""
        tasks = {}
        for worker in self.workers.values():
            worker.until_state("NODE_STATE_READY")
        for node in NODES * TASKS_A_NODE:
            witness = Witness(self.shared, f"{self.id().rpartition('.')[2]}-{len(tasks)}")
            task = self.sh(
                witness.script(), mounts=witness.mounts(), constraints=[{
                    "key": "node", "operator": "CONSTRAINT_OPERATOR_IN",
                    "values": [node, REFUGE]}],
                retry={"max_lost": 20, "backoff_initial": "0.1s", "backoff_max": "0.1s"})
            tasks[task] = witness
        for task, witness in tasks.items():
            self.server.until(task, "RUNNING")
            eventually(witness.lines, bool)
        self.assertEqual({self.node_of(task) for task in tasks}, set(NODES))
        return tasks

    def node_of(self, task):
        return self.server.task(task)["status"]["node"]

    def moved(self, tasks):
        """Each of these runs in a second attempt that writes; the first had ended by then."""
        for task, witness in tasks.items():
            eventually(lambda t=task: self.server.task(t)["status"], lambda status: (
                status["state"], status["attempt"]) == ("TASK_STATE_RUNNING", 2))
            eventually(witness.names, lambda names: len(names) == 2)

    def finish(self, tasks, **values):
        for witness in tasks.values():
            witness.release()
        for task, witness in tasks.items():
            status = self.ended(task, "SUCCEEDED", **values)
            self.assertEqual(witness.faults(), [])
            self.assertEqual(len(witness.names()), status["attempt"])
            self.assertEqual(self.server.log_of(task), b"done\n")

    def keepers(self, node):
        place = self.machine.path(node, "runc", "attempts")
        return [pid for pid, what in self.machine.processes().items() if place in what]

    def test_nodes_are_lost_in_every_way(self):
        """At the same time; what ran there goes on elsewhere, and never in two places."""
        # Early by a twentieth, and a node that is late by as much: the fence time pays for both.
        self.turn(self.server, boot_ms=60000, boot_ppm=50000)
        self.turn(self.workers["slow"], boot_ms=60000, boot_ppm=-50000)
        time.sleep(1)
        tasks = self.start()
        for name in ("cut", "slow", "keepers"):
            self.wires[name].cut()
        # The server hears it all the time, but it hears nothing.
        self.wires["mute"].mute()
        self.workers["stopped"].signal(signal.SIGSTOP)
        # Their worker has them go on, to end what it cannot answer for.
        for pid in self.keepers("keepers"):
            os.kill(pid, signal.SIGSTOP)
        # It wakes with its lease long over, and says so itself.
        self.turn(self.workers["suspended"], boot_ms=60000)
        try:
            self.moved(tasks)
        finally:
            self.workers["stopped"].signal(signal.SIGCONT)
            self.wires["mute"].unmute()
            for name in ("cut", "slow", "keepers"):
                self.wires[name].heal()
        where = {self.node_of(task) for task in tasks}
        self.assertIn(REFUGE, where)
        self.assertLessEqual(where, {REFUGE, "suspended"})
        self.finish(tasks)

    def test_the_server_stands_still(self):
        """Nothing starts anew before its workers, which it could not hear, have ended all."""
        tasks = self.start()
        self.server.signal(signal.SIGSTOP)
        time.sleep(LEASE + FENCE + 1)
        self.server.signal(signal.SIGCONT)
        self.moved(tasks)
        self.finish(tasks)

    def test_what_is_shorter_than_the_lease_costs_nothing(self):
        """Links that come and go, and wall clocks that jump by hours."""
        tasks = self.start()
        for hours in (1, -2, 30):
            for program in (self.server, *self.workers.values()):
                self.turn(program, wall_ms=hours * 3600000)
                hours = -hours
            for name in ("cut", "mute"):
                self.wires[name].cut()
            time.sleep(0.4)
            for name in ("cut", "mute"):
                self.wires[name].heal()
                self.workers[name].until_state("NODE_STATE_READY")
            time.sleep(1)
        self.finish(tasks, attempt=1)


if __name__ == "__main__":
    network.isolate()
    case.main()
