#!/usr/bin/env python3
"""Writes throwers.tsv: the functions whose throws are all of one kind, for deaths whose words are lost.

    throwers.py GOROOT... > throwers.tsv

GOROOT   an unpacked Go release. A function is listed if in all of them every text that it throws has the same kind
         (KINDS of throws.py), and none is computed as a whole.
"""

import os
import re
import sys

from throws import kind, literals

PACKAGES = ["runtime", "internal/runtime", "runtime/internal", "internal/sync", "sync"]
FUNC = re.compile(r"^func (?:\((?:\w+ )?(\*?)(\w+)(?:\[[^]]*\])?\) )?(\w+)")
CALL = re.compile(r'(?<![\w.])(throw|fatal)\((?P<text>"[^"\\]*(?:\\.[^"\\]*)*")?')
OTHERS = "windows darwin freebsd netbsd openbsd dragonfly solaris plan9 aix illumos js wasm wasip1 android ios".split()
OTHERS += "386 arm loong64 mips mipsx mips64x mips64 mipsle mips64le ppc64 ppc64x ppc64le riscv64 s390x".split()


def files(root):
    for package in PACKAGES:
        top = os.path.join(root, "src", package)
        for folder, _, names in os.walk(top):
            for name in sorted(names):
                words = name.removesuffix(".go").split("_")
                other = words[-1] in OTHERS or words[-1] == "test" or len(words) > 2 and words[-2] in OTHERS
                if name.endswith(".go") and not other and "testdata" not in folder:
                    yield os.path.relpath(folder, os.path.join(root, "src")), os.path.join(folder, name)


def throws_of(root):
    """The functions of a release, each with the kind of a text that it throws; None for a text that is computed."""
    for package, path in files(root):
        function = None
        with open(path, encoding="utf-8") as f:
            for line in f:
                if begins := FUNC.match(line):
                    star, of, name = begins.groups()
                    receiver = "" if not of else f"({star}{of})." if star else f"{of}."
                    function = f"{package}.{receiver}{name}"
                    continue
                for call in CALL.finditer(line.split("//")[0]):
                    text = call.group("text")
                    for message in literals([f"throw({text}"]) if text else [None]:
                        yield function, message and kind(message)


def main():
    kinds = {}
    for root in sys.argv[1:]:
        for function, of in throws_of(root):
            kinds.setdefault(function, set()).add(of)
    out = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)
    out.write("# function\tkind\n")
    single = sorted((f, next(iter(k))) for f, k in kinds.items() if f and len(k) == 1 and None not in k)
    for row in single:
        out.write("\t".join(row) + "\n")
    print(f"throwers.py: {len(single)} of {len(kinds)} functions", file=sys.stderr)


main()
