"""The macros that every BUILD.bazel of Jarvis uses.

    load("//base/build:jarvis.bzl", "jarvis_binary", "jarvis_library", "jarvis_test")

    jarvis_library(
        name = "arena",
        srcs = ["arena.c"],
        hdrs = ["arena.h"],
        deps = [":assert"],                   # our libraries and //base/build:<system library>
    )

    jarvis_test(
        name = "arena_test",                  # cmocka: main() runs cmocka_run_group_tests
        srcs = ["arena_test.c"],
        deps = [":arena"],
    )

    jarvis_binary(
        name = "jarvisd",
        srcs = ["main.c"],
        deps = ["//server/app"],
    )

What they add:

- `-std=c11 -D_GNU_SOURCE` and all warnings of docs/style.md as errors. Includes are relative to the
  root of the repository ("base/status.h"); each file includes only headers of its own deps.
- Visibility: by default that of the room (base/build/layers.bzl), which is what enforces the
  dependency direction. Pass `visibility` only to narrow it. Binaries are public, tests private.
- System libraries are //base/build:grpc, :protobuf_c, :yaml, :rocksdb, :jansson, :crypto, :ssl,
  :z, :seccomp, :uthash, :xxhash, :cmocka, :pthread, :m; each is visible only to the rooms that
  may use it.
- Generated messages: //proto:jarvis_c, //proto:google_c, //proto:grpc_c ("jarvis/v1/task.pb-c.h"),
  and //proto:descriptor_set_c ("proto/descriptor_set.h").
- Tests are small (one minute) and sandboxed. A test that needs root, runc, cgroups or the network
  takes `tags = ROOT_TEST_TAGS` (loaded from here); one that links gRPC adds "notsan".
  Files that a test reads go in `data` and are found relative to the working directory.
"""

load("//base/build:layers.bzl", "room_visibility")

WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wswitch-enum",
    "-Wvla",
    "-Werror",
]

COPTS = [
    "-std=c11",
    "-D_GNU_SOURCE",
] + WARNINGS

# Not sandboxed, never at the same time as another test, and run again whenever it is asked for.
ROOT_TEST_TAGS = [
    "exclusive",
    "external",
    "local",
    "notsan",
    "root",
]

def jarvis_library(name, copts = [], visibility = None, **kwargs):
    """A C library of ours: cc_library with our language, warnings and the room's visibility."""
    native.cc_library(
        name = name,
        copts = COPTS + copts,
        linkstatic = True,
        visibility = visibility or room_visibility(native.package_name()),
        **kwargs
    )

def jarvis_binary(name, copts = [], visibility = ["//visibility:public"], **kwargs):
    """A program of ours. Our libraries are linked in, the system's are shared."""
    native.cc_binary(
        name = name,
        copts = COPTS + copts,
        linkstatic = True,
        visibility = visibility,
        **kwargs
    )

def jarvis_test(name, copts = [], deps = [], size = "small", **kwargs):
    """A cmocka test."""
    native.cc_test(
        name = name,
        copts = COPTS + copts,
        linkstatic = True,
        size = size,
        deps = deps + ["//base/build:cmocka"],
        **kwargs
    )
