#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.opening: how a C file begins.  The licence line first; then, in src/, an opening
comment that says what the file is for: five lines or more in a source, one in a header, in
a source of up to 60 lines and in one of settings rows, whose texts say it all."""
import re

from lintlib import Lint, read

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */"
LEAST = {".c": 5, ".h": 1}


def main():
    lint = Lint("opening")
    for name in lint.c_files("src", "tests", "bench"):
        lint.looked_at += 1
        text = read(lint.path(name))
        first, _, rest = text.partition("\n")
        if first != SPDX:
            lint.report(name, 1, f"the first line is not `{SPDX}`")
            rest = text
        if not name.startswith("src/"):
            continue
        match = re.match(r"\s*/\*.*?\*/", rest, re.DOTALL)
        lines = len(match.group(0).strip().splitlines()) if match else 0
        small = text.count("\n") <= 60 or name.endswith("/settings.c")
        least = 1 if small else LEAST[name[-2:]]
        if lines < least:
            lint.report(name, 2, f"the opening comment has {lines} lines, {least} are the "
                        "least: what is it for, how does the data look, why this way")
    lint.finish()


main()
