#!/usr/bin/python3
"""Container tasks from submission to result: codes, signals, limits, time-outs, images, mounts."""

import os
import sys
import time

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, images  # noqa: E402
from testing.process.harness.containers import ContainerCase  # noqa: E402


class Results(ContainerCase):
    def test_exit_codes(self):
        # Above 128 the init says the same of a signal: only PID 1 itself can be told apart.
        tasks = {code: self.sh(f"exit {code}", no_init=code > 128)
                 for code in (0, 1, 7, 127, 137, 255)}
        self.ended(tasks.pop(0), "SUCCEEDED", exit_code=0, attempt=1)
        for code, task in tasks.items():
            with self.subTest(code=code):
                self.ended(task, "FAILED", "EXIT_CODE", exit_code=code, signal=0)

    def test_signals(self):
        for name, number in (("SEGV", 11), ("KILL", 9), ("TERM", 15)):
            for no_init in (False, True):
                # PID 1 of a namespace cannot be killed from within it.
                script = f"sh -c 'kill -{name} $$'; exit $?" if no_init else f"kill -{name} $$"
                with self.subTest(signal=name, no_init=no_init):
                    task = self.sh(script, no_init=no_init)
                    if no_init:
                        self.ended(task, "FAILED", "EXIT_CODE", exit_code=128 + number)
                    else:
                        self.ended(task, "FAILED", exit_code=128 + number)

    def test_times_and_use(self):
        status = self.ended(self.sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.2"),
                            "SUCCEEDED")
        order = [status[key] for key in ("submit_time", "assign_time", "start_time", "finish_time")]
        self.assertEqual(order, sorted(order))
        self.assertGreater(int(status["usage"]["cpu_micros"]), 10000)
        self.assertGreater(int(status["usage"]["memory_peak_bytes"]), 100000)

    def test_the_process_gets_what_the_spec_says(self):
        text = self.output(self.submit(
            command=["sh", "-c", "pwd; id -u; id -g; echo $GREETING; echo \"$0 $1\"; echo $$"],
            args=["a b", "c"], env={"GREETING": "hä llo"}, working_directory="/work",
            user="1000:2000"))
        self.assertEqual(text.split("\n")[:5], ["/work", "1000", "2000", "hä llo", "a b c"])

    def test_it_is_contained(self):
        text = self.output(self.sh(
            "ps | wc -l; hostname; ls /sys/class/net; grep -c . /proc/mounts >/dev/null;"
            "grep NoNewPrivs /proc/self/status; grep Seccomp: /proc/self/status;"
            "mount -t tmpfs none /tmp 2>&1; mknod /tmp/x b 7 0 2>&1; cat /proc/kcore 2>&1 | wc -c;"
            "df /dev/shm | tail -1; dmesg 2>&1 | head -1; true"))
        lines = text.splitlines()
        self.assertLess(int(lines[0]), 10, text)
        self.assertNotEqual(lines[1], os.uname().nodename, text)
        self.assertEqual(lines[2], "lo", text)
        self.assertIn("NoNewPrivs:\t1", text)
        self.assertIn("Seccomp:\t2", text)
        self.assertIn("mount:", text)
        self.assertRegex(text, "mknod: .*(not permitted|denied)")

    def test_the_image_is_not_written(self):
        self.ended(self.sh("echo x > /bin/new; rm /bin/ls; echo y > /etc/passwd"), "SUCCEEDED")
        self.assertFalse(os.path.exists(self.rootfs + "/bin/new"))
        self.assertTrue(os.path.lexists(self.rootfs + "/bin/ls"))
        self.assertEqual(self.output(self.sh("ls /bin/new 2>/dev/null | wc -l")).strip(), "0")
        self.assertIn("ead-only", self.output(self.sh(
            "echo x > /root/x; true", read_only_rootfs=True)))

    def test_orphans_end_with_the_task(self):
        self.ended(self.sh("sleep 1000 & sleep 1000 & sh -c 'sleep 1000 &'; exit 0"), "SUCCEEDED")


class Limits(ContainerCase):
    def test_a_memory_hog_is_reported_as_such(self):
        hog = self.sh("x=x; while :; do x=$x$x; done")
        child = self.sh("sh -c 'x=x; while :; do x=$x$x; done'; echo survived; exit 3")
        status = self.ended(hog, "FAILED", "OUT_OF_MEMORY")
        self.assertGreater(int(status["usage"]["oom_kills"]), 0)
        self.assertRegex(status["message"], "memory")
        status = self.ended(child, "FAILED")
        self.assertGreater(int(status["usage"]["oom_kills"]), 0)

    def test_a_fork_bomb_is_contained(self):
        before = os.getloadavg()
        task = self.sh("f() { f | f & }; f; sleep 1; f; exit 5", timeouts={
            "running": "5s", "grace": "0.5s"}, resources={"pids": 30})
        other = self.sh("echo alive")
        self.assertEqual(self.output(other), "alive\n")
        self.assertEqual(self.status(task)["state"], "TASK_STATE_FAILED", before)

    def test_a_cpu_hog_is_throttled(self):
        task = self.sh("while :; do :; done", resources={"cpu_millis": 100},
                       timeouts={"running": "1.5s", "grace": "0.1s"})
        status = self.ended(task, "FAILED", "RUNNING_TIMEOUT")
        self.assertGreater(int(status["usage"]["throttled_periods"]), 3)
        self.assertLess(int(status["usage"]["cpu_micros"]), 900000)

    def test_limits_are_those_of_the_kernel(self):
        task = self.sh("cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max;"
                       "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; true",
                       resources={"memory_bytes": 48 << 20, "pids": 33})
        text = self.output(task)
        self.assertIn(f"\n{48 << 20}\n", "\n" + text)
        self.assertIn("\n33\n", "\n" + text)


class TimeOuts(ContainerCase):
    def test_running(self):
        began = time.monotonic()
        obeys = self.sh("trap 'echo bye; exit 0' TERM; sleep 100 & wait",
                        timeouts={"running": "0.5s", "grace": "30s"})
        defies = self.sh("trap '' TERM; while :; do sleep 1; done",
                         timeouts={"running": "0.5s", "grace": "1s"})
        self.ended(obeys, "FAILED", "RUNNING_TIMEOUT")
        self.assertEqual(self.server.log_of(obeys), b"bye\n")
        self.ended(defies, "FAILED", "RUNNING_TIMEOUT", signal=9)
        self.assertLess(time.monotonic() - began, 15)

    def test_no_output(self):
        quiet = self.sh("echo once; sleep 100", timeouts={"no_output": "0.7s", "grace": "1s"})
        talks = self.sh("for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done",
                        timeouts={"no_output": "1.2s"})
        self.ended(quiet, "FAILED", "NO_OUTPUT_TIMEOUT")
        self.ended(talks, "SUCCEEDED")

    def test_queued(self):
        full = self.sh("sleep 100", resources={"cpu_millis": 7800})
        waits = self.sh("true", timeouts={"queued": "0.5s"}, resources={"cpu_millis": 4000})
        status = self.ended(waits, "FAILED", "QUEUED_TIMEOUT", attempt=0)
        self.assertNotIn("start_time", status)
        self.server.grpc.call("CancelTask", {"id": full})
        self.ended(full, "CANCELLED")

    def test_a_time_out_is_tried_again_if_the_policy_says(self):
        task = self.sh("sleep 100", timeouts={"running": "0.3s", "grace": "0.1s"}, retry={
            "max_attempts": 2, "backoff_initial": "0.1s"})
        self.ended(task, "FAILED", "RUNNING_TIMEOUT", attempt=2, failed_attempts=2)


class Retries(ContainerCase):
    def test_until_it_works(self):
        counter = self.shared + "/count"
        task = self.sh("echo x >> /shared/count; test $(wc -l < /shared/count) -ge 3",
                       mounts=[{"source": self.shared, "target": "/shared", "writable": True}],
                       retry={"max_attempts": 5, "backoff_initial": "0.1s"})
        self.ended(task, "SUCCEEDED", attempt=3, failed_attempts=2)
        with open(counter, encoding="ascii") as file:
            self.assertEqual(file.read(), "x\n" * 3)

    def test_each_attempt_has_its_own_log(self):
        task = self.sh("echo mark-$$-$RANDOM; date +%N; exit 1",
                       retry={"max_attempts": 2, "backoff_initial": "0.1s"})
        self.ended(task, "FAILED", attempt=2)
        first = self.server.log_of(task, attempt=1)
        second = self.server.log_of(task, attempt=2)
        self.assertNotEqual(first, second)
        self.assertEqual(self.server.log_of(task), second)

    def test_what_would_be_the_same_again_is_not_tried(self):
        task = self.submit(command=["/no/such"], retry={"max_attempts": 3})
        self.ended(task, "FAILED", "COMMAND", attempt=1)

    def test_cancel_during_the_back_off(self):
        task = self.sh("exit 1", retry={"max_attempts": 2, "backoff_initial": "60s"})
        self.server.until(task, "QUEUED")
        status = self.wait_for_retry(task)
        self.assertIn("not_before", status)
        self.server.grpc.call("CancelTask", {"id": task})
        self.ended(task, "CANCELLED", attempt=1)

    def wait_for_retry(self, task):
        from testing.process.harness.programs import eventually
        return eventually(lambda: self.server.task(task)["status"],
                          lambda s: s.get("failed_attempts") and s["state"] == "TASK_STATE_QUEUED")


class Cancels(ContainerCase):
    def test_while_running(self):
        polite = self.sh("trap 'echo cleaned up; exit 0' TERM; echo up; sleep 100 & wait")
        deaf = self.sh("trap '' TERM; echo up; while :; do sleep 1; done",
                       timeouts={"grace": "0.5s"})
        for task in (polite, deaf):
            self.server.until(task, "RUNNING")
            self.wait_for_output(task)
        for task in (polite, deaf):
            answer = self.server.grpc.call("CancelTask", {"id": task, "reason": "test"})
            self.assertEqual(answer["task"]["status"]["state"], "TASK_STATE_STOPPING")
            self.server.grpc.call("CancelTask", {"id": task})
        self.ended(polite, "CANCELLED", cancel_reason="test")
        self.ended(deaf, "CANCELLED")
        self.assertEqual(self.server.log_of(polite), b"up\ncleaned up\n")

    def wait_for_output(self, task):
        from testing.process.harness.programs import eventually
        eventually(lambda: self.server.log_of(task), bool)

    def test_at_every_moment_of_the_start(self):
        tasks = []
        for i in range(12):
            task = self.sh("sleep 100", timeouts={"grace": "0.1s"})
            time.sleep(0.02 * i)
            self.server.grpc.call("CancelTask", {"id": task})
            tasks.append(task)
        for task in tasks:
            self.ended(task, "CANCELLED")


class BadTasks(ContainerCase):
    def test_commands(self):
        for command, options in ((["/no/such"], {}), (["no-such"], {}), (["/etc/passwd"], {}),
                                 (["/tmp"], {}), (["sh", "-c", "true"],
                                                  {"working_directory": "/etc/passwd"})):
            with self.subTest(command=command):
                status = self.ended(self.submit(command=command, **options), "FAILED", "COMMAND")
                self.assertRegex(status["message"], command[0] if not options else "passwd")

    def test_images(self):
        images_ = self.machine.path("images")
        os.makedirs(images_ + "/bad-layout", exist_ok=True)
        with open(images_ + "/broken.tar", "wb") as file:
            file.write(b"this is no tar" * 100)
        for image, reason, said in (
            ("unknown-name", "IMAGE", "unknown-name"),
            (images_ + "/nowhere", "IMAGE", "nowhere"),
            (images_ + "/broken.tar", "IMAGE", "broken.tar"),
            (images_ + "/nowhere.tar", "IMAGE", "nowhere.tar"),
            (f"oci:{images_}/nowhere", "IMAGE", "nowhere"),
            (f"oci:{images_}/bad-layout:latest", "IMAGE", "bad-layout"),
            ("/usr", "REJECTED", "/usr"),
            (images_ + "/../shared", "IMAGE", "shared"),
        ):
            with self.subTest(image=image):
                status = self.ended(self.submit(image=image, command=["true"]), "FAILED")
                self.assertEqual(status["failure_reason"], "FAILURE_REASON_" + reason, status)
                self.assertIn(said, status["message"])

    def test_mounts_that_are_not_allowed(self):
        os.symlink("/etc", self.shared + "/way-out")
        for source, writable in (("/etc", False), (self.readable, True),
                                 (self.machine.path(), False), (self.shared + "/nowhere", False),
                                 (self.shared + "/way-out", False), (self.shared + "-not", False)):
            with self.subTest(source=source, writable=writable):
                status = self.ended(self.sh("true", mounts=[
                    {"source": source, "target": "/mnt", "writable": writable}]), "FAILED",
                    "REJECTED")
                self.assertIn(source, status["message"])

    def test_the_network_of_the_host_is_not_allowed(self):
        status = self.ended(self.sh("true", network="NETWORK_MODE_HOST"), "FAILED", "REJECTED")
        self.assertIn("network", status["message"])

    def test_an_executor_that_nobody_has(self):
        refused = self.refuses("FAILED_PRECONDITION", None, self.server.rest.call, "SubmitTask", {
            "spec": {"image": "busybox", "executor": "quantum"}})
        self.assertIn("quantum", refused.message)


class MountsAndImages(ContainerCase):
    def test_mounts(self):
        with open(self.readable + "/in", "w", encoding="ascii") as file:
            file.write("from the host\n")
        text = self.output(self.sh(
            "cat /in/in; echo from the task > /out/out; echo x > /in/new; echo y > /deep/z; ls /in",
            mounts=[{"source": self.readable, "target": "/in"},
                    {"source": self.shared, "target": "/out", "writable": True},
                    {"source": self.shared + "/deep", "target": "/deep"}]))
        self.assertIn("from the host\n", text)
        self.assertEqual(text.count("ead-only"), 2, text)
        with open(self.shared + "/out", encoding="ascii") as file:
            self.assertEqual(file.read(), "from the task\n")
        self.assertFalse(os.path.exists(self.readable + "/new"))

    def test_a_tar_and_a_layout(self):
        top = self.machine.path("images")
        images.make_tar(top + "/busybox.tar", self.rootfs)
        images.make_layout(top + "/layout", self.rootfs, {
            "Env": ["FROM=image"], "Cmd": ["sh", "-c", "echo default $FROM; pwd; id -u"],
            "WorkingDir": "/work", "User": "1234"})
        tasks = [self.submit(image=top + "/busybox.tar", command=["echo", "tar"])
                 for _ in range(3)]
        tasks += [self.submit(image=f"oci:{top}/layout", timeouts={"starting": "60s"})
                  for _ in range(3)]
        tasks += [self.submit(image=f"oci:{top}/layout:latest", command=["sh", "-c", "echo $FROM"])]
        texts = [self.output(task) for task in tasks]
        self.assertEqual(texts, ["tar\n"] * 3 + ["default image\n/work\n1234\n"] * 3 + ["image\n"])


class Embedded(ContainerCase):
    embedded = True

    def test_one_process_runs_containers(self):
        self.assertEqual(self.output(self.sh("echo hello")), "hello\n")
        self.ended(self.sh("exit 9"), "FAILED", "EXIT_CODE", exit_code=9)
        self.ended(self.sh("x=x; while :; do x=$x$x; done"), "FAILED", "OUT_OF_MEMORY")


if __name__ == "__main__":
    case.main()
