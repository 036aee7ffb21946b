"""C messages and descriptor sets from .proto files, by Debian's protoc and protoc-c.

The file lists are relative to the include roots, `proto` and `proto/vendor` of this repository and
Debian's /usr/include (Google's well-known types), so they are also the import names. Everything
lands below `c/` of the package, which is the include root of the generated headers: the messages of
jarvis/v1/task.proto are included as "jarvis/v1/task.pb-c.h".
"""

# Where this repository is, seen from an action: other workspaces use these macros, too.
_ROOT = Label("//proto:protos").workspace_root

_PROTO = _ROOT + "/proto" if _ROOT else "proto"

_PROTOC_INCLUDES = "-I%s -I%s/vendor -I/usr/include" % (_PROTO, _PROTO)

_PROTOBUF_C = str(Label("//base/build:protobuf_c"))

def _includes(roots):
    return " ".join([_PROTOC_INCLUDES] + ["-I" + root for root in roots])

def _stem(proto):
    return proto[:-len(".proto")]

def proto_c_library(name, protos, srcs, deps = [], roots = [], visibility = None):
    """A cc_library of protobuf-c messages.

    Args:
      name: the library.
      protos: import names of the files to generate code for.
      srcs: the .proto files that protoc reads: `protos` and all that they import
        (@jarvis//proto:protos).
      deps: libraries with the messages of the imported files.
      roots: more include roots, from the root of the repository ("." is that root).
      visibility: as of every rule.
    """
    headers = ["c/%s.pb-c.h" % _stem(proto) for proto in protos]
    sources = ["c/%s.pb-c.c" % _stem(proto) for proto in protos]
    native.genrule(
        name = name + "_sources",
        srcs = srcs,
        outs = headers + sources,
        cmd = "protoc-c %s --c_out=$(RULEDIR)/c %s" % (_includes(roots), " ".join(protos)),
        message = "Generating C messages",
        visibility = ["//visibility:private"],
    )

    # Others' code generator: its warnings are not ours to mend. `includes` makes the headers system
    # headers, which keeps our own warnings out of them too.
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = [
            "-std=c11",
            "-w",
        ],
        includes = ["c"],
        linkstatic = True,
        deps = deps + [_PROTOBUF_C],
        visibility = visibility,
    )

def proto_descriptor_set(name, protos, srcs, commented = [], roots = [], visibility = None):
    """`<name>.pb`: the FileDescriptorSet of `protos` and of everything they import.

    Behind them come the files of `commented`, with their comments; all that these import is in
    `protos` or in `commented` itself. A set in front of another is one set.
    """
    protoc = "protoc " + _includes(roots)
    plain = "%s --include_imports --descriptor_set_out=$@ %s" % (protoc, " ".join(protos))
    more = "%s --include_source_info --descriptor_set_out=$@.more %s" % (
        protoc,
        " ".join(commented),
    )
    native.genrule(
        name = name,
        srcs = srcs,
        outs = [name + ".pb"],
        cmd = plain if not commented else " && ".join([
            plain,
            more,
            "cat $@.more >> $@",
            "rm $@.more",
        ]),
        message = "Describing the protocol",
        visibility = visibility,
    )

def embedded_file(name, src, symbol, hdr, copts = [], visibility = None):
    """A cc_library of the bytes of `src` as `symbol` and `symbol`_size, declared in `hdr`."""
    native.genrule(
        name = name + "_source",
        srcs = [src],
        outs = [name + ".c"],
        cmd = "\n".join([
            "{",
            "echo '#include \"%s/%s\"'" % (native.package_name(), hdr),
            "echo 'const unsigned char %s[] = {'" % symbol,
            "od -An -v -tu1 -w32 $< | sed 's/ *\\([0-9][0-9]*\\)/\\1,/g'",
            "echo '};'",
            "echo 'const size_t %s_size = sizeof(%s);'" % (symbol, symbol),
            "} > $@",
        ]),
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = [name + ".c"],
        hdrs = [hdr],
        copts = copts,
        linkstatic = True,
        visibility = visibility,
    )
