"""Debian packages, made reproducibly by dpkg-deb from programs and a `debian` folder beside them.

    load("//base/build:deb.bzl", "jarvis_deb")

    jarvis_deb(
        name = "jarvis-server",               # the package; makes jarvis-server_VERSION_ARCH.deb
        control = "debian/control",           # Depends has ${shlibs:Depends}; no Version
        files = {                             # "DIR/" keeps names; tars are unpacked there
            ":jarvisd": "usr/bin/jarvisd",
            "debian/jarvisd.yaml": "etc/jarvis/jarvisd.yaml",     # below etc: a conffile
        },
        scripts = ["debian/postinst", "debian/postrm"],
    )

Programs are built as by --config=release and stripped. The version is that of base/version.h,
and all files bear its date, so the same sources on the same Debian give the same bytes.
"""

_OPTIONS = ["//command_line_option:" + name for name in ("compilation_mode", "copt")]

# As `build:release` in .bazelrc, and nothing anew where that is in force already.
def _release_impl(settings, _attr):
    mode, copts = [settings[option] for option in _OPTIONS]
    if "-UNDEBUG" not in copts:
        mode, copts = "opt", copts + ["-O2", "-g", "-UNDEBUG"]
    return dict(zip(_OPTIONS, [mode, copts]))

_release = transition(
    implementation = _release_impl,
    inputs = _OPTIONS,
    outputs = _OPTIONS,
)

def _jarvis_deb_impl(ctx):
    package = ctx.actions.declare_file(ctx.label.name + ".deb")
    inputs = [ctx.file.control, ctx.file._version, ctx.file._changelog] + ctx.files.scripts
    arguments = ctx.actions.args()
    arguments.add_all([package, ctx.file.control, ctx.file._version, ctx.file._changelog])
    for script in ctx.files.scripts:
        arguments.add_all(["script", script.path, script.basename])
    for target, place in ctx.attr.files.items():
        for file in target.files.to_list():
            inputs.append(file)
            name = place + file.basename if place.endswith("/") else place
            arguments.add_all(["file", file.path, name])
    for target, place in ctx.attr.links.items():
        arguments.add_all(["link", target, place])
    ctx.actions.run(
        outputs = [package],
        inputs = inputs,
        executable = ctx.executable._make,
        arguments = [arguments],
        # dpkg and strip, and what dpkg knows of the machine's libraries.
        use_default_shell_env = True,
        mnemonic = "Deb",
        progress_message = "Packing %s" % package.short_path,
    )
    return [DefaultInfo(files = depset([package]))]

jarvis_deb = rule(
    implementation = _jarvis_deb_impl,
    attrs = {
        "control": attr.label(allow_single_file = True, mandatory = True),
        "files": attr.label_keyed_string_dict(allow_files = True, cfg = _release),
        "links": attr.string_dict(doc = "place of a symbolic link: what it says"),
        "scripts": attr.label_list(allow_files = True),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
        "_changelog": attr.label(default = "//docs:changelog.md", allow_single_file = True),
        "_make": attr.label(default = "//base/build:make_package", cfg = "exec", executable = True),
        "_version": attr.label(default = "//base:version.h", allow_single_file = True),
    },
)

def manual(name, program, page, summary):
    """A manual page of section 8 from what a program of ours says of itself.

    Args:
      name: the target; makes `name`.8.
      program: label of the program, which knows --help and --describe.
      page: name of the program.
      summary: the line of `whatis`.
    """
    native.genrule(
        name = name,
        # Not a tool: it is run as it is packed, not built for the machine that builds.
        srcs = [program],
        outs = [page + ".8"],
        cmd = "$(location //base/build:make_page) %s $(location %s) '%s' > $@" % (
            page,
            program,
            summary,
        ),
        tools = ["//base/build:make_page"],
    )

def _jarvis_deb_folder_impl(ctx):
    folder = ctx.actions.declare_directory(ctx.label.name)
    packages = ctx.files.packages
    ctx.actions.run_shell(
        outputs = [folder],
        inputs = packages,
        command = """
set -e
out=$1; shift
for package in "$@"; do
  name=$(dpkg-deb -W --showformat='${Package}_${Version}_${Architecture}.deb' "$package")
  cp "$package" "$out/$name"
done""",
        arguments = [folder.path] + [package.path for package in packages],
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([folder]), runfiles = ctx.runfiles([folder]))]

jarvis_deb_folder = rule(
    implementation = _jarvis_deb_folder_impl,
    doc = "A folder of packages, under the names that they have in an archive.",
    attrs = {"packages": attr.label_list(allow_files = [".deb"])},
)
