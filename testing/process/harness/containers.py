"""The base of test cases with containers: a server, a worker with runc, and busybox images."""

import os

from testing.process.harness import case, images, places
from testing.process.harness.programs import Server, Worker, eventually

# Short, so that what waits for a lease to pass does not take long.
SERVER_FLAGS = {"scheduler.lease": "4s", "scheduler.fence": "500ms", "scheduler.heartbeat": "500ms"}
# Enough for busybox, and little, so that tests run side by side.
SMALL = {"cpu_millis": 500, "memory_bytes": 32 << 20, "pids": 64}


class ContainerCase(case.MachineCase):
    """`self.server` and, unless it is embedded, `self.worker`."""

    embedded = False
    worker_flags = {}
    server_flags = SERVER_FLAGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_places()
        cls.start_programs()

    @classmethod
    def make_places(cls):
        cls.rootfs = images.make_rootfs(cls.machine.path("images", "busybox"))
        cls.shared = cls.machine.path("shared")
        os.makedirs(os.path.join(cls.shared, "deep"))
        cls.readable = cls.machine.path("readable")
        os.makedirs(cls.readable)
        cls.state = cls.machine.path("worker")

    @classmethod
    def start_programs(cls):
        flags = cls.flags_of_the_worker()
        cls.worker = None
        if cls.embedded:
            flags = {"worker." + key: value for key, value in flags.items()}
            cls.server = Server(
                cls.machine, **{"worker.enabled": "true", **cls.server_flags, **flags})
            cls.server.start()
            eventually(lambda: cls.server.grpc.call("ListNodes").get("nodes"), bool)
        else:
            cls.server = Server(cls.machine, **cls.server_flags).start()
            cls.worker = Worker(cls.machine, cls.server, **flags).start()

    @classmethod
    def flags_of_the_worker(cls, name="worker"):
        return {
            "node.name": name,
            "state.path": cls.machine.path(name),
            "executors": "runc",
            "cgroup.parent": cls.machine.cgroup_parent,
            "runtime.shim": places.find("worker/shim/jarvis-shim"),
            "images.names": f"{{busybox: {cls.rootfs}}}",
            "images.allowed": f"[{cls.machine.path('images')}]",
            "mounts": f"[{{path: {cls.shared}, writable: true}}, {{path: {cls.readable}}}]",
            "capacity.cpu_millis": "8000",
            "capacity.memory": "2GiB",
            **cls.worker_flags,
        }

    @classmethod
    def states(cls):
        """The state directories of all workers."""
        return [cls.state]

    @classmethod
    def directories_to_be_empty(cls):
        """Of the executor, whatever is not an image or a lock."""
        return [os.path.join(state, "runc", name)
                for state in cls.states() for name in ("attempts", "trash")]

    @classmethod
    def check_nothing_left(cls):
        """Once nothing runs, the worker holds no container, while it still serves."""
        try:
            if getattr(cls, "server", None) is not None and cls.server.process is not None:
                cls.check_idle()
        finally:
            super().check_nothing_left()

    @classmethod
    def check_idle(cls):
        programs = {p.process.pid for p in cls.machine.programs if p.process is not None}
        # Zygotes, from which keepers are forked, belong to the worker and end with it.
        eventually(lambda: {pid: what for pid, what in cls.machine.processes().items()
                            if pid not in programs and not what.endswith("/attempts")},
                   lambda left: not left, 15)
        eventually(cls.machine.mounts, lambda left: not left, 15)
        # While it serves, it clears away after itself: at its end is too late for a long life.
        for directory in cls.directories_to_be_empty():
            eventually(lambda path=directory: os.listdir(path), lambda left: not left, 15)
        stats = cls.server.grpc.call("GetStats")
        live = [stats.get(f"tasks_{s}", 0) for s in ("queued", "starting", "running", "stopping")]
        if any(int(count) for count in live):
            raise AssertionError(f"tasks still live at the end: {stats}")
        for node in cls.server.grpc.call("ListNodes")["nodes"]:
            if node.get("attempts") or int(node["allocated"].get("cpu_millis", 0)):
                raise AssertionError(f"still reserved at the end: {node}")

    # ---- in short

    def sh(self, script, **spec):
        """Submits a shell script."""
        return self.submit(command=["sh", "-c", script], **spec)

    def submit(self, **spec):
        spec.setdefault("image", "busybox")
        spec["resources"] = {**SMALL, **spec.get("resources", {})}
        return self.server.submit(**spec)

    def status(self, task):
        return self.server.finished(task)["status"]

    def ended(self, task, state, reason=None, **values):
        """The final status, which must be so."""
        status = self.status(task)
        shown = f"{status}\n{self.server.log_of(task)[-2000:]}"
        self.assertEqual(status["state"], "TASK_STATE_" + state, shown)
        if reason is not None:
            self.assertEqual(status["failure_reason"], "FAILURE_REASON_" + reason, shown)
        for key, value in values.items():
            self.assertEqual(status.get(key, 0), value, shown)
        return status

    def output(self, task):
        """What a task that succeeds prints."""
        self.ended(task, "SUCCEEDED")
        return self.server.log_of(task).decode()
