"""The base of test cases over processes: one machine a class, checked for leftovers at its end."""

import os
import sys
import unittest

from testing.process.harness.api import HTTP_OF_CODE, Refused
from testing.process.harness.machine import Machine
from testing.process.harness.programs import Server


class MachineCase(unittest.TestCase):
    """A machine for all tests of the class."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.machine = Machine()
        cls.addClassCleanup(cls.check_nothing_left)

    @classmethod
    def directories_to_be_empty(cls):
        """Those in which the programs must have left nothing."""
        return []

    @classmethod
    def check_nothing_left(cls):
        logs = "".join(
            f"\n--- {program.name}\n{program.log()[-3000:]}"
            for program in cls.machine.programs if os.path.exists(program.log_path))
        left = cls.machine.close(cls.directories_to_be_empty())
        if left:
            raise AssertionError("left behind:\n  " + "\n  ".join(left) + logs)
        for line in logs.splitlines():
            if "Sanitizer" in line or "assertion" in line.lower():
                raise AssertionError("a program has found a fault in itself:" + logs)

    def refuses(self, code, field, call, *arguments, **options):
        """The call is refused so, and the field is named. Returns the refusal."""
        with self.assertRaises(Refused) as caught:
            call(*arguments, **options)
        refused = caught.exception
        self.assertEqual(refused.code, code, str(refused))
        if refused.http_status is not None and refused.http_status != 200:
            self.assertEqual(refused.http_status, HTTP_OF_CODE[code], str(refused))
        if field is not None:
            self.assertIn(field, refused.fields(), str(refused))
        return refused


class ServerCase(MachineCase):
    """A server for all tests of the class, as `self.server`; no worker."""

    flags = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.machine, **cls.flags).start()

    def both_refuse(self, code, field, method, request):
        """Both transports refuse with one code, one message and the same details."""
        refusals = []
        for name, client in self.server.clients():
            with self.subTest(transport=name, method=method):
                refusals.append(self.refuses(code, field, client.call, method, request))
        if len(refusals) == 2:
            self.assertEqual(refusals[0].message, refusals[1].message)
            self.assertEqual(refusals[0].details, refusals[1].details)
        return refusals[0] if refusals else None


def main():
    """As unittest.main, with a line for each test; names of tests may be given."""
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main(module="__main__", verbosity=2, argv=[sys.argv[0]] + sys.argv[1:])
