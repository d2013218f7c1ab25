#!/usr/bin/env bash
# Builds what is committed twice, as make build does, in two clones whose folders
# have other names, and compares the programs: nothing of a build may depend on
# where and when it was made. The second build compiles every package of this
# repository anew; what others made, and Go itself, it takes from the cache.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
one=$work/one another=$work/another/place
for place in "$one" "$another"; do
  git clone --quiet --shared . "$place"
done

make --no-print-directory -C "$one" build
cd "$another"
CGO_ENABLED=0 go list -trimpath -deps -export -f '{{if and .Module .Module.Main}}{{.Export}}{{end}}' ./cmd/rollcall | xargs rm -f
GOFLAGS="$(go env GOFLAGS) -v" make --no-print-directory build 2>"$work/compiled"

compiled=$(grep -c . "$work/compiled")
if [ "$compiled" -lt 30 ]; then
  echo "only $compiled packages were compiled anew:" >&2
  cat "$work/compiled" >&2
  exit 1
fi
if ! cmp "$one/dist/rollcall" "$another/dist/rollcall"; then
  echo "two builds of the same commit differ" >&2
  exit 1
fi
echo "two builds are the same, with $compiled packages compiled anew: sha256 $(sha256sum "$one/dist/rollcall" | cut -d' ' -f1)"
