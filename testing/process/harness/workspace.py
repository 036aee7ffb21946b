"""Another Bazel workspace, built by a Bazel of its own, as somebody else's monorepo would."""

import os
import shutil
import subprocess

BUILD_SECONDS = 240


def source_root():
    """Where the sources of this workspace are, which the other one names as @jarvis."""
    return os.path.dirname(os.path.realpath("WORKSPACE"))


def build(machine, example, *targets):
    """Builds targets of docs/examples/EXAMPLE without a network; returns its bazel-bin. The Bazel
    is one process (--batch) with an output root of the test's own, so nothing of it is left."""
    workspace = machine.path(example)
    shutil.copytree(os.path.join(source_root(), "docs/examples", example), workspace,
                    ignore=shutil.ignore_patterns("bazel-*"))
    done = subprocess.run(
        ["bazel", "--batch", "--nohome_rc",
         f"--output_user_root={machine.path('bazel')}", "build", "--jobs=2",
         "--spawn_strategy=local", "--color=no", "--curses=no",
         f"--override_repository=jarvis={source_root()}", *targets],
        cwd=workspace, env=machine.environment(), capture_output=True, text=True,
        timeout=BUILD_SECONDS, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{example} cannot be built:\n{done.stdout}\n{done.stderr}")
    return os.path.realpath(os.path.join(workspace, "bazel-bin"))
