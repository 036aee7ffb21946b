"""jarvisd and jarvis-worker as processes: started with free ports, stopped, killed, restarted."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

from testing.process.harness import api, places

START_SECONDS = 30
STOP_SECONDS = 30


class Program:
    """One process at a time, with a log that goes on over restarts."""

    def __init__(self, machine, name, path, flags):
        self.machine = machine
        self.name = name
        self.path = path
        self.flags = flags
        self.prefix = []  # such as nsenter
        self.user = None
        self.process = None
        self.log_path = machine.path(name + ".log")
        machine.programs.append(self)

    def binary(self):
        """Where the program is. Somebody else may not reach Bazel's folders, so he gets a copy."""
        path = places.find(self.path)
        if self.user is None:
            return path
        copy = self.machine.path(os.path.basename(path))
        shutil.copyfile(path, copy)
        os.chmod(copy, 0o755)
        return copy

    def command(self, extra=()):
        flags = [f"--{key}={value}" for key, value in self.flags.items()]
        return self.prefix + [self.binary()] + flags + list(extra)

    def spawn(self, extra=()):
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(extra),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.machine.environment(),
                cwd=self.machine.directory,
                user=self.user,
            )

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def read_ready(self):
        """The first line of stdout, by a thread: a program that says nothing is killed."""
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        line = self.process.stdout.readline().decode()
        timer.cancel()
        return line

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """Exit code; negative for a signal. A program that does not end is killed."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"{self.name} did not end within {seconds} s:\n{self.log()[-4000:]}") from None
        self.process.stdout.close()
        self.process = None
        return code

    def stop(self):
        """In order. Returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def end(self):
        """Whatever is running, for the end of a test."""
        if self.process is None:
            return
        if self.process.poll() is None:
            try:
                self.stop()
                return
            except AssertionError:
                pass
        if self.process is not None:
            self.wait()

    def run_to_end(self, extra=(), seconds=STOP_SECONDS):
        """A run that is expected to end by itself: exit code and what it said on stderr."""
        before = len(self.log()) if os.path.exists(self.log_path) else 0
        self.spawn(extra)
        code = self.wait(seconds)
        return code, self.log()[before:]


class Server(Program):
    def __init__(self, machine, name="server", **flags):
        settings = {
            "grpc.listen": "127.0.0.1:0",
            "rest.listen": "127.0.0.1:0",
            "storage.path": machine.path(name),
        }
        settings.update({key.replace("__", "."): value for key, value in flags.items()})
        super().__init__(machine, name, "server/jarvisd", settings)
        self.grpc_port = self.rest_port = 0
        self.grpc = self.rest = None

    def start(self, keep_ports=False):
        """Ready to serve when it returns. keep_ports: those that it had, for workers that dial."""
        if keep_ports:
            self.flags["grpc.listen"] = f"127.0.0.1:{self.grpc_port}"
            self.flags["rest.listen"] = f"127.0.0.1:{self.rest_port}"
        self.spawn()
        line = self.read_ready()
        match = re.match(r"ready grpc_port=(\d+) rest_port=(\d+)$", line)
        if match is None:
            code = self.process.poll()
            self.end()
            raise AssertionError(
                f"{self.name} did not start: said {line!r}, exit {code}\n{self.log()[-4000:]}")
        self.grpc_port, self.rest_port = int(match[1]), int(match[2])
        self.close_clients()
        self.grpc = api.Grpc(self.grpc_port)
        self.rest = api.Rest(self.rest_port)
        return self

    def restart(self, kill=False):
        code = self.kill() if kill else self.stop()
        self.start(keep_ports=True)
        return code

    def close_clients(self):
        if self.grpc is not None:
            self.grpc.close()
        self.grpc = self.rest = None

    def end(self):
        self.close_clients()
        super().end()

    def clients(self):
        return [("grpc", self.grpc), ("rest", self.rest)]

    # ---- in short

    def submit(self, **spec):
        """Id of a task that was accepted."""
        return self.grpc.call("SubmitTask", {"spec": spec})["task"]["id"]

    def submit_or_raise(self, **spec):
        """As submit, with gRPC's own exception."""
        return self.grpc.begin("SubmitTask", {"spec": spec}).result().task.id

    def task(self, task_id):
        return self.grpc.call("GetTask", {"id": task_id})["task"]

    def finished(self, task_id, seconds=60):
        """The task once it is final."""
        answer = self.grpc.call(
            "WaitTask", {"id": task_id, "timeout": f"{seconds}s"}, timeout=seconds + 10)
        if not answer.get("finished"):
            raise AssertionError(f"{task_id} did not finish within {seconds} s: {answer}")
        return answer["task"]

    def until(self, task_id, *states, seconds=30):
        """The task once it is in one of the states (without TASK_STATE_)."""
        return eventually(
            lambda: self.task(task_id),
            lambda task: task["status"]["state"].replace("TASK_STATE_", "") in states,
            seconds)

    def log_of(self, task_id, **request):
        """What the task printed, both streams or as the request says."""
        pieces = self.grpc.call("GetTaskLogs", {"id": task_id, **request})
        return b"".join(chunk_data(piece) for piece in pieces)


def chunk_data(piece):
    import base64
    return base64.b64decode(piece["chunk"].get("data", ""))


def eventually(get, good, seconds=30):
    """Asks until the answer is good, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = get()
        if good(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; the last answer was: {answer}")
        time.sleep(0.02)


class Worker(Program):
    """jarvis-worker; with the no-op executor unless the flags say otherwise."""

    def __init__(self, machine, server, name="worker", **flags):
        settings = {
            "server.address": f"127.0.0.1:{server.grpc_port}",
            "node.name": name,
            "state.path": machine.path(name),
            "executors": "noop",
            "cgroup.parent": machine.cgroup_parent,
            "capacity.cpu_millis": 8000,
            "capacity.memory": "2GiB",
        }
        settings.update({key.replace("__", "."): value for key, value in flags.items()})
        super().__init__(machine, name, "worker/jarvis-worker", settings)
        self.server = server

    def start(self):
        """Connected when it returns."""
        self.spawn()
        self.until_state("NODE_STATE_READY")
        return self

    def node(self):
        try:
            return self.server.grpc.call("GetNode", {"id": self.name})["node"]
        except api.Refused as refused:
            return {"state": refused.code}

    def until_state(self, state, seconds=START_SECONDS):
        def good(node):
            ended = self.process is not None and self.process.poll() is not None
            if ended and state == "NODE_STATE_READY":
                raise AssertionError(f"{self.name} has ended:\n{self.log()[-4000:]}")
            return node.get("state") == state
        return eventually(self.node, good, seconds)

    def restart(self, kill=False):
        code = self.kill() if kill else self.stop()
        self.start()
        return code
