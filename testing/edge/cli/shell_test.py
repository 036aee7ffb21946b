#!/usr/bin/python3
"""Completion in real shells, and manual pages by a real reader of them."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.getcwd())

from testing.edge.cli.fake import Fake  # noqa: E402
from testing.edge.cli.terminal import Terminal  # noqa: E402
from testing.process.harness import places  # noqa: E402


class ShellCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.fake = Fake()
        self.addCleanup(self.fake.close)
        self.fake.on["ListTasks"] = lambda request, context: {"tasks": [
            {"id": "t-17", "spec": {"name": "one: of two"}, "status": {
                "state": "TASK_STATE_RUNNING"}}]}
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        program = places.find("cli/jarvis")
        self.environment = {
            "HOME": self.home.name, "XDG_CONFIG_HOME": self.home.name, "PS1": "ready> ",
            "PATH": os.path.dirname(program) + ":" + os.environ["PATH"],
            "JARVIS_SERVER": self.fake.address}
        with open(os.path.join(self.home.name, "file-of-a-task.yaml"), "w", encoding="utf-8"):
            pass

    def check(self, terminal, typed, completed):
        """Types a line and a tab; the shell makes of it what is expected. Ctrl-U clears it."""
        start = len(terminal.text())
        terminal.type(typed + "\t")
        terminal.until(lambda t: completed in plain(t.text()[start:]), repr(completed))
        terminal.type("\x15")


def plain(text):
    import re
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>(].?|\r", "", text)


LINES = [
    ("jarvis ta", "jarvis task "),
    ("jarvis task canc", "jarvis task cancel "),
    ("jarvis task get t-", "jarvis task get t-17"),
    ("jarvis task list --sta", "jarvis task list --state "),
    ("jarvis task list --state runn", "jarvis task list --state running"),
    ("jarvis task list --output=ya", "jarvis task list --output=yaml"),
    ("jarvis completion fi", "jarvis completion fish"),
    ("jarvis task submit -f file-o", "jarvis task submit -f file-of-a-task.yaml"),
]


class Bash(ShellCase):
    def test_tab_completes(self):
        with Terminal(["bash", "--norc", "--noprofile", "-i"],
                      environment=self.environment) as terminal:
            terminal.type("cd ~; bind 'set bell-style none'; source <(jarvis completion bash); "
                          "echo do''ne\n")
            terminal.until_shown("done")
            for typed, completed in LINES:
                with self.subTest(typed=typed):
                    self.check(terminal, typed, completed)

    def test_several_candidates_are_all_offered(self):
        script = ("source <(jarvis completion bash); COMP_WORDS=(jarvis task w); COMP_CWORD=2; "
                  "_jarvis; echo \"${COMPREPLY[@]}\"; COMP_WORDS=(jarvis --output = j task);"
                  "COMP_CWORD=3; _jarvis; echo \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", script], env=self.environment, check=True,
                              stdout=subprocess.PIPE)
        self.assertEqual(done.stdout.decode(), "wait watch\njson\n")


class Zsh(ShellCase):
    def test_tab_completes(self):
        with Terminal(["zsh", "-f", "-i"], environment=self.environment) as terminal:
            terminal.type("cd ~; PS1='ready> '; unsetopt beep prompt_sp zle_bracketed_paste; "
                          "autoload -U compinit; compinit -u -d $HOME/.dump; "
                          "source <(jarvis completion zsh); echo do''ne\n")
            terminal.until_shown("done")
            for typed, completed in LINES:
                with self.subTest(typed=typed):
                    self.check(terminal, typed, completed)

    def test_it_works_from_a_folder_of_functions(self):
        functions = os.path.join(self.home.name, "functions")
        os.mkdir(functions)
        with open(os.path.join(functions, "_jarvis"), "wb") as file:
            subprocess.run(["jarvis", "completion", "zsh"], env=self.environment, check=True,
                           stdout=file)
        with Terminal(["zsh", "-f", "-i"], environment=self.environment) as terminal:
            terminal.type("cd ~; unsetopt beep prompt_sp; fpath=($HOME/functions $fpath); "
                          "autoload -U compinit; compinit -u -d $HOME/.dump; echo do''ne\n")
            terminal.until_shown("done")
            self.check(terminal, "jarvis task canc", "jarvis task cancel ")
            self.check(terminal, "jarvis task get t-", "jarvis task get t-17")


class Fish(ShellCase):
    def test_it_completes(self):
        script = ["cd $HOME", "jarvis completion fish | source"]
        script += [f"complete -C '{typed}'; echo ---" for typed, _ in LINES]
        done = subprocess.run(["fish", "--no-config", "-c", "\n".join(script)],
                              env=self.environment, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        answers = done.stdout.decode().split("---\n")
        for (typed, completed), answer in zip(LINES, answers):
            with self.subTest(typed=typed):
                words = [line.split("\t")[0] for line in answer.splitlines()]
                self.assertIn(completed.split()[-1], words)
        self.assertIn("t-17\trunning one: of two", answers[2])


class Manual(ShellCase):
    def pages(self):
        folder = os.path.join(self.home.name, "man1")
        subprocess.run(["jarvis", "man", "--directory", folder], env=self.environment, check=True)
        return sorted(os.path.join(folder, name) for name in os.listdir(folder))

    def test_a_strict_reader_finds_no_fault(self):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "all", *self.pages()], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.stdout.decode(), "")

    def test_a_page_shows_what_help_says(self):
        pages = self.pages()
        self.assertIn("jarvis-task-run.1", [os.path.basename(page) for page in pages])
        done = subprocess.run(["mandoc", "-T", "ascii", pages[-1].replace(
            os.path.basename(pages[-1]), "jarvis-task-run.1")], check=True, stdout=subprocess.PIPE)
        import re
        text = re.sub(r".\x08", "", done.stdout.decode())
        for words in ["jarvis-task-run - runs a task", "--memory BYTES", "  124     a time-out",
                      "sh -c 'echo hello'", "jarvis-task(1)"]:
            self.assertIn(words, text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
