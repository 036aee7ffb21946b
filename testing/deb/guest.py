"""A Debian 12 of its own for a test: from the machine's mirror, booted with systemd in namespaces.

A `Guest` is a directory that mmdebstrap fills, and systemd-nspawn boots without a network: what is
to be installed in it is downloaded before. It is the machine on which packages are installed,
upgraded and purged; the host's own dpkg never sees them.
"""

import glob
import os
import shutil
import signal
import subprocess
import time

BOOT_SECONDS = 60
COMMAND_SECONDS = 120
PACKAGES = "/srv/packages"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}


def sources():
    """apt's lines for Debian itself, as this machine has them: others' archives are left out."""
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)",
         "Created-By: Packages"], capture_output=True, text=True, check=True).stdout
    lines = set()
    for line in said.splitlines():
        address, release, component, *origin = line.split()
        if origin == ["Debian"] and release.startswith("bookworm") and component == "main":
            lines.add(f"deb {address} {release} main")
    if not lines:
        raise AssertionError("apt knows no mirror of Debian 12: run apt-get update")
    return "\n".join(sorted(lines)) + "\n"


class Guest:
    def __init__(self, machine, name="guest"):
        self.machine = machine
        self.root = machine.path(name)
        self.name = "".join(c if c.isalnum() else "-" for c in machine.name).strip("-")
        self.process = None
        self.log_path = machine.path(name + ".log")

    def path(self, path):
        """Where the guest's file is, seen from this machine."""
        return self.root + path

    def make(self, packages):
        """Debian with systemd; `packages` and all that they depend on are downloaded, no more."""
        folder = self.path(PACKAGES)
        made = subprocess.run(
            ["mmdebstrap", "--mode=root", "--variant=minbase", "--include=systemd-sysv",
             "--format=directory", "--skip=cleanup/apt,check/empty",
             f"--setup-hook=mkdir -p {folder}",
             f"--setup-hook=cp {' '.join(packages)} {folder}",
             f"--customize-hook=chroot \"$1\" sh -c 'apt-get -y --no-install-recommends"
             f" --download-only install {PACKAGES}/*.deb'",
             "bookworm", self.root, "-"],
            input=sources(), capture_output=True, text=True, timeout=500, check=False)
        if made.returncode != 0:
            raise AssertionError(f"mmdebstrap: {made.stderr[-4000:]}")
        return self

    # ---- boot

    def boot(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", f"--directory={self.root}",
                 f"--machine={self.name}", "--boot", "--register=no", "--keep-unit",
                 "--private-network", "--console=pipe", "--link-journal=no",
                 # What makes containers may do more than what is in one.
                 "--capability=all", "--system-call-filter=@keyring bpf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + BOOT_SECONDS
        while self.run("systemctl is-system-running", check=False).strip() != "running":
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("the guest did not boot: " + self.said())
            time.sleep(0.1)
        # Whoever makes containers in it makes control groups.
        self.run("for m in /sys/fs/cgroup /sys/fs/cgroup/*; do"
                 " ! mountpoint -q $m || mount -o remount,bind,rw $m; done")
        self.run("ip link set lo up || true")
        return self

    def said(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-4000:]

    def leader(self):
        """Process id of the guest's systemd; None as long as there is none."""
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/children"):
            with open(path, encoding="ascii") as file:
                for child in file.read().split():
                    return child
        return None

    def run(self, script, check=True, seconds=COMMAND_SECONDS):
        """What a shell script prints in the guest; with `check` it must succeed."""
        code, said = self.attempt(script, seconds)
        if check and code != 0:
            raise AssertionError(f"{script}: exit status {code}\n{said[-6000:]}")
        return said

    def attempt(self, script, seconds=COMMAND_SECONDS):
        """Exit status and output."""
        leader = self.leader()
        if leader is None:
            return 1, "no systemd yet"
        done = subprocess.run(
            ["nsenter", "--target", leader, "--mount", "--uts", "--ipc", "--net", "--pid",
             "--cgroup", "sh", "-c", script],
            env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds, check=False)
        return done.returncode, done.stdout

    def chroot(self, script):
        """What a shell script prints in the guest that is not booted; it must succeed."""
        done = subprocess.run(
            ["chroot", self.root, "sh", "-c", script], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=COMMAND_SECONDS, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{script}: exit status {done.returncode}\n{done.stdout}")
        return done.stdout

    def copy(self, files):
        os.makedirs(self.path(PACKAGES), exist_ok=True)
        for file in files:
            shutil.copy(file, self.path(PACKAGES))

    def stop(self):
        """In order if it can be."""
        if self.process is not None and self.process.poll() is None:
            self.run("systemctl poweroff --force", check=False)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                leader = self.leader()
                if leader is not None:
                    os.kill(int(leader), signal.SIGKILL)
                self.process.kill()
                self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(f"/run/systemd/nspawn/propagate/{self.name}", ignore_errors=True)
