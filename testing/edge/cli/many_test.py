#!/usr/bin/python3
"""Many tasks at once: batches with progress, waiting, logs side by side, lists that go on."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.getcwd())

from testing.edge.cli.case import CliCase, chunk, task  # noqa: E402
from testing.edge.cli.fake import Abort  # noqa: E402
from testing.process.harness import places  # noqa: E402


class Batches(CliCase):
    def accept(self, request, context):
        """Ids are numbers in the order of arrival; who arrives is known by its index."""
        with self.lock:
            self.accepted.append(request["spec"])
            return {"task": task(id=f"t-{len(self.accepted)}"), "revision": len(self.accepted)}

    def setUp(self):
        super().setUp()
        self.lock = threading.Lock()
        self.accepted = []
        self.fake.on["SubmitTask"] = self.accept

    def submit(self, *words, text=""):
        done = subprocess.run(
            [places.find("cli/jarvis"), "task", "submit", *words], input=text.encode(),
            env={"JARVIS_SERVER": self.fake.address}, timeout=60, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_documents_of_standard_input_are_tasks(self):
        documents = "".join(f"---\nimage: busybox\nname: n{i}\n" for i in range(20))
        result, out, err = self.submit("-f", "-", "--label", "batch=7", text=documents)
        self.assertEqual(result, 0, err)
        self.assertEqual(sorted(out.split()), sorted(f"t-{i + 1}" for i in range(20)))
        self.assertEqual({spec["name"] for spec in self.accepted}, {f"n{i}" for i in range(20)})
        self.assertEqual({spec["labels"]["batch"] for spec in self.accepted}, {"7"})
        # In a pipe: one line at the end, no control characters.
        self.assertRegex(err, r"\Ajarvis: submitted 20 of 20(, [0-9.]+/s)?, in [0-9.]+m?s\n\Z")

    def test_copies_know_their_index(self):
        result, out, err = self.submit("--count", "150", "--request-id", "r", "busybox", "true")
        self.assertEqual(result, 0, err)
        self.assertEqual(len(out.split()), 150)
        self.assertEqual({spec["request_id"] for spec in self.accepted},
                         {f"r-{i}" for i in range(150)})
        self.assertEqual({spec["env"]["JARVIS_INDEX"] for spec in self.accepted},
                         {str(i) for i in range(150)})

    def test_ids_come_in_the_order_of_the_tasks(self):
        def slow(request, context):
            index = int(request["spec"]["env"]["JARVIS_INDEX"])
            time.sleep(0.3 if index == 0 else 0)
            return {"task": task(id=f"t-{index}")}
        self.fake.on["SubmitTask"] = slow
        result, out, err = self.submit("--count", "8", "busybox")
        self.assertEqual((result, out.split()), (0, [f"t-{i}" for i in range(8)]), err)
        result, out, err = self.submit("--count", "3", "busybox", "-o", "json")
        self.assertEqual(result, 0, err)

    def test_a_server_at_its_limit_or_away_is_asked_again(self):
        refused = []

        def busy(request, context):
            with self.lock:
                key = request["spec"]["request_id"]
                if refused.count(key) < 2:
                    refused.append(key)
                    raise Abort(["RESOURCE_EXHAUSTED", "UNAVAILABLE"][refused.count(key) - 1],
                                "the inbox is full")
            return self.accept(request, context)
        self.fake.on["SubmitTask"] = busy
        result, out, err = self.submit("--count", "5", "busybox")
        self.assertEqual((result, len(out.split())), (0, 5), err)
        self.assertEqual(len(refused), 10)

    def test_a_server_that_is_not_there_is_not_asked_by_ever_more(self):
        self.fake.close()
        result, out, err = self.submit("--count", "3000", "busybox")
        self.assertEqual((result, out), (4, ""))
        failed = int(re.search(r"submitted 0 of 3000, (\d+) failed", err).group(1))
        self.assertLessEqual(failed, 64)

    def test_a_refusal_stops_the_rest_and_is_counted(self):
        def refuse(request, context):
            if request["spec"]["env"]["JARVIS_INDEX"] == "3":
                raise Abort("INVALID_ARGUMENT", "spec.image: is not known")
            time.sleep(0.05)
            return self.accept(request, context)
        self.fake.on["SubmitTask"] = refuse
        result, out, err = self.submit("--count", "500", "busybox")
        self.assertEqual(result, 1)
        self.assertIn("task submit: task 4: INVALID_ARGUMENT: spec.image: is not known", err)
        self.assertIn(f"jarvis: {len(out.split())} of 500 tasks were submitted", err)
        self.assertEqual(len(out.split()), len(self.accepted))
        self.assertLess(len(self.accepted), 200)

    def test_an_interruption_waits_for_what_is_under_way(self):
        def slow(request, context):
            time.sleep(0.2)
            return self.accept(request, context)
        self.fake.on["SubmitTask"] = slow
        process = self.start("task", "submit", "--count", "2000", "busybox")
        self.wait_for(lambda: len(self.accepted) > 20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        # No id is lost that the server has accepted.
        self.assertEqual(len(out.split()), len(self.accepted))
        self.assertLess(len(self.accepted), 2000)
        self.assertRegex(err.decode(), r"jarvis: \d+ of 2000 tasks were submitted")


class Waiting(CliCase):
    def test_all_are_waited_for_at_once(self):
        arrived = threading.Barrier(4, timeout=20)

        def wait(request, context):
            arrived.wait()
            bad = request["id"] == "t-2"
            return {"task": task("TASK_STATE_FAILED" if bad else "TASK_STATE_SUCCEEDED",
                                 id=request["id"]), "finished": True}
        self.fake.on["WaitTask"] = wait
        result, out, err = self.run_cli("task", "wait", "t-1", "t-2", "t-3", "t-4", "-o", "name")
        self.assertEqual((result, out), (1, "t-1\nt-2\nt-3\nt-4\n"), err)
        self.assertRegex(err, r"\Ajarvis: succeeded 3 of 4, 1 failed")

    def test_a_task_that_there_is_not_does_not_keep_the_others(self):
        def wait(request, context):
            if request["id"] == "t-9":
                raise Abort("NOT_FOUND", "there is no task t-9")
            return {"task": task("TASK_STATE_SUCCEEDED", id=request["id"]), "finished": True}
        self.fake.on["WaitTask"] = wait
        result, out, err = self.run_cli("task", "wait", "t-9", "t-1", "-o", "name")
        self.assertEqual((result, out), (3, "t-1\n"), err)

    def test_the_time_that_is_over_is_5_and_says_how_many_are_left(self):
        def wait(request, context):
            time.sleep(0.1)
            return {"task": task("TASK_STATE_RUNNING", id=request["id"])}
        self.fake.on["WaitTask"] = wait
        result, out, err = self.run_cli("task", "wait", "t-1", "t-2", "--timeout", "500ms")
        self.assertEqual(result, 5, err)
        self.assertIn("jarvis: 2 of 2 tasks have not finished", err)
        self.assertIn("running", out)

    def test_an_interruption_leaves(self):
        def wait(request, context):
            while context.is_active():
                time.sleep(0.02)
            return {"task": task()}
        self.fake.on["WaitTask"] = wait
        process = self.start("task", "wait", "t-1", "t-2")
        self.wait_for(lambda: len(self.fake.requests_of("WaitTask")) == 2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)


class Logs(CliCase):
    def setUp(self):
        super().setUp()
        self.logs = {"t-1": [chunk(0, b"one\ntw"), chunk(6, b"o\n")],
                     "t-20": [chunk(0, b"bad\n", stream="LOG_STREAM_STDERR"), chunk(4, b"end")]}
        self.fake.on["GetTaskLogs"] = lambda request, context: iter(self.logs[request["id"]])

    def test_each_line_says_whose_it_is(self):
        result, out, err = self.run_cli("task", "logs", "t-1", "t-20")
        self.assertEqual(result, 0, err)
        self.assertEqual(out, "t-1  out | one\nt-1  out | two\nt-20 out | end\n")
        self.assertEqual(err, "t-20 err | bad\n")
        # Of one task the bytes are as they were printed.
        self.assertEqual(self.run_cli("task", "logs", "t-20"), (0, "end", "bad\n"))
        self.assertEqual(self.run_cli("task", "logs", "t-20", "--prefix", "always"),
                         (0, "t-20 out | end\n", "t-20 err | bad\n"))
        self.assertEqual(self.run_cli("task", "logs", "t-1", "t-20", "--prefix=never"),
                         (0, "one\ntwo\nend", "bad\n"))

    def test_json_says_whose_it_is_too(self):
        result, out, err = self.run_cli("task", "logs", "t-1", "t-20", "-o", "json")
        self.assertEqual(result, 0, err)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([line["taskId"] for line in lines], ["t-1", "t-1", "t-20", "t-20"])
        self.assertEqual(lines[2]["chunk"]["stream"], "LOG_STREAM_STDERR")
        out = self.run_cli("task", "logs", "t-1", "-o", "json")[1]
        self.assertEqual(json.loads(out.splitlines()[0])["offset"], "0")

    def test_a_filter_chooses_tasks_and_finds_later_ones(self):
        listed = [task("TASK_STATE_RUNNING", id="t-20")]
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": list(listed)}
        result, out, err = self.run_cli("task", "logs", "--label", "batch=7")
        self.assertEqual((result, out, err), (0, "t-20 out | end\n", "t-20 err | bad\n"))
        self.assertEqual(self.fake.requests_of("ListTasks")[0]["filter"]["labels"], {"batch": "7"})
        process = self.start("task", "logs", "-f", "--label", "batch=7")
        self.wait_for(lambda: len(self.fake.requests_of("GetTaskLogs")) == 2)
        listed.append(task("TASK_STATE_RUNNING", id="t-1"))
        self.wait_for(lambda: len(self.fake.requests_of("GetTaskLogs")) == 3)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(sorted(out.decode().splitlines()),
                         ["t-1  out | one", "t-1  out | two", "t-20 out | end"])

    def test_more_than_can_be_read_at_once_are_told_of(self):
        self.logs = {f"t-{i}": [] for i in range(501)}
        ids = list(self.logs)
        self.assertEqual(self.run_cli("task", "logs", *ids)[0], 2)
        self.fake.on["ListTasks"] = lambda request, context: {
            "tasks": [task(id=id) for id in ids[:500]], "next_page_token": "more"}
        result, _, err = self.run_cli("task", "logs", "--queue", "default")
        self.assertEqual(result, 0)
        self.assertEqual(err, "jarvis: more than 500 tasks match; the logs of the others are "
                              "left out\n")

    def test_one_that_fails_does_not_keep_the_others(self):
        def logs(request, context):
            if request["id"] == "t-9":
                raise Abort("NOT_FOUND", "there is no task t-9")
            yield from self.logs[request["id"]]
        self.fake.on["GetTaskLogs"] = logs
        result, out, err = self.run_cli("task", "logs", "t-9", "t-1")
        self.assertEqual((result, out), (3, "t-1  out | one\nt-1  out | two\n"), err)
        self.assertIn("task logs: t-9: NOT_FOUND", err)

    def test_ids_and_filters_exclude_one_another(self):
        for words in [["t-1", "--queue", "q"], []]:
            self.assertEqual(self.run_cli("task", "logs", *words)[0], 2)


class Lists(CliCase):
    def setUp(self):
        super().setUp()
        self.tasks = [task("TASK_STATE_RUNNING", id="t-2", name="b", revision=5, attempt=3),
                      task("TASK_STATE_QUEUED", id="t-1", name="a", revision=4)]
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": list(self.tasks)}
        self.changed = threading.Event()

        def changes(request, context):
            while context.is_active():
                if self.changed.wait(0.05):
                    self.changed.clear()
                    yield {"task": task(), "revision": 9}
        self.fake.on["WatchTasks"] = changes

    def test_columns_are_chosen_and_sorted(self):
        result, out, err = self.run_cli("task", "list", "--columns", "name,id,attempt",
                                        "--sort", "name")
        self.assertEqual((result, out), (0, "NAME  ID   ATTEMPT\na     t-1        0\n"
                                            "b     t-2        3\n"), err)
        self.assertEqual(self.run_cli("task", "list", "--columns=state", "--no-headers")[1],
                         "running\nqueued\n")
        self.assertEqual(self.run_cli("task", "list", "-o", "name", "--sort=-id")[1], "t-2\nt-1\n")
        out = self.run_cli("task", "list", "--order-by", "-priority")[1]
        self.assertEqual(self.fake.requests_of("ListTasks")[-1]["order_by"], "priority desc")

    def test_json_is_the_same_whatever_the_terminal(self):
        out = self.run_cli("task", "list", "-o", "json")[1]
        self.assertEqual([t["id"] for t in json.loads(out)["tasks"]], ["t-2", "t-1"])
        again = self.run_cli("task", "list", "-o", "json", "--color=always", "--time=iso")[1]
        self.assertEqual(out, again)

    def test_a_watch_in_a_pipe_appends_what_has_changed(self):
        process = self.start("task", "list", "--watch", "--columns", "id,state")
        lines = [process.stdout.readline() for _ in range(3)]
        self.assertEqual(lines, [b"ID   STATE\n", b"t-2  running\n", b"t-1  queued\n"])
        self.tasks[1] = task("TASK_STATE_RUNNING", id="t-1", revision=7)
        self.tasks.insert(0, task("TASK_STATE_QUEUED", id="t-3", revision=8))
        self.changed.set()
        self.assertEqual([process.stdout.readline() for _ in range(2)],
                         [b"t-3  queued\n", b"t-1  running\n"])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out, err), (130, b"", b""))

    def test_a_watch_of_json_is_a_line_for_each_change(self):
        process = self.start("task", "list", "--watch", "-o", "json")
        first = json.loads(process.stdout.readline())
        self.assertEqual(first["id"], "t-2")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 143)


if __name__ == "__main__":
    unittest.main(verbosity=2)
