#!/usr/bin/env bash
# Builds the image of deploy/Dockerfile without a daemon and without a base
# image, and tries it: the binary is built here, buildah takes the folder it is
# in for the Dockerfile's first stage, and the result is unpacked, started and
# asked for its health. Needs Go, buildah and root; leaves dist/image.tar.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v buildah >/dev/null; then
  echo "buildah is not installed: the image was not built" >&2
  [ "${CI:-}" = true ] && exit 1
  exit 0
fi

version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
rm -rf dist/stage dist/image.tar
mkdir -p dist/stage/image/data
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o dist/stage/image/rollcall ./cmd/rollcall
cp /etc/ssl/certs/ca-certificates.crt dist/stage/image/

storage=$(mktemp -d)
pid=
cleanup() {
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
  rm -rf "$storage"
}
trap cleanup EXIT
buildah=(buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs)

"${buildah[@]}" bud --quiet --isolation chroot --format docker \
  --build-context "build=dist/stage" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  -f deploy/Dockerfile -t rollcall:latest . >/dev/null
"${buildah[@]}" push --quiet rollcall:latest docker-archive:dist/image.tar:rollcall:latest

# Try it: what is in the image, and nothing else, has to serve.
container=$("${buildah[@]}" from --quiet rollcall:latest)
tree=$("${buildah[@]}" mount "$container")
echo "the image holds:"
(cd "$tree" && find . -type f -printf '  %p %s bytes\n')
[ "$(stat -c %u:%g "$tree/app/data")" = 65532:65532 ]
grep -q 'BEGIN CERTIFICATE' "$tree/etc/ssl/certs/ca-certificates.crt"
env -i PATH="$PATH" SCIM_DATA_DIR=/app/data ROLLCALL_RUN_AS=65532:65532 SCIM_API_TOKEN=a-token-for-this-trial-only \
  chroot "$tree" /rollcall serve --listen 127.0.0.1:0 --log-format json 2>"$storage/log" &
pid=$!
touch "$storage/log" "$storage/health" # which are read below, maybe before anything is written
for _ in $(seq 600); do
  kill -0 "$pid" 2>/dev/null || break
  at=$(sed -n 's/.*"msg":"serving".*"listen":"\([^"]*\)".*/\1/p' "$storage/log")
  if [ -n "$at" ] && env -i PATH="$PATH" SHOWCASE_LISTEN_ADDR="$at" chroot "$tree" /rollcall healthcheck 2>"$storage/health"; then
    user=$(stat -c %u "/proc/$pid")
    [ "$user" = 65532 ] || { echo "the server runs as user $user" >&2; exit 1; }
    kill -TERM "$pid"
    wait "$pid"
    pid=
    echo "built dist/image.tar ($(du -h dist/image.tar | cut -f1)): serves as user $user, is healthy, stops as asked"
    exit 0
  fi
  sleep 0.1
done
cat "$storage/log" "$storage/health" >&2
echo "the image's server did not become healthy" >&2
exit 1
