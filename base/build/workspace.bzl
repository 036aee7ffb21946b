"""What a workspace needs that builds Jarvis, or uses it: nothing of it is downloaded.

    local_repository(name = "jarvis", path = "…")
    load("@jarvis//base/build:workspace.bzl", "jarvis_repositories")
    jarvis_repositories()

Whatever the workspace has declared before that stays as it is.
"""

def _beside_impl(ctx):
    source = ctx.path(Label("//base/build:workspace.bzl")).dirname.get_child(ctx.name)
    for entry in source.readdir():
        ctx.symlink(entry, entry.basename)

# A folder beside this file, as the repository of its name.
_beside = repository_rule(
    implementation = _beside_impl,
    local = True,
)

# Debian's bazel-rules-cc is too new for its Bazel 4.2.3, and the native rules are all we need.
_BESIDE = [
    "remote_coverage_tools",
    "rules_cc",
]

# Of the packages bazel-rules-java, bazel-rules-proto, bazel-skylib and bazel-platforms.
_DEBIAN = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/tools/platforms",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

def jarvis_repositories(name = "jarvis"):
    """Declares what Bazel would otherwise fetch itself.

    Args:
      name: as macros have it; of no meaning.
    """
    for repository in _BESIDE:
        if not native.existing_rule(repository):
            _beside(name = repository)
    for repository, path in _DEBIAN.items():
        if not native.existing_rule(repository):
            native.local_repository(name = repository, path = path)
