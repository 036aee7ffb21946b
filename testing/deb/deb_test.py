#!/usr/bin/python3
"""The Debian packages on a Debian 12 of their own: installed, used, upgraded, removed, purged.

One machine's life, told in order: each chapter goes on where the one before has left off.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.getcwd())

from testing.deb.guest import PACKAGES, Guest  # noqa: E402
from testing.process.harness import images, places  # noqa: E402
from testing.process.harness.case import main  # noqa: E402
from testing.process.harness.machine import Machine  # noqa: E402
from testing.process.harness.programs import eventually  # noqa: E402

INSTALL = "apt-get -y --no-install-recommends -o Dpkg::Options::=--force-confdef " \
          "-o Dpkg::Options::=--force-confold install"
SERVICES = ("jarvisd", "jarvis-worker")
# What systemd-analyze makes of a unit's sandbox: 10 is none, 0 a unit that can do nothing.
EXPOSURE_MAX = 1.5


def built():
    packages = sorted(glob.glob(os.path.join(places.find("deb"), "*.deb")))
    assert len(packages) == 3, packages
    return packages


def repack(package, folder, version, edit=None):
    """The package under a later version; `edit` is called with the directory of its content."""
    work = os.path.join(folder, "repack")
    subprocess.run(["dpkg-deb", "-R", package, work], check=True)
    control = os.path.join(work, "DEBIAN/control")
    subprocess.run(["sed", "-i", f"s/^Version: .*/Version: {version}/", control], check=True)
    if edit is not None:
        edit(work)
    name = re.sub(r"_.*_", f"_{version}_", os.path.basename(package))
    path = os.path.join(folder, name)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", work, path], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(work)
    return path


def append(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


class Form(unittest.TestCase):
    """What can be seen without installing them."""

    def test_lintian_has_nothing_to_say(self):
        done = subprocess.run(
            ["lintian", "--allow-root", "--fail-on=error,warning", *built()],
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, ""), done.stderr)

    def test_the_version_is_that_of_the_programs(self):
        said = subprocess.run([places.find("server/jarvisd"), "--version"],
                              capture_output=True, text=True, check=True).stdout
        for package in built():
            version = subprocess.run(["dpkg-deb", "-f", package, "Version"],
                                     capture_output=True, text=True, check=True).stdout
            self.assertEqual(version.strip(), said.split()[1] + "-1")

    def test_the_same_inputs_give_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            control = os.path.join(folder, "control")
            append(control, "Package: jarvis-same\nMaintainer: Nobody <nobody@example.org>\n"
                            "Depends: ${shlibs:Depends}\nDescription: the same\n")
            made = []
            for name in ("first.deb", "second.deb"):
                path = os.path.join(folder, name)
                # Elsewhere, by another clock and another umask.
                subprocess.run(
                    ["sh", "-c", 'umask 077; exec "$@"', "sh",
                     places.find("base/build/make_deb"), path, control,
                     os.path.realpath("base/version.h"), os.path.realpath("docs/changelog.md"),
                     "file", places.find("server/jarvisd"), "usr/bin/jarvisd",
                     "link", "jarvisd", "usr/bin/jarvisd-too"],
                    check=True, cwd=os.getcwd(), env={**os.environ, "TMPDIR": folder})
                with open(path, "rb") as file:
                    made.append(file.read())
            self.assertGreater(len(made[0]), 100000)
            self.assertEqual(made[0] == made[1], True, "two packages of the same differ")


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Machine()
        cls.addClassCleanup(cls.leave_nothing)
        cls.guest = Guest(cls.machine)
        cls.addClassCleanup(cls.guest.close)
        cls.guest.make(built())
        images.make_rootfs(cls.guest.path("/srv/busybox"))
        cls.guest.boot()

    @classmethod
    def leave_nothing(cls):
        left = cls.machine.close()
        if left:
            raise AssertionError("left behind:\n  " + "\n  ".join(left))

    # ---- in short

    def run_in(self, script, **options):
        return self.guest.run(script, **options)

    def active(self, service):
        return self.run_in(f"systemctl is-active {service}", check=False).strip()

    def journal(self):
        return self.run_in("journalctl --no-pager -n 60", check=False)

    def serves(self):
        """Both services run, and the worker's node is ready."""
        for service in SERVICES:
            self.assertEqual(self.active(service), "active", self.journal())
        eventually(lambda: self.run_in("jarvis node list", check=False),
                   lambda said: "ready" in said.lower())

    def edit(self, path, old, new):
        with open(self.guest.path(path), encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(self.guest.path(path), "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def jarvis_processes(self):
        return self.run_in("for p in /proc/[0-9]*; do e=$(readlink $p/exe); case $e in"
                           " *jarvis*) echo ${p#/proc/} $e;; esac; done", check=False)

    def processes(self, word):
        """Ids of those with the word on their command line."""
        found = self.run_in(f"grep -lsa '[{word[0]}]{word[1:]}' /proc/[0-9]*/cmdline", check=False)
        return [line.split("/")[2] for line in found.splitlines()]

    def bring(self, version, edit=None):
        """Packages of a later version, where the guest finds them."""
        names = []
        for package in built():
            path = repack(package, self.guest.path(PACKAGES), version, edit)
            names.append(f"{PACKAGES}/{os.path.basename(path)}")
        return " ".join(names)

    # ---- the story

    def test_life(self):
        for chapter in (
                self.install,
                self.units,
                self.a_task_by_the_command_line,
                self.stop_and_start,
                self.upgrade,
                self.again_and_when_it_goes_wrong,
                self.remove_and_come_back,
                self.purge,
                self.where_there_is_no_systemd,
        ):
            print("   ", chapter.__name__)
            chapter()

    def install(self):
        self.run_in(f"{INSTALL} {PACKAGES}/*.deb")
        for service in SERVICES:
            self.assertEqual(self.active(service), "active", self.journal())
            self.assertEqual(self.run_in(f"systemctl is-enabled {service}").strip(), "enabled")
        said = self.run_in("stat -c '%U:%G %a %n' /var/lib/jarvis /var/lib/jarvis/*"
                           " /etc/jarvis /etc/jarvis/*")
        self.assertEqual(said.splitlines(), [
            "root:root 755 /var/lib/jarvis",
            "jarvis:jarvis 700 /var/lib/jarvis/server",
            "root:root 700 /var/lib/jarvis/worker",
            "root:root 755 /etc/jarvis",
            "root:root 644 /etc/jarvis/jarvisd.yaml",
            "root:root 644 /etc/jarvis/worker.yaml",
        ])
        self.assertEqual(self.run_in(
            "stat -c %U /proc/$(systemctl show -P MainPID jarvisd)/cmdline").strip(), "jarvis")
        self.assertEqual(self.run_in("dpkg --verify jarvis-server jarvis-worker jarvis-cli"), "")
        self.assertEqual(self.run_in("dpkg-query -W -f '${db:Status-Abbrev}' 'jarvis-*'"),
                         "ii ii ii ")

    def units(self):
        self.assertEqual(self.run_in("systemd-analyze verify --man=no jarvisd.service"
                                     " jarvis-worker.service"), "")
        said = self.run_in("systemd-analyze security --no-pager jarvisd.service")
        exposure = float(re.search(r"Overall exposure level for jarvisd.service: ([\d.]+)",
                                   said)[1])
        self.assertLessEqual(exposure, EXPOSURE_MAX, said)
        self.assertIn("CGroup: /system.slice/jarvis-worker.service",
                      self.run_in("systemctl status jarvis-worker"))

    def a_task_by_the_command_line(self):
        self.edit("/etc/jarvis/worker.yaml", "  names: {}",
                  "  names: {busybox: /srv/busybox}\n"
                  f"cgroup: {{parent: {self.machine.cgroup_parent}}}")
        self.run_in("jarvis-worker --config /etc/jarvis/worker.yaml --check")
        self.run_in("systemctl restart jarvis-worker")
        self.serves()
        said = self.run_in("jarvis task run --memory 32MiB busybox -- sh -c 'echo done by $0' us")
        self.assertIn("done by us\n", said)
        code, said = self.guest.attempt("jarvis task run --memory 32MiB busybox -- sh -c 'exit 7'")
        self.assertEqual(code, 7, said)

    def stop_and_start(self):
        server = self.run_in("systemctl show -P MainPID jarvisd")
        self.run_in("systemctl reload jarvisd")
        eventually(self.journal, lambda said: "server.reload" in said)
        self.assertEqual(self.run_in("systemctl show -P MainPID jarvisd"), server)
        self.run_in("systemctl stop jarvis-worker jarvisd")
        self.assertEqual(self.jarvis_processes(), "")
        self.assertNotEqual(self.guest.attempt("jarvis status")[0], 0)
        self.run_in("systemctl start jarvisd jarvis-worker")
        self.serves()
        self.assertIn("SUCCEEDED", self.run_in("jarvis task get t-1").upper())

    def upgrade(self):
        task = self.run_in("jarvis task submit --memory 32MiB busybox -- sh -c '"
                           "echo begun; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo ended;"
                           " exit 5 # the-long-one'").split()[-1]
        eventually(lambda: self.run_in(f"jarvis task logs {task}"), lambda s: "begun" in s)
        before = self.processes("the-long-one")
        self.assertTrue(before)
        workers = self.run_in("systemctl show -p MainPID jarvisd jarvis-worker")

        def newer(work):
            for conffile in glob.glob(work + "/etc/jarvis/*.yaml"):
                append(conffile, "# Of the later version.\n")
        packages = self.bring("99.1-1", newer)
        self.run_in(f"{INSTALL} {packages}")
        self.assertNotEqual(self.run_in("systemctl show -p MainPID jarvisd jarvis-worker"), workers)
        self.serves()
        self.assertEqual(self.processes("the-long-one"), before, "the task was started anew")
        # What nobody had edited is the new version's; what was edited stays, the new one beside it.
        self.assertIn("later version", self.run_in("cat /etc/jarvis/jarvisd.yaml"))
        self.assertIn("/srv/busybox", self.run_in("cat /etc/jarvis/worker.yaml"))
        self.assertIn("later version", self.run_in("cat /etc/jarvis/worker.yaml.dpkg-dist"))
        self.run_in(f"touch /proc/{before[-1]}/root/tmp/go")
        code, said = self.guest.attempt(f"jarvis task wait {task}")
        self.assertNotEqual(code, 0, said)
        self.assertRegex(said, r"failed: exit code +\S+ +5 ")
        self.assertEqual(self.run_in(f"jarvis task logs {task}"), "begun\nended\n")

    def again_and_when_it_goes_wrong(self):
        # Maintainer scripts may run any number of times.
        for package in ("server", "worker"):
            self.run_in(f"/var/lib/dpkg/info/jarvis-{package}.postinst configure 99.1-1")
        self.serves()

        def broken(work):
            append(work + "/DEBIAN/preinst", "#!/bin/sh\nexit 1\n")
            os.chmod(work + "/DEBIAN/preinst", 0o755)
        packages = self.bring("99.2-1", broken)
        self.assertNotEqual(self.guest.attempt(f"{INSTALL} {packages}")[0], 0)
        self.assertIn("99.1-1", self.run_in("dpkg-query -W jarvis-server"))
        self.serves()
        self.run_in(f"rm {packages}")
        # A unit that its owner has masked or disabled stays so over an upgrade.
        self.run_in("systemctl disable --now jarvis-worker")
        packages = self.bring("99.3-1")
        self.run_in(f"{INSTALL} {packages}")
        self.assertEqual(self.run_in("systemctl is-enabled jarvis-worker",
                                     check=False).strip(), "disabled")
        self.run_in("systemctl enable --now jarvis-worker")
        self.serves()

    def remove_and_come_back(self):
        self.run_in("jarvis task submit --memory 32MiB busybox -- sleep 1000")
        eventually(lambda: self.run_in("jarvis task list --state running"), lambda s: "t-" in s)
        self.run_in("apt-get -y remove jarvis-server jarvis-worker jarvis-cli")
        self.assertEqual(self.jarvis_processes(), "")
        self.assertEqual(self.processes("1000"), [])
        self.assertNotEqual(self.active("jarvisd"), "active")
        self.assertIn("/srv/busybox", self.run_in("cat /etc/jarvis/worker.yaml"))
        self.assertEqual(self.machine.mounts(), [])
        self.run_in(f"{INSTALL} {PACKAGES}/*_99.3-1_*.deb")
        self.serves()
        self.assertIn("SUCCEEDED", self.run_in("jarvis task get t-1").upper())

    def purge(self):
        self.run_in("apt-get -y purge jarvis-server jarvis-worker jarvis-cli")
        self.assertEqual(self.jarvis_processes(), "")
        left = self.run_in(
            f"rm -rf {PACKAGES};"
            " find / -xdev -iname '*jarvis*' -not -path '/var/log/*' -not -path '/proc/*'"
            " -not -path '/sys/*' -not -path '/var/cache/apt/*'; find /run -iname '*jarvis*'")
        self.assertEqual(left, "")
        self.assertEqual(self.run_in("getent passwd jarvis; getent group jarvis; true"), "")
        self.assertEqual(self.run_in("dpkg-query -W 'jarvis-*' 2>/dev/null || true"), "")
        self.assertEqual(self.run_in("systemctl list-units --all --no-legend 'jarvis*'"), "")
        self.assertEqual(self.run_in("systemctl --failed --no-legend"), "")

    def where_there_is_no_systemd(self):
        """In a chroot, as images are made: nothing is started, nothing fails."""
        self.guest.stop()
        self.guest.copy(built())
        said = self.guest.chroot(f"dpkg --install {PACKAGES}/*.deb && jarvisd --version"
                                 " && stat -c %U /var/lib/jarvis/server")
        self.assertRegex(said, r"jarvisd [\d.]+\njarvis\n$")
        self.guest.chroot("dpkg --purge jarvis-server jarvis-worker jarvis-cli")
        self.assertFalse(os.path.exists(self.guest.path("/var/lib/jarvis")))
        self.assertFalse(os.path.exists(self.guest.path("/etc/jarvis")))


if __name__ == "__main__":
    main()
