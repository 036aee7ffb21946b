#!/usr/bin/env bash
# The examples of docs/config are good, the default one is what the programs describe, and mistakes
# are named with their place and the nearest valid key.
set -euo pipefail
jarvisd=$PWD/$1 worker=$PWD/$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0

good() { # PROGRAM FILE
	if ! "$1" --check --config "$2" >"$work/out" 2>&1; then
		echo "FAILED: $2 is refused:" >&2
		cat "$work/out" >&2
		exit 1
	fi
	checks=$((checks + 1))
}

bad() { # PROGRAM EXPECTED-PATTERN YAML
	printf '%s' "$3" >"$work/bad.yaml"
	local code=0
	"$1" --check --config "$work/bad.yaml" >"$work/out" 2>&1 || code=$?
	if [ "$code" != 78 ] || ! grep -Eq "$2" "$work/out"; then
		echo "FAILED: expected code 78 and /$2/, got code $code and:" >&2
		cat "$work/out" >&2
		exit 1
	fi
	checks=$((checks + 1))
}

# Certificates of its own in the place of the example's.
mkdir "$work/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
	-keyout "$work/tls/server.key" -out "$work/tls/server.pem" 2>/dev/null
for name in ca worker; do cp "$work/tls/server.pem" "$work/tls/$name.pem"; done
cp "$work/tls/server.key" "$work/tls/worker.key"
for name in production worker; do
	sed "s#/etc/jarvis/tls#$work/tls#" "docs/config/$name.yaml" >"$work/$name.yaml"
done

good "$jarvisd" docs/config/development.yaml
good "$jarvisd" "$work/production.yaml"
good "$jarvisd" docs/config/default.yaml
good "$worker" "$work/worker.yaml"
good "$worker" docs/config/worker-default.yaml
"$jarvisd" --describe | diff -u docs/config/default.yaml - >&2
"$worker" --describe | diff -u docs/config/worker-default.yaml - >&2
checks=$((checks + 2))

bad "$jarvisd" 'bad.yaml:2:3: .*storage.pth.*storage.path' $'storage:\n  pth: /x\n'
bad "$jarvisd" 'bad.yaml:2:10: grpc.edges' $'grpc:\n  edges: many\n'
bad "$jarvisd" 'bad.yaml:2:.*grpc.edges.*64' $'grpc:\n  edges: 1000\n'
bad "$jarvisd" 'bad.yaml:2:.*(duration|unit)' $'scheduler:\n  lease: 30\n'
bad "$jarvisd" 'heartbeat.*third' $'scheduler:\n  lease: 5s\n  heartbeat: 4s\n'
bad "$jarvisd" 'bad.yaml:3:' $'a: [\n\n'
bad "$jarvisd" 'bad.yaml:2:.*' $'log:\n  level: loud\n'
bad "$jarvisd" 'queues.*Batch.*a-z' $'queues: [{name: Batch}]\n'
bad "$jarvisd" 'queues.*a.*twice' $'queues: [{name: a}, {name: a, retention: {time: 1d}}]\n'
bad "$jarvisd" 'bad.yaml:2:.*queues.0..retention.time.*1s' \
	$'queues:\n- {name: a, retention: {time: 1ms}}\n'
bad "$jarvisd" 'bad.yaml:1:.*retention.bytes' $'retention: {bytes: 1}\n'
bad "$worker" 'bad.yaml:1:1: .*sevrer.*server' $'sevrer.address: x:1\n'

code=0
"$jarvisd" --check --config "$work/none.yaml" >"$work/out" 2>&1 || code=$?
[ "$code" = 78 ] && grep -q "none.yaml" "$work/out"
code=0
"$jarvisd" --check --grpc.edges=0 >"$work/out" 2>&1 || code=$?
[ "$code" = 78 ] && grep -q "grpc.edges" "$work/out"
code=0
JARVIS_GRPC_EDGES=x "$jarvisd" --check >"$work/out" 2>&1 || code=$?
[ "$code" = 78 ] && grep -q "JARVIS_GRPC_EDGES" "$work/out"
code=0
"$jarvisd" --nonsense >"$work/out" 2>&1 || code=$?
[ "$code" = 64 ]
# Flags win over the environment, which wins over the file.
printf 'grpc:\n  edges: 1000\n' >"$work/bad.yaml"
JARVIS_GRPC_EDGES=2 "$jarvisd" --check --config "$work/bad.yaml" 2>/dev/null && exit 1
printf 'grpc:\n  edges: 3\n' >"$work/ok.yaml"
JARVIS_GRPC_EDGES=2 "$jarvisd" --check --config "$work/ok.yaml" --grpc.edges=4
checks=$((checks + 6))
echo "$checks checks passed"
