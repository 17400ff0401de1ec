#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.callers: who may name a symbol, or include a header, by the objects and sources as they are.

callers.allow has sections:

    [SYMBOL ...] why so few                    only the rows below may name one of them
    [SYMBOL ...: WHERE ...] why so few         the same, of the objects that match WHERE
    [#include HEADER ...: WHERE ...] why       sources that match WHERE include none of the headers
    OBJECT     why it may                      a row; patterns, matched with the end of a path

A symbol is what nm says an object asks for, so that no macro hides a call.  The end of a path,
since a file that moves to another folder is who it was.  A row that nothing needs is a finding: what
was won is kept.
"""
import fnmatch
import re
import subprocess

from lintlib import Lint, read

ALLOW = "tests/lint/callers.allow"


class Section:
    def __init__(self, head, line):
        what, _, where = head.partition(":")
        words = what.split()
        self.line = line
        self.include = words[0] == "#include"
        self.what = words[1:] if self.include else words
        self.where = where.split() or ["*"]
        self.rows = {}  # pattern: line
        self.used = set()

    def concerns(self, path):
        return any(ends_as(path, pattern) for pattern in self.where)

    def allows(self, path):
        rows = [row for row in self.rows if ends_as(path, row)]
        self.used.update(rows)
        return bool(rows)


def ends_as(path, pattern):
    """src/gateway/mcp/ask.c ends as mcp/a*.c; a star does not leave its folder."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) >= len(wanted) and all(
        fnmatch.fnmatchcase(part, want) for part, want in zip(parts[-len(wanted):], wanted))


def sections(lint):
    found = []
    for number, line in enumerate(read(lint.path(ALLOW)).splitlines(), 1):
        head = re.match(r"\[(.+)\]\s+\S", line)
        row = re.match(r"([\w/*?.-]+)\s+\S", line)
        if head:
            found.append(Section(head[1], number))
        elif row and found:
            found[-1].rows[row[1]] = number
        elif line.strip() and not line.startswith("# "):
            lint.report(ALLOW, number, "neither [what] and why nor an object and why")
    return found


def wanted(lint):
    """(path below src/, symbol) of all that the objects ask for."""
    sources = {made: source for source, made in lint.objects().items()}
    out = subprocess.run(["nm", "-A", "-u", *sorted(sources)], capture_output=True, text=True,
                         check=True).stdout if sources else ""
    for line in out.splitlines():
        made, _, rest = line.partition(".o:")
        yield sources[made + ".o"], rest.split()[-1]


def look_at_symbols(lint, those):
    for path, symbol in wanted(lint):
        lint.looked_at += 1
        for section in those:
            if any(fnmatch.fnmatchcase(symbol, one) for one in section.what) and \
                    section.concerns(path) and not section.allows(path):
                lint.report(f"src/{path}", 1, f"calls {symbol}: that is for the rows of {ALLOW}, "
                            f"line {section.line}, which says why")


def look_at_includes(lint, those):
    for name in lint.c_files("src"):
        near = [s for s in those if s.concerns(name)]
        for number, line in enumerate(read(lint.path(name)).splitlines() if near else [], 1):
            header = re.match(r'\s*#\s*include\s*"(.+)"', line)
            for section in near if header else []:
                if any(ends_as(header[1], one) for one in section.what) and \
                        not section.allows(name):
                    lint.report(name, number, f"includes {header[1]}: see {ALLOW}, line "
                                f"{section.line}")


def main():
    lint = Lint("callers")
    all_of_them = sections(lint)
    look_at_symbols(lint, [s for s in all_of_them if not s.include])
    look_at_includes(lint, [s for s in all_of_them if s.include])
    for section in all_of_them:
        for row in set(section.rows) - section.used:
            lint.report(ALLOW, section.rows[row], f"{row} does not need it any more: remove the row")
    lint.finish("names that objects ask for")


main()
