#!/usr/bin/python3
"""jarvis, the program, against a server whose answers are scripted: what it sends, prints and how
it exits. What depends on a real server is in testing/process."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.getcwd())

from testing.edge.cli.case import CliCase, chunk, task  # noqa: E402
from testing.edge.cli.fake import Abort  # noqa: E402
from testing.process.harness import places  # noqa: E402

class Failures(CliCase):
    def test_each_kind_of_failure_has_its_exit_code(self):
        for code, expected in [
            ("NOT_FOUND", 3), ("UNAVAILABLE", 4), ("DEADLINE_EXCEEDED", 5), ("INTERNAL", 1),
            ("PERMISSION_DENIED", 1), ("INVALID_ARGUMENT", 1), ("RESOURCE_EXHAUSTED", 1),
        ]:
            def refuse(request, context, code=code):
                raise Abort(code, "there is no task t-9")
            self.fake.on["GetTask"] = refuse
            with self.subTest(code=code):
                result, out, err = self.run_cli("task", "get", "t-9")
                self.assertEqual(result, expected, err)
                self.assertEqual(out, "")
                first = err.splitlines()[0]
                self.assertEqual(first, f"jarvis: task get: {code}: there is no task t-9")

    def test_without_a_server_it_says_how_to_start_one(self):
        result, _, err = self.run_cli("status", server="127.0.0.1:1")
        self.assertEqual(result, 4)
        self.assertRegex(err, r"^jarvis: status: UNAVAILABLE: ")
        self.assertIn("hint: is jarvisd running at 127.0.0.1:1? Start it with", err)

    def test_a_server_that_does_not_answer_costs_the_timeout(self):
        self.fake.on["GetTask"] = lambda request, context: time.sleep(3) or {}
        start = time.monotonic()
        result, _, err = self.run_cli("task", "get", "t-1", "--timeout", "300ms")
        self.assertEqual(result, 5, err)
        self.assertLess(time.monotonic() - start, 2.5)

    def test_wrong_usage_is_2_and_asks_nobody(self):
        for words in [["task"], ["task", "get"], ["tsk"], ["status", "--outptu", "json"],
                      ["status", "-o", "xml"], ["task", "list", "--state", "runing"],
                      ["task", "run"], ["status", "--timeout", "soon"],
                      ["task", "run", "-o", "json", "a"], ["status", "--server", "a:b:c"]]:
            with self.subTest(words=words):
                result, out, err = self.run_cli(*words)
                self.assertEqual((result, out), (2, ""), err)
                self.assertIn("hint: see: jarvis", err)
        self.assertEqual(self.fake.requests, [])

    def test_help_is_no_failure(self):
        for words in [["--help"], ["task", "--help"], ["task", "run", "-h"], ["help", "node"]]:
            result, out, err = self.run_cli(*words)
            self.assertEqual((result, err), (0, ""))
            self.assertIn("Usage: jarvis", out)
        self.assertRegex(self.run_cli("--version")[1], r"^jarvis [0-9.]+\n$")

    def test_a_refused_field_is_named_once(self):
        schema = self.fake.schema
        violation = schema.from_dict(schema.message("google.rpc.BadRequest"), {
            "field_violations": [{"field": "spec.image", "description": "must not be empty"}]})
        status = schema.from_dict(schema.message("google.rpc.Status"), {
            "code": 3, "message": "spec.image: must not be empty"})
        status.details.add().Pack(violation)

        def refuse(request, context):
            raise Abort("INVALID_ARGUMENT", "spec.image: must not be empty",
                        status.SerializeToString())
        self.fake.on["SubmitTask"] = refuse
        result, _, err = self.run_cli("task", "submit", "busybox")
        self.assertEqual(result, 1)
        self.assertEqual(
            err, "jarvis: task submit: INVALID_ARGUMENT: spec.image: must not be empty\n")


class Answers(CliCase):
    def test_a_list_is_read_by_pages_up_to_its_limit(self):
        def page(request, context):
            at = int(request.get("page_token", "0"))
            size = min(request["page_size"], 2)
            tasks = [task(id=f"t-{i}") for i in range(at, at + size)]
            more = at + size < 7
            return {"tasks": tasks, "next_page_token": str(at + size) if more else ""}
        self.fake.on["ListTasks"] = page
        result, out, err = self.run_cli("task", "list", "-o", "json", "--limit", "0")
        self.assertEqual(result, 0, err)
        found = json.loads(out)["tasks"]
        self.assertEqual([t["id"] for t in found], [f"t-{i}" for i in range(8)])
        result, out, err = self.run_cli("task", "list", "-o", "json", "--limit", "3")
        self.assertEqual(len(json.loads(out)["tasks"]), 3)
        self.assertIn("raise --limit", err)

    def test_filters_arrive(self):
        self.fake.on["ListTasks"] = lambda request, context: {}
        result, out, err = self.run_cli(
            "task", "list", "--state", "running", "--state", "queued", "--queue", "q",
            "--node", "n", "--label", "a/b=c", "--since", "2024-05-01T12:00:00Z")
        self.assertEqual(result, 0, err)
        self.assertIn("no task matches", err)
        self.assertEqual(self.fake.requests_of("ListTasks")[0]["filter"], {
            "states": ["TASK_STATE_RUNNING", "TASK_STATE_QUEUED"], "queues": ["q"],
            "nodes": ["n"], "labels": {"a/b": "c"},
            "submitted_after": "2024-05-01T12:00:00Z"})

    def test_nothing_of_a_server_drives_the_terminal(self):
        evil = "\x1b[31mred\x07\nnext"
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": [task(name=evil)]}
        self.fake.on["GetTask"] = lambda request, context: {"task": task(name=evil, message=evil)}
        for words in [["task", "list"], ["task", "get", "t-1"]]:
            _, out, _ = self.run_cli(*words)
            self.assertNotIn("\x1b", out)
            self.assertIn("?[31mred? next", out)

    def test_nothing_of_a_server_drives_the_terminal_wherever_it_stands(self):
        evil = "\x1b]0;a\x9b31m\x7f\u202e"

        def refuse(request, context):
            raise Abort("INTERNAL", evil)
        self.fake.on["GetTask"] = lambda request, context: {"task": task(id=evil, message=evil)}
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": [task(id=evil, name=evil)]}
        self.fake.on["GetServerInfo"] = lambda request, context: {"version": evil}
        self.fake.on["GetMetrics"] = lambda request, context: {
            "content_type": "text/plain", "data": base64.b64encode(evil.encode()).decode()}
        self.fake.on["GetHealth"] = refuse
        for words in (["task", "list"], ["task", "list", "-o", "name"], ["task", "get", "t-1"],
                      ["task", "get", "t-1", "-o", "json"], ["task", "get", "t-1", "-o", "yaml"],
                      ["call", "GetTask", "{}"], ["version"], ["server", "metrics"],
                      ["server", "health"]):
            with self.subTest(words):
                _, out, err = self.run_cli(*words)
                self.assertTrue(out or err)
                self.assertFalse(set("\x1b\x07\x9b\x7f") & set(out + err), (out, err))
        # The same text for who reads it.
        for name in ("json", "yaml"):
            out = self.run_cli("task", "get", "t-1", "-o", name)[1]
            self.assertIn(r"\u001b]0;a\u009b31m\u007f", out)
        self.assertEqual(json.loads(self.run_cli("call", "GetTask", "{}")[1])["task"]["id"], evil)

    def test_nothing_of_a_server_drives_a_shell(self):
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": [
            {"id": name} for name in ("t-1", "$(id)", "-f", "a b", "t-\x1b[31m", "")]}
        self.assertEqual(self.run_cli("__complete", "--", "task", "get", "")[1].split("\t")[0],
                         "t-1")
        self.assertEqual(len(self.run_cli("__complete", "--", "task", "get", "")[1]
                             .splitlines()), 1)

    def test_cancelling_goes_on_past_a_failure(self):
        def cancel(request, context):
            if request["id"] == "t-2":
                raise Abort("NOT_FOUND", "there is no task t-2")
            return {"task": task("TASK_STATE_STOPPING", id=request["id"])}
        self.fake.on["CancelTask"] = cancel
        result, out, err = self.run_cli("task", "cancel", "t-1", "t-2", "t-3", "-r", "why")
        self.assertEqual((result, out), (3, "t-1 stopping\nt-3 stopping\n"))
        self.assertIn("jarvis: task cancel: t-2: NOT_FOUND: there is no task t-2", err)
        self.assertEqual({r["reason"] for r in self.fake.requests_of("CancelTask")}, {"why"})

    def test_waiting_tells_success_by_its_exit_code(self):
        def wait(request, context):
            good = request["id"] == "t-1"
            state = "TASK_STATE_SUCCEEDED" if good else "TASK_STATE_FAILED"
            return {"task": task(state, id=request["id"]), "finished": True}
        self.fake.on["WaitTask"] = wait
        self.assertEqual(self.run_cli("task", "wait", "t-1")[0], 0)
        self.assertEqual(self.run_cli("task", "wait", "t-1", "t-2")[0], 1)

    def test_waiting_outlives_the_server(self):
        answers = iter(["", "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE", "done"])

        def wait(request, context):
            answer = next(answers)
            if answer == "UNAVAILABLE":
                raise Abort(answer, "the server stops")
            state = "TASK_STATE_SUCCEEDED" if answer else "TASK_STATE_RUNNING"
            return {"task": task(state), "finished": bool(answer)}
        self.fake.on["WaitTask"] = wait
        result, _, err = self.run_cli("task", "wait", "t-1")
        self.assertEqual(result, 0, err)

    def test_what_cannot_be_written_is_a_failure(self):
        self.fake.on["ListTasks"] = lambda request, context: {}
        self.script_run(task("TASK_STATE_SUCCEEDED", attempt=1), logs=[chunk(0, b"hello\n")])
        for words in (["task", "list"], ["task", "logs", "t-1"], ["task", "logs", "t-1", "t-2"],
                      ["task", "logs", "t-1", "-o", "json"], ["task", "run", "busybox"]):
            with self.subTest(words), open("/dev/full", "wb") as full:
                process = subprocess.run(
                    [places.find("cli/jarvis"), "-s", self.fake.address, *words],
                    stdout=full, stderr=subprocess.PIPE, timeout=20)
                self.assertEqual(process.returncode, 1)
                self.assertIn(b"cannot write the output", process.stderr)

    def test_a_reader_who_has_enough_is_no_failure(self):
        self.script_run(task("TASK_STATE_SUCCEEDED", attempt=1), logs=[chunk(0, b"hello\n")])
        for words in (["task", "logs", "t-1"], ["task", "run", "busybox"]):
            reading, writing = os.pipe()
            os.close(reading)
            with self.subTest(words), open(writing, "wb") as gone:
                process = subprocess.run(
                    [places.find("cli/jarvis"), "-s", self.fake.address, *words],
                    stdout=gone, stderr=subprocess.PIPE, timeout=20)
                self.assertEqual((process.returncode, process.stderr), (0, b""))


class Submitting(CliCase):
    def test_it_is_tried_again_under_one_request_id(self):
        tries = []

        def submit(request, context):
            tries.append(request["spec"]["request_id"])
            if len(tries) < 3:
                raise Abort("UNAVAILABLE", "the server is starting")
            return {"task": task(id="t-7"), "revision": 9}
        self.fake.on["SubmitTask"] = submit
        result, out, err = self.run_cli("task", "submit", "busybox", "true")
        self.assertEqual((result, out), (0, "t-7\n"), err)
        self.assertEqual(len(tries), 3)
        self.assertEqual(len(set(tries)), 1)

    def test_nothing_is_submitted_if_one_of_the_files_is_wrong(self):
        directory = os.environ["TEST_TMPDIR"]
        good, bad = os.path.join(directory, "good.yaml"), os.path.join(directory, "bad.yaml")
        with open(good, "w", encoding="utf-8") as file:
            file.write("image: busybox\n")
        with open(bad, "w", encoding="utf-8") as file:
            file.write("image: busybox\ncomand: [ls]\n")
        self.fake.on["SubmitTask"] = lambda request, context: {"task": task()}
        result, out, err = self.run_cli("task", "submit", "-f", good, "-f", bad)
        self.assertEqual((result, out), (2, ""))
        self.assertIn(f'{bad}:2:1: there is no field "comand" in TaskSpec; did you mean '
                      '"command"?', err)
        self.assertEqual(self.fake.requests, [])
        result, out, err = self.run_cli("task", "submit", "-f", good, "-f", good)
        self.assertEqual((result, out), (0, "t-1\nt-1\n"), err)


class Running(CliCase):
    def test_the_exit_code_is_that_of_the_task(self):
        for reason, extra, expected, words in [
            ("EXIT_CODE", {"exit_code": 42}, 42, ""),
            ("SIGNAL", {"signal": 11, "exit_code": 139}, 139, "failed: signal"),
            ("OUT_OF_MEMORY", {"signal": 9, "exit_code": 137}, 137, "failed: out of memory"),
            ("RUNNING_TIMEOUT", {}, 124, "failed: running timeout"),
            ("QUEUED_TIMEOUT", {}, 124, "failed: queued timeout"),
            ("IMAGE", {"message": "there is no image x"}, 125, "there is no image x"),
            ("NODE_LOST", {}, 125, "failed: node lost"),
        ]:
            with self.subTest(reason=reason):
                self.script_run(task("TASK_STATE_FAILED", attempt=1,
                                     failure_reason="FAILURE_REASON_" + reason, **extra))
                result, _, err = self.run_cli("task", "run", "busybox")
                self.assertEqual(result, expected, err)
                self.assertEqual(err, f"jarvis: t-1 {words}\n" if words else "")

    def test_both_streams_arrive_where_they_belong(self):
        self.script_run(task("TASK_STATE_SUCCEEDED", attempt=1), logs=[
            chunk(0, b"out\xff\x00"), chunk(5, b"err", stream="LOG_STREAM_STDERR")])
        process = self.start("task", "run", "busybox")
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out, err), (0, b"out\xff\x00", b"err"))

    def test_a_log_goes_on_where_the_connection_was_lost(self):
        def logs_of(request, context):
            if int(request.get("offset", 0)) == 0:
                yield chunk(0, b"abc")
                raise Abort("UNAVAILABLE", "the server stops")
            self.assertEqual(int(request["offset"]), 3)
            yield chunk(3, b"def")
        self.script_run(task("TASK_STATE_SUCCEEDED", attempt=1))
        self.fake.on["GetTaskLogs"] = logs_of
        result, out, err = self.run_cli("task", "run", "busybox")
        self.assertEqual((result, out), (0, "abcdef"), err)
        self.assertIn("the connection is lost, trying again", err)
        result, out, err = self.run_cli("task", "logs", "--tail", "9", "t-1", "--follow")
        self.assertEqual((result, out), (0, "abcdef"), err)
        last = self.fake.requests_of("GetTaskLogs")[-1]
        self.assertEqual((last["attempt"], last.get("tail_lines", 0)), (1, 0))

    def test_each_attempt_is_shown(self):
        def changes(request, context):
            yield {"task": task("TASK_STATE_RUNNING", attempt=1), "revision": 6}
            yield {"task": task("TASK_STATE_QUEUED", attempt=1, message="exit code 1"),
                   "revision": 7}
            yield {"task": task("TASK_STATE_SUCCEEDED", attempt=2), "revision": 8}
        self.script_run(task())
        self.fake.on["WatchTasks"] = changes
        self.fake.on["GetTaskLogs"] = lambda request, context: iter(
            [chunk(0, f"attempt {request['attempt']}\n".encode(), attempt=request["attempt"])])
        result, out, err = self.run_cli("task", "run", "busybox")
        self.assertEqual((result, out), (0, "attempt 1\nattempt 2\n"), err)
        self.assertIn("jarvis: t-1 is tried again: exit code 1", err)

    def test_a_task_that_waits_says_why(self):
        pending = task(pending={"summary": "waits for cpu: 3 of 3 nodes are full"})
        self.script_run(task())

        def changes(request, context):
            time.sleep(3)
            yield {"task": task("TASK_STATE_SUCCEEDED", attempt=1), "revision": 8}
        self.fake.on["WatchTasks"] = changes
        self.fake.on["GetTask"] = lambda request, context: {"task": pending, "revision": 5}
        result, _, err = self.run_cli("task", "run", "busybox")
        self.assertEqual(result, 0)
        self.assertEqual(err, "jarvis: t-1 waits: waits for cpu: 3 of 3 nodes are full\n")

    def interruptible(self):
        """A task that runs until it is cancelled."""
        cancelled = []

        def cancel(request, context):
            cancelled.append(request)
            return {"task": task("TASK_STATE_STOPPING", attempt=1)}

        def changes(request, context):
            yield {"task": task("TASK_STATE_RUNNING", attempt=1), "revision": 6}
            while not cancelled and context.is_active():
                time.sleep(0.02)
            if not self.stubborn:
                yield {"task": task("TASK_STATE_CANCELLED", attempt=1), "revision": 7}
            while self.stubborn and context.is_active():
                time.sleep(0.02)
        self.script_run(task())
        self.fake.on["WatchTasks"] = changes
        self.fake.on["CancelTask"] = cancel
        process = self.start("task", "run", "busybox")
        self.wait_for(lambda: self.fake.requests_of("GetTaskLogs"))
        process.send_signal(signal.SIGINT)
        self.wait_for(lambda: cancelled)
        return process

    def test_an_interruption_cancels_the_task(self):
        self.stubborn = False
        process = self.interruptible()
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertIn(b"jarvis: cancelling t-1; interrupt again", err)
        self.assertEqual(len(self.fake.requests_of("CancelTask")), 1)

    def test_a_refused_cancellation_does_not_drive_the_terminal(self):
        def refuse(request, context):
            cancelled.append(request)
            raise Abort("PERMISSION_DENIED", "\x1b[2J\x9bno")

        def changes(request, context):
            yield {"task": task("TASK_STATE_RUNNING", attempt=1), "revision": 6}
            while not cancelled and context.is_active():
                time.sleep(0.02)
            time.sleep(0.5)
            yield {"task": task("TASK_STATE_SUCCEEDED", attempt=1), "revision": 7}
        cancelled = []
        self.script_run(task())
        self.fake.on["WatchTasks"] = changes
        self.fake.on["CancelTask"] = refuse
        process = self.start("task", "run", "busybox")
        self.wait_for(lambda: self.fake.requests_of("GetTaskLogs"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        self.assertIn("could not be cancelled: PERMISSION_DENIED: ?[2J?no", err.decode())

    def test_a_second_interruption_leaves(self):
        self.stubborn = True
        process = self.interruptible()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertIn(b"jarvis: left; the server goes on with the task", err)

    def test_what_is_refused_was_not_run(self):
        def refuse(request, context):
            raise Abort("FAILED_PRECONDITION", "no node could ever run this task")
        self.fake.on["SubmitTask"] = refuse
        result, _, err = self.run_cli("task", "run", "busybox")
        self.assertEqual(result, 125)
        self.assertIn("FAILED_PRECONDITION: no node could ever run this task", err)


    def test_waiting_prints_nothing_and_detaching_leaves(self):
        self.script_run(task("TASK_STATE_FAILED", attempt=1, exit_code=42,
                             failure_reason="FAILURE_REASON_EXIT_CODE"), logs=[chunk(0, b"out")])
        self.assertEqual(self.run_cli("task", "run", "--wait", "busybox"), (42, "", ""))
        self.assertEqual(self.fake.requests_of("GetTaskLogs"), [])
        self.assertEqual(self.run_cli("task", "run", "--wait", "--follow", "busybox"),
                         (42, "out", ""))
        self.fake.requests.clear()
        self.assertEqual(self.run_cli("task", "run", "-d", "busybox"), (0, "t-1\n", ""))
        self.assertEqual(self.fake.requests_of("WatchTasks"), [])
        self.assertEqual(self.run_cli("task", "run", "-d", "--wait", "busybox")[0], 2)


class Servers(CliCase):
    def test_what_it_says_of_itself(self):
        self.fake.on.update({
            "GetReadiness": lambda request, context: {"ready": True},
            "GetLiveness": lambda request, context: {"alive": True},
            "GetStats": lambda request, context: {"tasks_running": 7},
            "GetServerInfo": lambda request, context: {"version": "9.9", "storage": "memory"},
            "GetMetrics": lambda request, context: {"content_type": "text/plain", "data":
                base64.b64encode(b"# HELP a_b A.\na_b 1\n# HELP c C.\nc 2\n").decode()},
        })
        for words, text in [("ready", "ready\n"), ("alive", "alive\n"), ("stats", "7 running"),
                            ("info", "version 9.9"), ("metrics", "a_b 1\n# HELP c C.\nc 2\n")]:
            result, out, err = self.run_cli("server", words)
            self.assertEqual(result, 0, err)
            self.assertIn(text, out)
        self.assertEqual(self.run_cli("server", "metrics", "a_")[1], "# HELP a_b A.\na_b 1\n")
        self.assertEqual(json.loads(self.run_cli("server", "stats", "-o", "json")[1])
                         ["tasksRunning"], "7")

    def test_health_and_readiness_are_exit_codes(self):
        self.fake.on["GetHealth"] = lambda request, context: {
            "status": "HEALTH_STATUS_UNHEALTHY", "checks": [
                {"name": "storage", "status": "HEALTH_STATUS_UNHEALTHY", "message": "is full"}]}
        result, out, _ = self.run_cli("server", "health")
        self.assertEqual(result, 1)
        self.assertIn("storage: unhealthy, is full", out)

        def refuse(request, context):
            raise Abort("UNAVAILABLE", "the server drains")
        self.fake.on["GetReadiness"] = refuse
        self.assertEqual(self.run_cli("server", "ready")[0], 4)


class Calls(CliCase):
    def test_any_call_can_be_made_as_it_is(self):
        self.fake.on["GetTask"] = lambda request, context: {"task": task(id=request["id"])}
        self.fake.on["WatchTasks"] = lambda request, context: iter(
            [{"task": task(), "revision": 1}, {"task": task(), "revision": 2}])
        result, out, err = self.run_cli("call", "Scheduler/GetTask", '{"id": "t-7"}')
        self.assertEqual((result, json.loads(out)["task"]["id"]), (0, "t-7"), err)
        out = self.run_cli("call", "WatchTasks")[1]
        self.assertEqual([json.loads(line)["revision"] for line in out.splitlines()], ["1", "2"])

    def test_mistakes_are_named(self):
        for words, text in [(["GetTsk"], "did you mean"), (["Worker/Session"], "is for workers"),
                            (["GetTask", '{"ident": "t"}'], "ident"), (["GetTask", "{"], "line 1")]:
            result, _, err = self.run_cli("call", *words)
            self.assertEqual(result, 2, err)
            self.assertIn(text, err)


class Nodes(CliCase):
    def test_a_watch_tells_each_change_and_resumes(self):
        def changes(request, context):
            if int(request.get("from_revision", 0)) == 0:
                yield {"node": {"id": "n-1", "state": "NODE_STATE_READY"}, "revision": 3}
                raise Abort("UNAVAILABLE", "the server stops")
            self.assertEqual(request["from_revision"], "3")
            yield {"node": {"id": "n-1"}, "revision": 4, "removed": True}
        self.fake.on["WatchNodes"] = changes
        result, out, err = self.run_cli("node", "watch")
        self.assertEqual(result, 0, err)
        self.assertEqual([line.split()[1:] for line in out.splitlines()],
                         [["ready", "n-1"], ["forgotten", "n-1"]])
        result, out, err = self.run_cli("node", "watch", "n-1", "-o", "json", "--from-revision=3")
        self.assertEqual(json.loads(out)["revision"], "4")
        self.assertEqual(self.fake.requests_of("WatchNodes")[-1]["id"], "n-1")


class Watching(CliCase):
    def test_a_watch_resumes_from_its_last_revision(self):
        def changes(request, context):
            at = int(request.get("from_revision", 0))
            if at == 0:
                yield {"task": task("TASK_STATE_RUNNING"), "revision": 11}
                raise Abort("UNAVAILABLE", "the server stops")
            yield {"task": task("TASK_STATE_SUCCEEDED"), "revision": at + 1}
        self.fake.on["WatchTasks"] = changes
        result, out, err = self.run_cli("task", "watch", "-o", "json")
        self.assertEqual(result, 0, err)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([line["revision"] for line in lines], ["11", "12"])

    def test_one_task_ends_with_its_end(self):
        self.fake.on["GetTask"] = lambda request, context: {
            "task": task("TASK_STATE_RUNNING"), "revision": 4}

        def changes(request, context):
            self.assertEqual(request["from_revision"], "4")
            yield {"task": task("TASK_STATE_SUCCEEDED"), "revision": 5}
            while context.is_active():
                time.sleep(0.02)
        self.fake.on["WatchTasks"] = changes
        result, out, err = self.run_cli("task", "watch", "t-1")
        self.assertEqual(result, 0, err)
        self.assertEqual([line.split()[2] for line in out.splitlines()], ["running", "succeeded"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
