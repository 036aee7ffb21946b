#!/usr/bin/python3
"""What people see: colours, widths, lists that are redrawn, progress, Ctrl-C; in a real pty."""

import os
import signal
import sys
import tempfile
import termios
import threading
import time
import unittest

sys.path.insert(0, os.getcwd())

from testing.edge.cli.case import CliCase, chunk, task  # noqa: E402
from testing.edge.cli.fake import Abort  # noqa: E402
from testing.edge.cli.terminal import Terminal  # noqa: E402
from testing.process.harness import places  # noqa: E402

LONG = "a name of many words that fits no terminal, 日本語 included"


class TerminalCase(CliCase):
    def open(self, *words, columns=80, rows=24, **environment):
        terminal = Terminal([places.find("cli/jarvis"), *words], columns=columns, rows=rows,
                            environment=dict(environment, JARVIS_SERVER=self.fake.address))
        self.addCleanup(terminal.close)
        return terminal


class Widths(TerminalCase):
    def setUp(self):
        super().setUp()
        time_of = {"submit_time": "2024-05-01T10:00:00Z", "start_time": "2024-05-01T10:00:01Z"}
        full = task("TASK_STATE_RUNNING", id="t-123456", name=LONG, node="n" * 40,
                    message="m" * 200, **time_of)
        full["spec"].update({"image": "docker://registry/" + "x" * 90, "command": ["sh", LONG]})
        def changes(request, context):
            yield {"task": dict(full, status=dict(full["status"], state="TASK_STATE_FAILED")),
                   "revision": 9}
        self.fake.on["WatchTasks"] = changes
        node = {"id": "n" * 40, "state": "NODE_STATE_READY",
                "inventory": {"labels": {"zone": "z" * 50}, "runtime": LONG}}
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": [full] * 3}
        self.fake.on["GetTask"] = lambda request, context: {"task": full}
        self.fake.on["ListNodes"] = lambda request, context: {"nodes": [node]}
        self.fake.on["GetNode"] = lambda request, context: {"node": node}
        self.fake.on["GetStats"] = lambda request, context: {"tasks_queued": 10**12}
        self.fake.on["GetServerInfo"] = lambda request, context: {"hostname": "h" * 60}
        self.fake.on["GetHealth"] = lambda request, context: {
            "status": "HEALTH_STATUS_HEALTHY", "checks": [{"name": "core", "message": LONG}]}

    def test_no_line_is_wider_than_the_terminal(self):
        for columns in (24, 40, 80, 132):
            for words in [["task", "list"], ["task", "get", "t-1"], ["node", "list"],
                          ["node", "get", "n"], ["status"], ["task", "watch", "t-1"],
                          ["server", "stats"],
                          ["task", "list", "--columns", "id,message,name"]]:
                with self.subTest(columns=columns, words=words):
                    terminal = self.open(*words, columns=columns)
                    self.assertEqual(terminal.finish(), 0)
                    for line in terminal.lines():
                        self.assertLessEqual(width(line), columns, line)
                    self.assertIn(words[0] == "node" and "nnn" or "", terminal.text())

    def test_wide_tables_are_whole(self):
        terminal = self.open("task", "list", "-o", "wide", columns=40)
        self.assertEqual(terminal.finish(), 0)
        self.assertIn("m" * 200, terminal.text())
        self.assertIn(LONG, terminal.text())

    def test_columns_of_the_environment_outweigh_the_terminal(self):
        terminal = self.open("task", "list", columns=132, COLUMNS="30")
        self.assertEqual(terminal.finish(), 0)
        self.assertTrue(all(width(line) <= 30 for line in terminal.lines()))


def width(text):
    import unicodedata
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Colours(TerminalCase):
    def setUp(self):
        super().setUp()
        self.fake.on["ListTasks"] = lambda request, context: {
            "tasks": [task("TASK_STATE_FAILED")]}

    def shown(self, *words, **environment):
        terminal = self.open("task", "list", *words, **environment)
        self.assertEqual(terminal.finish(), 0)
        return "\x1b[" in terminal.text()

    def test_they_are_for_terminals_that_want_them(self):
        self.assertTrue(self.shown())
        self.assertFalse(self.shown(NO_COLOR="1"))
        self.assertTrue(self.shown("--color=always", NO_COLOR="1"))
        self.assertFalse(self.shown("--color", "never"))
        self.assertFalse(self.shown(TERM="dumb"))
        self.assertTrue(self.shown(NO_COLOR=""))
        self.assertNotIn("\x1b", self.run_cli("task", "list")[1])
        self.assertIn("\x1b[31mfailed\x1b[0m", self.run_cli("task", "list", "--color=always")[1])

    def test_logs_that_are_followed_show_task_and_stream(self):
        self.fake.on["GetTaskLogs"] = lambda request, context: iter(
            [chunk(0, b"hello\n"), chunk(6, b"oops\n", stream="LOG_STREAM_STDERR")])
        terminal = self.open("task", "logs", "-f", "t-1")
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.screen()[:2], ["t-1  out | hello", "t-1  err | oops"])
        self.assertIn("\x1b[36mt-1 \x1b[0m", terminal.text())
        self.assertIn("\x1b[31merr |\x1b[0m", terminal.text())
        self.assertEqual(self.run_cli("task", "logs", "-f", "t-1"), (0, "hello\n", "oops\n"))


class Redrawn(TerminalCase):
    def setUp(self):
        super().setUp()
        self.tasks = [task("TASK_STATE_QUEUED", id="t-1", name="one")]
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": list(self.tasks)}

        def changes(request, context):
            while context.is_active():
                time.sleep(0.1)
                yield {"task": task(), "revision": 1}
        self.fake.on["WatchTasks"] = changes

    def test_the_table_is_kept_up_to_date_and_left_behind(self):
        terminal = self.open("task", "list", "--watch", "--columns", "id,state")
        terminal.until(lambda t: "t-1  queued" in t.screen())
        self.tasks[:] = [task("TASK_STATE_RUNNING", id=f"t-{i}") for i in (2, 1)]
        terminal.until(lambda t: t.screen()[1:4] == ["ID   STATE", "t-2  running", "t-1  running"])
        # Over the old lines, never by clearing the screen first.
        self.assertNotIn("\x1b[2J", terminal.text())
        self.assertTrue(terminal.text().startswith("\x1b[?1049h\x1b[?25l"))
        terminal.type("\x03")
        self.assertEqual(terminal.finish(), 130)
        end = terminal.text().split("\x1b[?25h\x1b[?1049l")[-1]
        self.assertIn("t-2  ", end)

    def test_what_is_longer_than_the_terminal_ends_with_it(self):
        self.tasks[:] = [task("TASK_STATE_RUNNING", id=f"t-{i}") for i in range(50)]
        terminal = self.open("task", "list", "-w", rows=10)
        terminal.until_shown("more below")
        self.assertLessEqual(len(terminal.screen()), 10)
        terminal.type("\x03")
        self.assertEqual(terminal.finish(), 130)


    def test_a_server_that_is_away_is_told_of_and_found_again(self):
        away = threading.Event()

        def tasks(request, context):
            if away.is_set():
                raise Abort("UNAVAILABLE", "the server stops")
            return {"tasks": list(self.tasks)}

        def changes(request, context):
            while context.is_active() and not away.is_set():
                time.sleep(0.05)
            raise Abort("UNAVAILABLE", "the server stops")
            yield
        self.fake.on.update({"ListTasks": tasks, "WatchTasks": changes})
        terminal = self.open("task", "list", "-w")
        terminal.until(lambda t: any("t-1 " in row for row in t.screen()))
        away.set()
        terminal.until(lambda t: "the connection is lost, trying again" in t.screen()[0])
        self.assertTrue(any("t-1 " in row for row in terminal.screen()))
        self.tasks.append(task("TASK_STATE_RUNNING", id="t-77"))
        away.clear()
        terminal.until(lambda t: any("t-77" in row for row in t.screen()))
        terminal.type("\x03")
        self.assertEqual(terminal.finish(), 130)


class Progress(TerminalCase):
    def test_counts_move_on_one_line(self):
        def submit(request, context):
            time.sleep(0.1)
            return {"task": task(id="t-" + request["spec"]["env"]["JARVIS_INDEX"])}
        self.fake.on["SubmitTask"] = submit
        terminal = self.open("task", "submit", "--count", "120", "busybox", rows=200)
        terminal.until_shown("submitted ")
        self.assertEqual(terminal.finish(), 0)
        shown = [line for line in terminal.screen() if "submitted" in line]
        self.assertEqual(len(shown), 1, shown)
        self.assertRegex(shown[0], r"^jarvis: submitted 120 of 120, [0-9.]+/s, in ")
        self.assertRegex(terminal.text(), r"\rsubmitted \d+ of 120")
        self.assertEqual([line for line in terminal.screen() if line.startswith("t-")],
                         [f"t-{i}" for i in range(120)])


    def test_a_starting_task_says_what_it_waits_for(self):
        go = threading.Event()
        self.addCleanup(go.set)

        def changes(request, context):
            for part in (12, 24):
                yield {"task": task("TASK_STATE_STARTING", attempt=1,
                                    progress=f"pulling x: {part} of 40 MiB"), "revision": part}
                time.sleep(0.1)
            go.wait(20)
            yield {"task": task("TASK_STATE_SUCCEEDED", attempt=1), "revision": 99}
        self.script_run(task(), logs=[chunk(0, b"hello\n")])
        self.fake.on["WatchTasks"] = changes
        self.fake.on["GetTaskLogs"] = lambda request, context: (
            go.wait(20) and [chunk(0, b"hello\n")])
        terminal = self.open("task", "run", "busybox")
        terminal.until_shown("t-1 pulling x: 24 of 40 MiB")
        self.assertEqual(terminal.screen()[0], "t-1 pulling x: 24 of 40 MiB")
        go.set()
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual([line for line in terminal.screen() if line], ["hello"])


class Tokens(TerminalCase):
    def test_a_token_that_is_typed_is_not_shown(self):
        with tempfile.TemporaryDirectory() as home:
            terminal = self.open("context", "add", "lab", "-s", "127.0.0.1:1", "--token-stdin",
                                 XDG_CONFIG_HOME=home)
            terminal.until_shown("Token: ")
            terminal.until(lambda t: not termios.tcgetattr(t.master)[3] & termios.ECHO)
            terminal.type("secret-1\n")
            self.assertEqual(terminal.finish(), 0)
            self.assertNotIn("secret-1", terminal.text())
            with open(os.path.join(home, "jarvis/contexts.yaml"), encoding="utf-8") as file:
                self.assertIn('token: "secret-1"', file.read())

    def test_an_interruption_shows_again_what_is_typed(self):
        with tempfile.TemporaryDirectory() as home:
            terminal = self.open("context", "add", "lab", "-s", "127.0.0.1:1", "--token-stdin",
                                 XDG_CONFIG_HOME=home)
            # Held open, or the terminal would be gone with its last program.
            slave = os.open(terminal.name, os.O_RDWR | os.O_NOCTTY)
            self.addCleanup(os.close, slave)
            terminal.until_shown("Token: ")
            terminal.until(lambda t: not termios.tcgetattr(slave)[3] & termios.ECHO)
            terminal.type("\x03")
            self.assertEqual(terminal.process.wait(20), -signal.SIGINT)
            self.assertTrue(termios.tcgetattr(slave)[3] & termios.ECHO)
            self.assertFalse(os.path.exists(os.path.join(home, "jarvis/contexts.yaml")))


class Interruptions(TerminalCase):
    def run_until_cancelled(self, stubborn):
        cancelled = []

        def cancel(request, context):
            cancelled.append(request)
            return {"task": task("TASK_STATE_STOPPING", attempt=1)}

        def changes(request, context):
            yield {"task": task("TASK_STATE_RUNNING", attempt=1), "revision": 6}
            while context.is_active() and (stubborn or not cancelled):
                time.sleep(0.02)
            yield {"task": task("TASK_STATE_CANCELLED", attempt=1), "revision": 7}
        self.script_run(task())
        self.fake.on["WatchTasks"] = changes
        self.fake.on["CancelTask"] = cancel
        terminal = self.open("task", "run", "busybox")
        terminal.until(lambda _: self.fake.requests_of("GetTaskLogs"))
        terminal.type("\x03")
        terminal.until_shown("cancelling t-1; interrupt again to leave it to the server")
        terminal.until(lambda _: cancelled)
        return terminal

    def test_ctrl_c_cancels(self):
        terminal = self.run_until_cancelled(stubborn=False)
        self.assertEqual(terminal.finish(), 130)

    def test_twice_leaves_at_once(self):
        terminal = self.run_until_cancelled(stubborn=True)
        start = time.monotonic()
        terminal.type("\x03")
        self.assertEqual(terminal.finish(), 130)
        self.assertIn("left; the server goes on with the task", terminal.text())
        self.assertLess(time.monotonic() - start, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
