#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.sizes: a file has at most 800 lines and a function at most 80.

tests/lint/sizes.allow names the exceptions, each with its reason: `src/x/y.c` for a
file, `src/x/y.c:name` for a function.  A row that is no longer needed is a finding.
The soft limits, 400 and 40, are counted and said, not enforced.  A function is what
clang-format makes of it: `{` and `}` alone in the first column.
"""
import re

from lintlib import Lint, allowlist, read

FILE_SOFT, FILE_HARD = 400, 800
FUNCTION_SOFT, FUNCTION_HARD = 40, 80
NAME = re.compile(r"(\w+)\s*\(")


def functions(lines):
    """(name, first line, number of lines), counted from the opening brace to the closing."""
    opened = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            opened = number
        elif line == "}" and opened:
            head = next((lines[i] for i in range(opened - 2, -1, -1)
                         if lines[i][:1] not in (" ", "\t", "")), "")
            match = NAME.search(head)
            yield (match.group(1) if match else "?"), opened, number - opened + 1
            opened = None


def main():
    lint = Lint("sizes")
    allow = allowlist(lint.path("tests/lint/sizes.allow"))
    used, long_files, long_functions = set(), 0, 0
    for name in lint.c_files("src", "tests", "bench"):
        lint.looked_at += 1
        lines = read(lint.path(name)).splitlines()
        long_files += len(lines) > FILE_SOFT
        if len(lines) > FILE_HARD:
            used.add(name)
            if name not in allow:
                lint.report(name, 1, f"{len(lines)} lines, the limit is {FILE_HARD}: split it")
        for function, first, count in functions(lines):
            long_functions += count > FUNCTION_SOFT
            if count > FUNCTION_HARD:
                used.add(f"{name}:{function}")
                if f"{name}:{function}" not in allow:
                    lint.report(name, first, f"{function}() has {count} lines, the limit is "
                                f"{FUNCTION_HARD}: split it")
    for row in sorted(set(allow) - used):
        lint.report("tests/lint/sizes.allow", 1, f"'{row}' is within the limits now: remove it")
    for row, reason in allow.items():
        if not reason:
            lint.report("tests/lint/sizes.allow", 1, f"'{row}' has no reason beside it")
    if not lint.findings:
        print(f"over the soft limits: {long_files} files ({FILE_SOFT} lines), "
              f"{long_functions} functions ({FUNCTION_SOFT} lines)")
    lint.finish()


main()
