#!/bin/sh
# Builds the specimen in this folder with Go 1.27.3, lets it die under GOTRACEBACK=crash and compresses what is left:
# nilfield.zst (the binary), core.zst (the kernel's core) and nilfield.stderr (what the runtime printed in the same run).
#
# The Go tree stands at /usr/local/go1.27.3 and the build happens in /tmp/spike, so that the paths inside the binary name
# nobody's home. The environment is empty but for what is named here: a core holds the environment of its process.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
goroot=/usr/local/go1.27.3
rm -rf /tmp/spike && mkdir /tmp/spike && cd /tmp/spike
cp "$here/main.go" "$here/go.mod" .
env -i HOME=/tmp/spike GOCACHE=/tmp/spike-cache GOROOT=$goroot GOTOOLCHAIN=local GOFLAGS= GO111MODULE=on CGO_ENABLED=0 \
    PATH=$goroot/bin:/usr/bin:/bin go build -o nilfield .
# coredump_filter is the kernel's default (0x33): anonymous memory, and of files only the first page with its ELF header.
ulimit -c unlimited
env -i GOTRACEBACK=crash GOMAXPROCS=2 ./nilfield 2> nilfield.stderr || true
zstd -q -19 -f nilfield core*
cp nilfield.stderr nilfield.zst "$here"
cp core*.zst "$here/core.zst"
