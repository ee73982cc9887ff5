#!/bin/sh
# Writes packages.txt: every import path of the standard library in any Go release, one a line, sorted.
#
#	gen.sh [-git CLONE] GOROOT... > packages.txt
#
# CLONE is a git clone of github.com/golang/go: every release tag in it is read (go1, go1.4.2, …; no betas, no
# release candidates). Each GOROOT is an unpacked release, for what the clone does not have.
#
# The folders of src are walked instead of asking `go list std` only: `go list` answers for one GOOS, GOARCH and
# GOEXPERIMENT, and a crash text comes from any (syscall/js, internal/syscall/windows/registry, runtime/secret).
# `go list std` is asked too, where the release can run here, and must not know a package that the walk does not.
set -eu
export LC_ALL=C GO111MODULE=on GOFLAGS= GOWORK=off GOTOOLCHAIN=local
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# From names of files below src to import paths: folders that hold a Go file. A folder that holds nothing but tests
# (internal/runtime/wasitest) is the package of a test binary, so tests count. testdata and _folders do not.
packages() {
	sed -n 's,/[^/]*\.go$,,p' | grep -Ev '^(cmd|pkg)(/|$)|(^|/)(testdata|_[^/]*|\.[^/]*)(/|$)' | sort -u
}

if [ "${1-}" = -git ]; then
	clone=$2
	shift 2
	for tag in $(git -C "$clone" tag -l 'go1*' | grep -Ev 'beta|rc'); do
		# Until Go 1.3 the packages lay in src/pkg (with exp and old before they left for good), and src held only commands.
		git -C "$clone" ls-tree -r --name-only "$tag" | sed -n 's,^src/pkg/,,p' | packages >>"$tmp/all"
		case $tag in
		go1 | go1.0.* | go1.[123] | go1.[123].*) ;;
		*) git -C "$clone" ls-tree -r --name-only "$tag" | sed -n 's,^src/,,p' | packages >>"$tmp/all" ;;
		esac
	done
fi
for root; do
	[ -d "$root/src/runtime" ] || { echo "gen.sh: $root: no Go release" >&2; exit 2; }
	(cd "$root/src" && find . -name '*.go' | sed 's,^\./,,') | packages >"$tmp/walked"
	cat "$tmp/walked" >>"$tmp/all"
	if (cd "$root/src" && GOROOT=$root "$root/bin/go" list std) >"$tmp/listed" 2>/dev/null; then
		unknown=$(sed 's,^golang_org/,vendor/golang_org/,' "$tmp/listed" | sort -u | comm -13 "$tmp/walked" - | grep -vx unsafe || true)
		[ -z "$unknown" ] || { echo "gen.sh: $root: listed but not found: $unknown" >&2; exit 1; }
	else
		echo "gen.sh: $root: its go list does not run here; walked only" >&2
	fi
done
echo unsafe >>"$tmp/all"
sort -u "$tmp/all"
