"""Fuzz targets: one source, run by libFuzzer (--config=fuzz) or over its kept corpus."""

load("//base/build:jarvis.bzl", "COPTS")

# What the default tests try beyond the corpus with libFuzzer; testing/fuzz/run does the rest.
SECONDS = 3

def fuzz_target(name, deps, mutations = 20000):
    """A target `name` of the source name.c, with the corpus in corpus/name.

    Args:
      name: of the target.
      deps: the libraries that it tries.
      mutations: of the corpus that a normal build tries: about a second's worth.
    """
    corpus = "testing/fuzz/corpus/" + name
    native.cc_test(
        name = name,
        size = "small",
        srcs = [name + ".c"],
        args = [
            "--mutations=%d" % mutations,
            "-max_total_time=%d" % SECONDS,
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-close_fd_mask=1",
            corpus,
        ],
        copts = COPTS + ["-Wno-missing-prototypes"],
        data = native.glob(["corpus/" + name + "/*"]),
        linkopts = select({
            ":libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        linkstatic = True,
        deps = deps + [":fuzz"] + select({
            ":libfuzzer": [],
            "//conditions:default": [":replay"],
        }),
    )
