#!/usr/bin/python3
"""Reads the file of Bazel's --build_event_json_file. Prints "passed LABEL" or "failed LABEL (why)"
for each test, and "failed LABEL (why)" for each other target that did not build or load."""

import json
import re
import sys


def events(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def test_verdict(summary):
    return "passed" if summary["overallStatus"] == "PASSED" else "failed"


def broken_target(event):
    """(label, reason) of a target or package that Bazel could not build or load, or None."""
    for kind in ("targetCompleted", "targetConfigured", "pattern", "unconfiguredLabel"):
        if kind not in event["id"]:
            continue
        label = event["id"][kind].get("label") or " ".join(event["id"][kind].get("pattern", []))
        if "aborted" in event:
            return label, event["aborted"].get("reason", "aborted").lower().replace("_", " ")
        if kind == "targetCompleted" and not event.get("completed", {}).get("success", False):
            return label, "does not build"
    return None


def broken_packages(event):
    """Packages whose BUILD file is wrong: Bazel tells of them only in its text."""
    text = event.get("progress", {}).get("stderr", "")
    return re.findall(r"package contains errors: (\S+)|error loading package '([^']+)'", text)


def build_failed(event):
    return event.get("finished", {}).get("exitCode", {}).get("name") == "BUILD_FAILURE"


def verdicts(stream):
    """label -> (verdict, reason); a test's own verdict outranks that of its target."""
    found = {}
    tests = set()
    for event in stream:
        if "testSummary" in event["id"] and "testSummary" in event:
            label = event["id"]["testSummary"]["label"]
            verdict = test_verdict(event["testSummary"])
            found[label] = (verdict, event["testSummary"]["overallStatus"].lower())
            tests.add(label)
        broken = broken_target(event)
        if broken and broken[0] not in tests:
            found[broken[0]] = ("failed", broken[1])
        for names in broken_packages(event):
            found["//" + "".join(names)] = ("failed", "does not load")
        if build_failed(event) and not set(found) - tests:
            found["bazel"] = ("failed", "not everything was built")
    return found


def main():
    for label, (verdict, reason) in sorted(verdicts(events(sys.argv[1])).items()):
        print(verdict, label if verdict == "passed" else "%s (%s)" % (label, reason))


if __name__ == "__main__":
    main()
