# SPDX-License-Identifier: Apache-2.0
"""What a call may cost: instructions by path, held against bench/budget.json.

    bench/run --budget            counts each path; over the file's figure by more than the slack fails,
                                  under it by more asks for a lower figure and fails too
    bench/run --budget --write    writes what is counted; in a commit of its own, which says why

Counted as `--counts` does (counts.py): callgrind, one worker, calls one after another over one
connection, with one commit of the books for all of them.  What would make the same program count
otherwise elsewhere is kept out:

- SHA-256 and what else libcrypto does: it has other code for each processor.  What signing a request
  takes beside that is counted.
- libc's copies, chosen by the processor too: they are told that it can do little (GLIBC_TUNABLES).
- Timers: calls are counted while the program has nothing else to do, in rounds, of which the least
  is taken.  A look at the log of the store, once in a while, is 2,000 instructions a call.
- The compiler and libc: the file names them.  With others the figures are shown and not judged.
"""
import json
import os
import platform
import re
import shutil
import subprocess

from harness import counts, mcp, measure, translation
from harness.servers import Unavailable, output

CALLS, ROUNDS, WARM, SLACK = 200, 3, 60, 0.03
FILE = "bench/budget.json"
# The oldest processor that all have in common; a valgrind that knows a new one changes nothing.
PLAIN = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-SSSE3,-SSE4_1,"
                      "-SSE4_2,-MOVBE,-BMI1,-BMI2,-LZCNT,-RTM,-Fast_Unaligned_Copy",
}
NOT_OURS = re.compile(r"/(libcrypto|libssl)\.so|/ld-linux")


def plain(base):
    """The class of a server whose instructions are counted, on a processor like any other."""
    class Plain(counts.under(base, counts.callgrind)):
        def environment(self):
            return {**super().environment(), **PLAIN}

    return Plain


PATHS = (  # name, server, link
    ("chat", translation.Translating, lambda s: counts.chat(s, False, "passed")),
    ("stream", translation.Translating, lambda s: counts.chat(s, True, "passed")),
    ("translated", translation.Translating, lambda s: counts.chat(s, False, "anthropic")),
    ("translated stream", translation.Translating, lambda s: counts.chat(s, True, "anthropic")),
    ("signed", translation.Translating, lambda s: counts.chat(s, False, "bedrock")),
    ("tools/call", mcp.McpKanmon, lambda s: counts.tool(s, "tools/call")),
    ("tools/list", mcp.McpKanmon, lambda s: counts.tool(s, "tools/list")),
)


def own_instructions(path):
    """Of one thread's profile: what was spent in objects that are counted, itself."""
    objects, current, inclusive, spent = {}, "", False, 0
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            named = re.match(r"ob=\((\d+)\)(?: (.+))?", line)
            if named:
                current = objects.setdefault(named[1], (named[2] or "").strip())
            elif line.startswith("cob="):
                named = re.match(r"cob=\((\d+)\)(?: (.+))?", line)
                objects.setdefault(named[1], (named[2] or "").strip())
            elif line.startswith("calls="):
                inclusive = True
            elif line[0].isdigit() or line[0] in "+-*":
                if not inclusive and not NOT_OURS.search(current):
                    spent += int(line.split()[1])
                inclusive = False
    return spent


def count_round(server, link):
    pid, spent = server.pids()[-1], 0
    counts.control(pid, "-z")
    counts.control(pid, "-i", "on")
    link.many(CALLS)
    counts.commit(server)
    counts.control(pid, "-i", "off")
    counts.control(pid, "-d")
    for name in os.listdir(server.dir):
        if name.startswith("callgrind.out."):
            path = os.path.join(server.dir, name)
            spent += own_instructions(path)
            os.remove(path)
    if not spent:
        raise Unavailable(f"callgrind counted nothing of process {pid}")
    return round(spent / CALLS)


def count(server, make):
    link = make(server)
    link.many(WARM)
    counts.commit(server)
    return min(count_round(server, link) for _ in range(ROUNDS))


def count_of(base, place, say):
    """The paths of one server."""
    server, found = counts.begun(plain(base), place), {}
    try:
        for name, of, make in PATHS:
            if of is base:
                found[name] = count(server, make)
                say(f"{name}: {found[name]:,} instructions a call")
    finally:
        server.stop()
    return found


def count_all(place, say):
    found = {}
    with open(os.path.join(place.work, "upstream.log"), "ab") as log:
        for base in (translation.Translating, mcp.McpKanmon):
            up = mcp.Echo(place.build, log) if base is mcp.McpKanmon else \
                measure.Mock(os.path.join(place.build, "bench/bench_mock"), log)
            place.mock = up.port
            try:
                found.update(count_of(base, place, say))
            finally:
                up.stop()
    return found


def built_with():
    """What a figure depends on besides our sources."""
    return {"compiler": output("gcc", "--version").splitlines()[0],
            "libc": output("ldd", "--version").splitlines()[0].split()[-1],
            "machine": platform.machine()}


def judge(wanted, found):
    """Lines of what is wrong."""
    for name in sorted({*wanted, *found}):
        if name not in wanted or name not in found:
            yield f"{name}: no such {'line in ' + FILE if name in found else 'path'}"
            continue
        off = found[name] / wanted[name] - 1
        if off > SLACK:
            yield (f"{name}: {found[name]:,} instructions a call, {off:+.1%} over the budget of "
                   f"{wanted[name]:,}: make it cheaper, or raise the line in a commit of its own "
                   "(bench/run --budget --write)")
        elif off < -SLACK:
            yield (f"{name}: {found[name]:,} instructions a call, {off:+.1%}: lower the budget of "
                   f"{wanted[name]:,}, so that it stays (bench/run --budget --write)")


def main(place, write, say):
    if not shutil.which("valgrind"):
        raise Unavailable("--budget needs valgrind")
    path = os.path.join(place.root, FILE)
    found, here = count_all(place, say), built_with()
    if write:
        with open(path, "w", encoding="utf-8") as f:
            json.dump({**here, "calls": CALLS, "instructions": found}, f, indent=1)
            f.write("\n")
        say(f"wrote {FILE}")
        return 0
    with open(path, encoding="utf-8") as f:
        budget = json.load(f)
    other = [k for k, v in here.items() if budget[k] != v]
    for name in other:
        say(f"not judged: the {name} is {here[name]}, the budget's {budget[name]}")
    wrong = [] if other else list(judge(budget["instructions"], found))
    for line in wrong:
        say(line)
    return 1 if wrong else 0
