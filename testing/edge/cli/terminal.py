"""A terminal for a program under test: a pty of a size, keys that are typed, what is shown.

`Terminal` collects the bytes as they come; `screen()` plays them on a grid of the size, as far as
the programs here use a terminal: printing, wrapping, moving, clearing, colours are dropped.
"""

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata

SECONDS = 30


class Terminal:
    def __init__(self, words, columns=80, rows=24, environment=None):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.columns, self.rows = columns, rows
        self.master = master
        self.name = os.ttyname(slave)
        self.data = b""

        # setsid makes it the controlling terminal; a preexec_fn would fork with gRPC's threads.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *words], stdin=slave, stdout=slave, stderr=slave,
            env=dict({"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8"},
                     **(environment or {})), close_fds=True)
        os.close(slave)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def type(self, text):
        os.write(self.master, text.encode())

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.1):
        """Takes in what has come; False when nothing can come any more."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return True
        try:
            piece = os.read(self.master, 65536)
        except OSError as error:
            if error.errno == errno.EIO:
                return False
            raise
        self.data += piece
        return bool(piece)

    def until(self, condition, what="it"):
        """Reads until the condition of this terminal holds."""
        deadline = time.monotonic() + SECONDS
        while not condition(self):
            if time.monotonic() > deadline or not self.read():
                if condition(self):
                    return
                raise AssertionError(f"{what} has not happened; there is {self.data!r}")

    def until_shown(self, text):
        self.until(lambda terminal: text in terminal.text(), repr(text))

    def finish(self):
        """The exit code, 128 + N for signal N."""
        deadline = time.monotonic() + SECONDS
        while self.read():
            if self.process.poll() is not None:
                self.read(0)
            if time.monotonic() > deadline:
                raise AssertionError(f"has not ended; there is {self.data!r}")
        code = self.process.wait(SECONDS)
        return code if code >= 0 else 128 - code

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def text(self):
        return self.data.decode("utf-8", "replace")

    def lines(self):
        """The lines of what was printed, without colours, as the program wrote them."""
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.text())
        return plain.replace("\r\n", "\n").split("\n")

    def screen(self):
        """The rows that are shown now."""
        grid = [[" "] * self.columns]
        row = column = 0
        for token in re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]|.", self.text(), re.S):
            if token.startswith("\x1b["):
                row, column = self.control(grid, row, column, token)
            elif token == "\n":
                row += 1
            elif token == "\r":
                column = 0
            elif token >= " ":
                wide = 2 if unicodedata.east_asian_width(token) in "WF" else 1
                if column + wide > self.columns:
                    row, column = row + 1, 0
                while len(grid) <= row:
                    grid.append([" "] * self.columns)
                grid[row][column:column + wide] = [token] + [""] * (wide - 1)
                column += wide
            while len(grid) <= row:
                grid.append([" "] * self.columns)
        return ["".join(line).rstrip() for line in grid[-self.rows:]]

    @staticmethod
    def control(grid, row, column, token):
        number = re.match(r"\x1b\[(\d*)", token).group(1)
        count = int(number or 1)
        if token[-1] == "A":
            row = max(0, row - count)
        elif token[-1] == "H":
            row, column = 0, 0
        elif token[-1] == "K":
            grid[row][column:] = [" "] * (len(grid[row]) - column)
        elif token[-1] == "J":
            if number == "2":
                row_from, column = 0, 0
            else:
                row_from = row + 1
                grid[row][column:] = [" "] * (len(grid[row]) - column)
            for line in grid[row_from:]:
                line[:] = [" "] * len(line)
        return row, column
