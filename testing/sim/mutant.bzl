"""Negative builds: the simulation with one bug seeded into the tested code must fail."""

load("//base/build:jarvis.bzl", "jarvis_library", "jarvis_test")

def mutant_test(name, file, find, put, hdrs = [], deps = []):
    """A test that passes if the simulation of the mutant fails within its seeds.

    Args:
      name: what the bug is.
      file: label of the source file it is put into.
      find: the passage that is replaced; it must be there exactly once.
      put: what stands there instead.
      hdrs: headers of its room that are private to it.
      deps: the libraries whose headers the file includes, its own among them.
    """
    native.genrule(
        name = name + "_source",
        testonly = True,
        srcs = [
            file,
            "mutate.py",
        ],
        outs = [name + ".c"],
        cmd = "python3 $(location mutate.py) $(location %s) '%s' '%s' > $@" % (file, find, put),
    )

    # The object stands in front of its archive, so the linker never takes the true one.
    jarvis_library(
        name = name + "_mutant",
        testonly = True,
        srcs = [name + ".c"] + hdrs,
        copts = ["-Wno-error"],
        alwayslink = True,
        deps = deps,
    )
    jarvis_test(
        name = name + "_test",
        srcs = ["negative_test.c"],
        deps = [
            ":" + name + "_mutant",
            ":world",
            "//base",
            "//base:runtime",
        ],
    )
