#!/usr/bin/python3
"""Start, stop and crash of the server as an operator sees them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.getcwd())

import grpc  # noqa: E402

from testing.process.harness import case, places  # noqa: E402
from testing.process.harness.programs import Server  # noqa: E402

EX_USAGE, EX_TEMPFAIL, EX_CONFIG = 64, 75, 78


def run(path, *arguments, env=None):
    """Exit code and both outputs of a program that is to end by itself."""
    done = subprocess.run([places.find(path), *arguments], capture_output=True, text=True,
                          timeout=30, check=False, env={"PATH": os.environ["PATH"], **(env or {})})
    return done.returncode, done.stdout + done.stderr


class Configuration(case.MachineCase):
    def file(self, text):
        path = self.machine.path("jarvis.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def check(self, text, *said):
        path = self.file(text)
        code, output = run("server/jarvisd", "--config", path)
        self.assertEqual(code, EX_CONFIG, output)
        for words in said:
            self.assertIn(words, output)

    def test_an_unknown_key_says_where_and_what_was_meant(self):
        self.check("grpc:\n  listne: 127.0.0.1:0\n", "jarvis.yaml:2:3", "grpc.listen")
        self.check("storrage:\n  path: /x\n", "jarvis.yaml:2:3", "storage.path")

    def test_a_wrong_type_or_range_says_where(self):
        self.check("grpc:\n  edges: many\n", "jarvis.yaml:2:10", "grpc.edges")
        self.check("grpc:\n  edges: 65\n", "jarvis.yaml:2:10", "64")
        self.check("scheduler:\n  lease: 30\n", "jarvis.yaml:2:10", "scheduler.lease")
        self.check("grpc:\n  message_max: 4MB\n", "jarvis.yaml:2:16", "message_max")
        self.check("log:\n  level: loud\n", "jarvis.yaml:2:10", "log.level")
        self.check("grpc: [1, 2]\n", "jarvis.yaml:1:7")
        self.check("worker:\n  enabled: maybe\n", "jarvis.yaml:2:12")

    def test_what_is_no_yaml_says_where(self):
        self.check("grpc:\n\tlisten: x\n", "jarvis.yaml:2:1")
        self.check("grpc: {\n", "jarvis.yaml:")
        self.check("grpc:\n  edges: 1\n  edges: 2\n", "jarvis.yaml:3:3")

    def test_a_rule_between_keys(self):
        self.check("scheduler:\n  lease: 3s\n  heartbeat: 2s\n", "scheduler.heartbeat",
                   "a third of")

    def test_a_file_that_is_not_there(self):
        code, output = run("server/jarvisd", "--config", "/nowhere/jarvis.yaml")
        self.assertEqual(code, EX_CONFIG, output)
        self.assertIn("/nowhere/jarvis.yaml", output)

    def test_flags_and_environment_are_named(self):
        code, output = run("server/jarvisd", "--grpc.edges=0")
        self.assertEqual((code, "grpc.edges" in output), (EX_CONFIG, True), output)
        code, output = run("server/jarvisd", "--check", env={"JARVIS_GRPC_EDGES": "x"})
        self.assertEqual((code, "JARVIS_GRPC_EDGES" in output), (EX_CONFIG, True), output)
        code, output = run("server/jarvisd", "--grcp.edges=1")
        self.assertEqual((code, "grpc.edges" in output), (EX_USAGE, True), output)
        code, output = run("server/jarvisd", "nonsense")
        self.assertEqual((code, "nonsense" in output), (EX_USAGE, True), output)

    def test_flags_win_over_environment_over_file(self):
        path = self.file("grpc:\n  edges: 0\n")
        self.assertEqual(run("server/jarvisd", "--check", "--config", path)[0], EX_CONFIG)
        self.assertEqual(run("server/jarvisd", "--check", "--config", self.file(
            "grpc:\n  edges: 1\n"), env={"JARVIS_GRPC_EDGES": "2"}, )[0], 0)

    def test_the_description_is_a_good_configuration(self):
        for program in ("server/jarvisd", "worker/jarvis-worker"):
            with self.subTest(program=program):
                code, text = run(program, "--describe")
                self.assertEqual(code, 0)
                code, output = run(program, "--check", "--config", self.file(text))
                self.assertEqual(code, 0, output)

    def test_help_and_version(self):
        for program in ("server/jarvisd", "worker/jarvis-worker"):
            with self.subTest(program=program):
                code, text = run(program, "--help")
                self.assertEqual((code, "Usage:" in text), (0, True))
                self.assertRegex(run(program, "--version")[1], r"^jarvis\S* \d+\.\d+")


class Collisions(case.ServerCase):
    def test_a_second_server_on_the_same_data_is_refused(self):
        second = Server(self.machine, "second", storage__path=self.server.flags["storage.path"])
        code, said = second.run_to_end()
        self.assertEqual(code, EX_TEMPFAIL, said)
        self.assertIn(self.server.flags["storage.path"], said)
        self.assertRegex(said, "in use|another|running")
        self.server.submit(image="x")

    def test_ports_in_use(self):
        for key, port in (("grpc.listen", self.server.grpc_port),
                          ("rest.listen", self.server.rest_port)):
            with self.subTest(key=key):
                other = Server(self.machine, "third")
                other.flags[key] = f"127.0.0.1:{port}"
                code, said = other.run_to_end()
                self.assertEqual(code, EX_TEMPFAIL, said)
                self.assertIn(f"127.0.0.1:{port}", said)
                self.assertRegex(said, "in use")
                self.server.submit(image="x")

    def test_addresses_that_are_none(self):
        for address in ("203.0.113.7:0", "nonsense", "127.0.0.1:99999", "127.0.0.1"):
            with self.subTest(address=address):
                other = Server(self.machine, "fourth", grpc__listen=address)
                code, said = other.run_to_end()
                self.assertIn(code, (EX_TEMPFAIL, EX_CONFIG), said)
                self.assertIn(address, said)

    def test_a_data_directory_that_is_a_file(self):
        path = self.machine.path("file")
        with open(path, "w", encoding="utf-8") as file:
            file.write("precious")
        code, said = Server(self.machine, "fifth", storage__path=path).run_to_end()
        self.assertEqual(code, EX_TEMPFAIL, said)
        self.assertIn(path, said)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")


class Stop(case.ServerCase):
    flags = {"stop__grace": "1s"}

    def test_term_with_calls_in_flight(self):
        task = self.server.submit(image="x")
        waiting = self.server.grpc.begin("WaitTask", {"id": task})
        watching = self.server.grpc.begin("WatchTasks", {})
        following = self.server.grpc.begin("GetTaskLogs", {"id": task, "follow": True})
        raw = socket.create_connection(("127.0.0.1", self.server.rest_port))
        raw.sendall(b"GET /v1/tasks:watch HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - began, 8)
        for call in (waiting, watching, following):
            self.assertEqual(call.code(), grpc.StatusCode.UNAVAILABLE, call.details())
        raw.settimeout(10)
        received = b""
        while piece := raw.recv(65536):
            received += piece
        raw.close()
        self.assertIn(b'"code":14', received.replace(b" ", b""))
        self.server.start()
        self.assertEqual(self.server.task(task)["status"]["state"], "TASK_STATE_QUEUED")

    def test_term_under_load_loses_nothing_that_was_acknowledged(self):
        ledger = Ledger(self.server, threads=4)
        time.sleep(0.5)
        self.assertEqual(self.server.stop(), 0)
        ledger.end()
        self.server.start()
        ledger.check(self)

    def test_kill_under_load_loses_nothing_that_was_acknowledged(self):
        for _ in range(3):
            ledger = Ledger(self.server, threads=4)
            time.sleep(0.4)
            self.assertEqual(self.server.kill(), -signal.SIGKILL)
            ledger.end()
            self.server.start()
            ledger.check(self)

    def test_request_ids_are_remembered_over_a_crash(self):
        task = self.server.submit(image="x", request_id="remembered")
        self.server.kill()
        self.server.start()
        answer = self.server.grpc.call("SubmitTask", {"spec": {
            "image": "x", "request_id": "remembered"}})
        self.assertEqual((answer["task"]["id"], answer["duplicate"]), (task, True))

    def test_a_watch_goes_on_over_a_restart(self):
        start = int(self.server.grpc.call("GetStats")["revision"])
        before = self.server.submit(image="x")
        self.server.kill()
        self.server.start()
        after = self.server.submit(image="x")
        call = self.server.grpc.begin("WatchTasks", {"from_revision": start})
        self.assertEqual([next(call).task.id for _ in range(2)], [before, after])
        call.cancel()

    def test_ids_and_the_cluster_stay_over_restarts(self):
        first = self.server.submit(image="x")
        cluster = self.server.grpc.call("GetServerInfo")["cluster_id"]
        self.server.kill()
        self.server.start()
        second = self.server.submit(image="x")
        self.assertGreater(int(second[2:]), int(first[2:]))
        self.assertEqual(self.server.grpc.call("GetServerInfo")["cluster_id"], cluster)

    def test_interrupt_is_as_term(self):
        self.server.signal(signal.SIGINT)
        self.assertEqual(self.server.wait(), 0)
        self.server.start()

    def test_a_second_term_does_no_harm(self):
        self.server.signal(signal.SIGTERM)
        self.server.signal(signal.SIGTERM)
        self.assertIn(self.server.wait(), (0, -signal.SIGTERM))
        self.server.start()


class Ledger:
    """Clients that submit until the server is gone, and remember what they were told."""

    def __init__(self, server, threads):
        self.server = server
        self.told = {}  # request_id: task id
        self.gone = threading.Event()
        self.name = f"{time.monotonic_ns()}"
        stub = server.grpc.stub("SubmitTask")
        self.threads = [threading.Thread(target=self.submit, args=(i, stub))
                        for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def submit(self, thread, stub):
        count = 0
        while not self.gone.is_set():
            count += 1
            request_id = f"{self.name}-{thread}-{count}"
            request = self.server.grpc.schema.request("SubmitTask", {"spec": {
                "image": "x", "request_id": request_id}}) if self.server.grpc else None
            if request is None:
                return
            try:
                self.told[request_id] = stub(request, timeout=5).task.id
            except (grpc.RpcError, ValueError):
                return

    def end(self):
        self.gone.set()
        for thread in self.threads:
            thread.join()

    def check(self, test):
        test.assertGreater(len(self.told), 0, "nothing was submitted")
        test.assertEqual(len(set(self.told.values())), len(self.told), "one id for two tasks")
        for request_id, task in self.told.items():
            spec = test.server.task(task)["spec"]
            test.assertEqual(spec["request_id"], request_id)


if __name__ == "__main__":
    case.main()
