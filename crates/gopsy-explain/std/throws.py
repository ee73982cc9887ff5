#!/usr/bin/env python3
"""Writes throws.tsv: every text that the Go runtime puts behind "fatal error: ", with the kind gopsy gives it.

    throws.py [--table throws.tsv] [--list LIST]... [--goroot GOROOT]... [--git CLONE] > new.tsv

--table   keep what an earlier run found (a release only adds texts: to refresh, give the table and the new GOROOT)
--list    a TAB separated list of the calls in one release: kind (throw, fatal, …), family, linux, file:line, function,
          message with <x> for a part that is computed; lines that begin with # are comments
--goroot  an unpacked Go release: literal texts in src/runtime and src/internal/runtime are taken, family `old` up to
          Go 1.18, else `new`
--git     a clone of github.com/golang/go: the same from every release tag, family `old`

A family is a word for people (which part of the runtime complains); a text has the family of the first source that
names it, in the order above. The kind is decided here, by KINDS, and nowhere else.
"""

import argparse
import os
import re
import subprocess
import sys

# Each kind of the taxonomy that a throw can have, other than `runtime-throw`, with the texts it covers. Exact texts, or
# regular expressions (they begin with ^). What is not named is `runtime-throw`. README.md says why, group by group.
KINDS = {
    "all-asleep": ["all goroutines are asleep - deadlock!"],
    "goexit-deadlock": ["no goroutines (main called runtime.Goexit) - deadlock!"],
    "concurrent-map": [r"^concurrent map ", "small map with no empty slot (concurrent map writes?)"],
    "bad-unlock": [
        "sync: unlock of unlocked mutex",
        "sync: Unlock of unlocked RWMutex",
        "sync: RUnlock of unlocked RWMutex",
        "sync: inconsistent mutex state",
    ],
    "waitgroup-misuse": [r"^sync: WaitGroup\.Add called from "],
    "checkptr": [r"^checkptr: "],
    "cgo-pointer-rule": [r"^(unpinned )?Go pointer stored into non-Go memory"],
    "stack-overflow": ["stack overflow"],
    "stack-split": [
        "runtime: stack split at bad time",
        "runtime: split stack overflow",
        r"^morestack on g(0|signal)$",
        "attempt to execute system stack code on user stack",
        "attempt to execute C code on Go stack",
        "runtime: wrong goroutine in newstack",
        "runtime: stack growth during syscall",
        "runtime: stack split during syscall",
        "stack growth not allowed in system call",
        "stack growth after fork",
        "split stack after fork",
    ],
    "out-of-memory": [
        r"^out of memory\b",
        r"^(runtime|heapdump|trace|traceRegion|pageAlloc): out of memory$",
        "runtime: cannot allocate memory",
        "runtime: cannot allocate heap metadata",
        "runtime: cannot reserve arena virtual address space",
        "failed to reserve page summary memory",
        "failed to allocate aligned heap memory; too many retries",
        "memory reservation exceeds address space limit",
        "failed to allocate debug log",
        r"^(runtime: )?C malloc failed$",
    ],
    "thread-exhaustion": [
        "thread exhaustion",
        "newosproc",
        "runtime.newosproc",
        r"^newosproc: rfork failed$",
        "runtime: failed to create new OS thread",
        "runtime: thread ID overflow",
    ],
    "unexpected-fault": ["fault"],
    "runtime-fault": ["unexpected signal during runtime execution"],
    "unexpected-return-pc": ["unknown caller pc"],
    "bad-pointer": [
        "invalid pointer found on stack",
        "bad pointer",
        "bad pointer!",
        r"^objectstart: bad pointer",
        "large interface value found on stack",
    ],
    "heap-corruption": [
        # an address that the collector or an allocator's list holds is not a live object
        "found bad pointer in Go heap (incorrect use of unsafe or cgo?)",
        "invalid heap pointer",
        "found pointer to free object",
        "found bad interior pointer",
        "checkmark found unmarked object",
        "marking free object",
        "greyobject: obj not pointer-aligned",
        "bad pointer in scanbitvector",
        "bad pointer in write barrier",
        "cannot find path to bad pointer",
        "markallocated: bad pointer",
        "markfreed: bad pointer",
        "markspan: bad pointer",
        "scanblock: scanned invalid object",
        "failed to find block beginning",
        "object is outside of mheap",
        r"^nextReusable(NoScan)?: ",
        # spans: counts, lists and states that do not agree
        "sweep increased allocation count",
        r"^s\.(allocCount|freeindex) ",
        "freeIndex is not valid",
        "refill of span with free space remaining",
        "refill of span with reusable pointers remaining on pointer free list",
        "refill on a nonempty span",
        "uncaching span but s.allocCount == 0",
        "uncaching full span",
        r"^span has no free ",
        "span already on list",
        "span contains too many objects",
        "candidate mspan for allocation is not free",
        "candidate mspan for allocation is too small",
        "bad allocCount",
        "bad span state",
        "bad manualFreeList",
        "bad stackfreelist",
        "freeing stack not in a stack span",
        "stack not at start of span",
        "still in list",
        r"^[mM]Span(List)?[._]([iI]nsert|[rR]emove|[sS]weep: bad)",
        r"^(mheap\.f|MHeap_F)ree(Span)?Locked - invalid ",
        r"^MHeap_AllocLocked - ",
        r"^MHeap_SplitSpan ",
        "MCache_Refill: the list is not empty",
        "gc: unswept span",
        "swept cached span",
        "sweep of incache span",
        "free into unswept span",
        "freespan into cached span",
        "freeSpan given cached span",
        "runtime: freeallspecials: unswept span",
        "non in-use span in unswept list",
        "non in-use span found with specials bit set",
        "user arena span is on the wrong list",
        "span is not for a user arena",
        "span on userArena.faultList has invalid size",
        "invalid span in heapArena for user arena",
        "expected span with inline mark bits",
        "runtime: span inline mark bits nil?",
        "runtime: pointer to heap type header nil?",
        "bad sweepgen in refill",
        "bad flushGen",
        "lost mcache",
        "empty span",
        "bad special kind",
        # mark bits, pointer bits, work buffers
        "bad pointer bits written for small object",
        "marks don't match scans for span with pointer",
        "setCheckmarked and isCheckmarked disagree",
        r"^(noscan object in scanSpan|scan[oO]bject (n == 0|of a noscan object))$",
        "markBits overflow",
        "markspan: bad bits",
        "markspan: span bits not zero",
        "bad bits in markallocated",
        "unexpected garbage collection bits",
        "checkfreed: not freed",
        r"^(dispose: )?workbuf is (not )?empty$",
        "putpartial: bad Workbuf b.nobj",
        "bad write barrier buffer bounds",
        "bad magic division",
        "found non-zeroed tail of allocation",
        # pages and free lists
        "bad summary data",
        "double scavenge",
        "allocated pages below zero?",
        "too many pages allocated in chunk?",
        "grew heap, but no adequate free space found",
        "grew heap, but no adequate free span found",
        "potentially overlapping in-use allocations detected",
        "arena already initialized",
        "span set block with unpopped elements found in reset",
        "fully empty unfreed span set block found in reset",
        "attempt to clear non-empty span set",
        r"^mem: (infinite loop|overlapping blocks|uninitialised memory|unordered list)$",
        "free list corrupted",
        "free runtime·mlookup",
        r"^(bad|invalid) freelist$",
        "freelist empty",
        "freelist not empty",
        "invalid free",
        "freeing too small block",
        "finalizer table inconsistent",
        # the treap of free spans, Go 1.11 … 1.13
        r"\btreap\b(?! rotate)",
        "node is not its parent's child",
        "failed to find minimal node matching filter",
        "neighboring scavenged spans boundary is not a physical page boundary",
    ],
}

# Texts whose whole words are computed: nothing to match.
NOTHING = re.compile(r"^<[^>]*>$|^<text>")
CALL = r'(runtime·)?\b(throw|fatal)\("[^"\\]*(\\.[^"\\]*)*"'


def kind(message):
    for slug, texts in KINDS.items():
        for text in texts:
            exact = not (text.startswith("^") or text.startswith("\\b"))
            if message == text if exact else re.search(text, message):
                return slug
    return "runtime-throw"


def literals(calls):
    """The texts of lines such as `throw("sweep increased`, each up to the first computed part."""
    for call in calls:
        text = call[call.index('"') + 1 : -1].replace('\\"', '"').replace("\\n", "").replace("\\t", " ")
        if text.endswith(" "):  # throw("cannot pass " + …)
            text += "<x>"
        if text.strip():
            yield text


def from_goroot(root):
    for top in ("src/runtime", "src/internal/runtime"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith(".go") and not name.endswith("_test.go") and "testdata" not in folder:
                    with open(os.path.join(folder, name), encoding="utf-8") as f:
                        yield from literals(m.group(0) for m in re.finditer(CALL, f.read()))


def from_git(clone):
    git = ["git", "-C", clone]
    tags = subprocess.run(git + ["tag", "-l", "go1*"], capture_output=True, text=True, check=True).stdout.split()
    for tag in tags:
        if re.search("beta|rc", tag):
            continue
        # The sources of Go 1.0 … 1.3 lay in src/pkg; until Go 1.4 much of the runtime was C.
        found = subprocess.run(
            git + ["grep", "-hoE", CALL.replace(r"\b", ""), tag, "--", "src/pkg/runtime", "src/runtime", ":!*_test.go", ":!*/testdata/*"],
            capture_output=True, text=True,
        )
        yield from literals(found.stdout.splitlines())


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--table")
    args.add_argument("--list", action="append", default=[])
    args.add_argument("--goroot", action="append", default=[])
    args.add_argument("--git")
    args = args.parse_args()

    families = {}

    def add(message, family):
        message = message.removesuffix("\\n")
        # A text cut at its first computed part says no more than the same text written out.
        if NOTHING.match(message) or (message.endswith("<x>") and any(m.startswith(message[:-3]) for m in families)):
            return
        families.setdefault(message, family)

    if args.table:
        with open(args.table, encoding="utf-8") as f:
            for line in f:
                if not line.startswith("#"):
                    message, _, family = line.rstrip("\n").split("\t")
                    add(message, family)
    for path in args.list:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.startswith(("throw\t", "fatal\t")):
                    _, family, _, _, _, message = line.rstrip("\n").split("\t")
                    add(message, family)
    # Passed as variables, so no list of calls holds them (cgocheck.go; the second text until Go 1.20).
    add("unpinned Go pointer stored into non-Go memory", "cgo-checkptr")
    add("Go pointer stored into non-Go memory", "cgo-checkptr")
    for root in args.goroot:
        with open(os.path.join(root, "VERSION"), encoding="utf-8") as f:
            minor = int(re.match(r"go1\.(\d+)", f.read()).group(1))
        for message in from_goroot(root):
            add(message, "old" if minor < 19 else "new")
    if args.git:
        for message in sorted(set(from_git(args.git))):
            add(message, "old")

    rows = sorted((message, kind(message), family) for message, family in families.items())
    out = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)
    out.write("# message\tkind\tfamily\n")
    for row in rows:
        out.write("\t".join(row) + "\n")
    used = {k for _, k, _ in rows}
    for slug, texts in KINDS.items():
        for text in texts:
            exact = not (text.startswith("^") or text.startswith("\\b"))
            if not any(m == text if exact else re.search(text, m) for m in families):
                print(f"throws.py: {slug}: no text matches {text!r}", file=sys.stderr)
    print(f"throws.py: {len(rows)} texts, {len(used)} kinds", file=sys.stderr)


if __name__ == "__main__":
    main()
