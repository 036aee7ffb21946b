"""What the tests of the program share: the scripted server, tasks and pieces of log, runs."""

import base64
import os
import subprocess
import time
import unittest

from testing.edge.cli.fake import Fake
from testing.process.harness import places


def task(state="TASK_STATE_QUEUED", id="t-1", name="", **status):
    return {"id": id, "spec": {"name": name, "queue": "default"},
            "status": dict(status, state=state)}


def chunk(offset, data, stream="LOG_STREAM_STDOUT", attempt=1):
    return {"chunk": {"attempt": attempt, "stream": stream, "offset": offset,
                      "data": base64.b64encode(data).decode()}}


class CliCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.fake = Fake()
        self.addCleanup(self.fake.close)

    def start(self, *words, server=None):
        environment = {"PATH": os.environ["PATH"], "JARVIS_SERVER": server or self.fake.address}
        return subprocess.Popen(
            [places.find("cli/jarvis"), *words], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_cli(self, *words, **options):
        """(exit code, standard output, standard error)"""
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=40)
        return process.returncode, out.decode(), err.decode()

    def wait_for(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, "has not happened")
            time.sleep(0.02)

    def script_run(self, last, logs=(), log_stderr=()):
        """A task that is accepted, placed, prints, and ends as `last` says."""
        def logs_of(request, context):
            yield from logs

        def changes(request, context):
            yield {"task": task("TASK_STATE_RUNNING", attempt=1, node="n"), "revision": 6}
            yield {"task": last, "revision": 7}

        self.fake.on["SubmitTask"] = lambda request, context: {"task": task(), "revision": 5}
        self.fake.on["GetTaskLogs"] = logs_of
        self.fake.on["WatchTasks"] = changes
