"""Where the built programs are: below the working directory of a Bazel test, or of bazel-bin."""

import os


def find(path):
    """Absolute path of a file that Bazel has built, such as `server/jarvisd`."""
    roots = [os.environ.get("JARVIS_TEST_BIN"), os.getcwd(), os.path.join(os.getcwd(), "bazel-bin")]
    for root in roots:
        if root and os.path.exists(os.path.join(root, path)):
            return os.path.realpath(os.path.join(root, path))
    raise FileNotFoundError(f"{path} is not built: bazel build //{os.path.dirname(path)}/...")
