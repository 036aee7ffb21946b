"""Who may depend on whom: the arrows of docs/architecture.md, as Bazel visibility.

A room is a folder that has an owner and one place in the order. `room_visibility()` is the default
visibility of every jarvis_library, so an arrow against the order fails the build; a library may
narrow it further, never widen it. testing/tidy reads the same tables for the #include lines.
"""

# The generated messages and the libraries over them: everything that speaks the protocol.
_PROTOCOL_USERS = [
    "cli",
    "proto",
    "proto/rpc",
    "proto/wire",
    "server/api",
    "server/app",
    "server/rest",
    "server/rpc",
    "worker",
]

# room -> the rooms that may depend on it, besides itself and testing. "*" is every room.
USERS = {
    "base": ["*"],
    "cli": [],
    "proto": _PROTOCOL_USERS,
    "proto/rpc": [
        "cli",
        "server/app",
        "server/rpc",
        "worker",
    ],
    "proto/wire": _PROTOCOL_USERS,
    "server": [],
    "server/api": [
        "server/app",
        "server/rest",
        "server/rpc",
    ],
    "server/app": [],
    "server/core": [
        "server/api",
        "server/app",
        "server/host",
    ],
    "server/host": [
        "server/api",
        "server/app",
        "server/rest",
        "server/rpc",
    ],
    "server/rest": ["server/app"],
    "server/rpc": ["server/app"],
    "storage": [
        "server/api",
        "server/app",
        "server/core",
        "server/host",
    ],
    "testing": [],
    # The embedded worker: one process is a whole system.
    "worker": ["server/app"],
}

# system library (//base/build:<name>) -> the rooms that may use it, besides testing.
LIBRARY_USERS = {
    "cmocka": ["*"],
    "crypto": [
        "base",
        "server/rest",
        "server/rpc",
        "worker",
    ],
    "grpc": [
        "proto/rpc",
        "server/rpc",
    ],
    "jansson": ["worker"],
    "m": ["*"],
    "protobuf_c": _PROTOCOL_USERS,
    # Everything that owns a thread or hands something to one: not server/core.
    "pthread": [
        "base",
        "cli",
        "proto/rpc",
        "server",
        "server/api",
        "server/app",
        "server/host",
        "server/rest",
        "server/rpc",
        "storage",
        "worker",
    ],
    "rocksdb": ["storage"],
    "seccomp": ["worker"],
    "ssl": [
        "server/rest",
        "server/rpc",
    ],
    "uthash": ["*"],
    "xxhash": ["*"],
    "yaml": [
        "base",
        "cli",
    ],
    "z": [
        "proto/rpc",
        "server/rest",
    ],
}

# What other workspaces may use: the protocol's files and messages, the client, the ABI of
# executors, and what these are made of. Inside, testing/tidy still holds every #include to USERS.
PUBLIC = ["//visibility:public"]

def visible_to(rooms):
    """Visibility labels of `rooms` and, always, of testing. "server" means its binaries only."""
    if "*" in rooms:
        return ["//:__subpackages__"]
    labels = ["//testing:__subpackages__"]
    for room in rooms:
        suffix = ":__pkg__" if room == "server" else ":__subpackages__"
        labels.append("//" + room + suffix)
    return labels

def _room_of(package):
    parts = package.split("/")
    nested = "/".join(parts[:2])

    # Everything below server/ must be a room of its own: "server" itself is only the programs.
    if nested in USERS or parts[0] == "server":
        return nested
    return parts[0]

def room_visibility(package):
    """The default visibility of a library in `package`: its own room, testing, and USERS[room]."""
    room = _room_of(package)
    if room not in USERS:
        fail("package //%s is in no room of base/build/layers.bzl" % package)
    binaries = ["server"] if room.startswith("server/") else []
    return visible_to(USERS[room] + [room] + binaries)
