#!/bin/sh
# Writes packages.txt: every import path of the standard library in any Go release, one a line, sorted.
#
#	gen.sh GOROOT... > packages.txt
#
# Each GOROOT is an unpacked Go release. At least one must hold api/go1.txt … (the full download does, the copies that
# the go command fetches into GOMODCACHE do not), because releases before 1.10 are covered by that folder alone.
#
# The folders of src are walked instead of asking `go list std` only: `go list` answers for one GOOS, GOARCH and
# GOEXPERIMENT, and a crash text comes from any (syscall/js, internal/syscall/windows/registry, runtime/secret).
# `go list std` is asked too, where the release can run here, and must not know a package that the walk does not.
set -eu
export LC_ALL=C GO111MODULE=on GOFLAGS= GOWORK=off GOTOOLCHAIN=local
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
api=no
for root; do
	[ -d "$root/src/runtime" ] || { echo "gen.sh: $root: no Go release" >&2; exit 2; }
	# Folders with a Go file; a folder that holds nothing but tests (internal/runtime/wasitest) is a package of a test binary.
	(cd "$root/src" && find . -name '*.go' ! -path './cmd/*' ! -path '*/testdata/*' ! -path '*/_*' ! -path '*/.[!/]*' \
		-printf '%h\n') | sed -n 's,^\./,,p' | sort -u >"$tmp/walked"
	cat "$tmp/walked" >>"$tmp/all"
	if (cd "$root/src" && GOROOT=$root "$root/bin/go" list std) >"$tmp/listed" 2>/dev/null; then
		sed 's,^golang_org/,vendor/golang_org/,' "$tmp/listed" | sort -u >"$tmp/sorted"
		unknown=$(comm -13 "$tmp/walked" "$tmp/sorted" | grep -vx unsafe || true)
		[ -z "$unknown" ] || { echo "gen.sh: $root: listed but not found: $unknown" >&2; exit 1; }
	else
		echo "gen.sh: $root: its go list does not run here; walked only" >&2
	fi
	if [ -f "$root/api/go1.txt" ]; then
		api=yes
		sed -n 's/^pkg \([^ ,]*\).*/\1/p' "$root"/api/go1*.txt >>"$tmp/all"
	fi
done
[ $api = yes ] || { echo "gen.sh: no GOROOT given holds api/go1.txt" >&2; exit 2; }
sed -n 's/^\([^#	]*\)	.*/\1/p' "$here/old-packages.txt" >>"$tmp/all"
echo unsafe >>"$tmp/all"
sort -u "$tmp/all"
