"""The witness of "at most one live attempt": real containers that append to one shared file.

Each attempt draws a name of its own and writes lines `name number` all along, so whoever reads the
file sees who was alive when: two that lived at the same time have their lines mixed.
"""

import os

# Deaf to TERM: only a KILL ends it before it is told to.
SCRIPT = (
    "trap '' TERM; name=$(cat /proc/sys/kernel/random/uuid); n=0; "
    "while [ ! -e /out/{key}.stop ]; do n=$((n+1)); echo $name $n >> /out/{key}; "
    "usleep 20000; done; echo $name end >> /out/{key}; echo done"
)


class Witness:
    """Of one task: the file `key` in the directory that its mount shows as /out."""

    def __init__(self, directory, key):
        self.directory = directory
        self.key = key
        self.path = os.path.join(directory, key)

    def script(self):
        return SCRIPT.format(key=self.key)

    def mounts(self):
        return [{"source": self.directory, "target": "/out", "writable": True}]

    def release(self):
        """The attempt that runs may end well."""
        with open(self.path + ".stop", "w", encoding="ascii"):
            pass

    def lines(self):
        """(name, what) of each whole line."""
        try:
            with open(self.path, encoding="ascii") as file:
                text = file.read()
        except FileNotFoundError:
            return []
        return [tuple(line.split()) for line in text[:text.rfind("\n") + 1].splitlines()]

    def names(self):
        """Of the attempts, in the order in which they took over."""
        names = []
        for name, _ in self.lines():
            if not names or names[-1] != name:
                names.append(name)
        return names

    def faults(self):
        """Sentences: what must not be in the file. Empty if at most one wrote at any time."""
        found = []
        names = self.names()
        for name in sorted(set(names)):
            if names.count(name) > 1:
                found.append(f"{self.key}: {name} writes again after another had written")
            told = [what for who, what in self.lines() if who == name]
            numbers = [int(what) for what in told if what != "end"]
            if numbers != list(range(1, len(numbers) + 1)):
                found.append(f"{self.key}: the lines of {name} have a gap or come twice")
        return found
