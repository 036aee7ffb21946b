"""The build of the simulation: optimised, and with the bugs that it can plant (base/bug.h).

The code under test is compiled once for it, beside the normal build, by a transition: no library is
declared twice. `bug_build_binary` and `bug_build_test` are programs of jarvis.bzl in that build.
"""

def _transition(settings, _attr):
    copts = settings["//command_line_option:copt"]
    return {"//command_line_option:copt": copts + ["-O2", "-DJV_BUG_BUILD"]}

_bug_build = transition(
    implementation = _transition,
    inputs = ["//command_line_option:copt"],
    outputs = ["//command_line_option:copt"],
)

def _program(ctx):
    program = ctx.attr.program[0][DefaultInfo]
    link = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = link,
        target_file = program.files_to_run.executable,
        is_executable = True,
    )
    return [DefaultInfo(
        executable = link,
        runfiles = ctx.runfiles([link]).merge(program.default_runfiles),
    )]

_ATTRS = {
    "program": attr.label(
        doc = "A jarvis_binary.",
        cfg = _bug_build,
        executable = True,
        mandatory = True,
    ),
    "_allowlist_function_transition": attr.label(
        default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
    ),
}

bug_build_binary = rule(
    implementation = _program,
    attrs = _ATTRS,
    doc = "`program` in the simulation's build.",
    executable = True,
)

bug_build_test = rule(
    implementation = _program,
    attrs = _ATTRS,
    doc = "`program` in the simulation's build, as a test.",
    test = True,
)
