#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.protocol: statements go to PostgreSQL by the extended protocol, without waiting.

The simple protocol runs every statement of a text, so that `COMMIT; DROP ...` escapes whatever
was begun around it; the extended one refuses a second statement.  The blocking forms would stop a
loop besides.  Looked for as words, since libpq is opened and its functions are found by name.
"""
import os
import re

from lintlib import Lint, blank_comments_and_strings, read

BANNED = re.compile(r"\bPQ(exec\w*|sendQuery(?!Params\b|Prepared\b)\w*|prepare|describe\w*|fn|"
                    r"connectdb\w*|setdb\w*|reset|putCopy\w*|cancel|requestCancel)\b")
OPENED = re.compile(r"^\s*XX\((PQ\w+)\)", re.MULTILINE)


def main():
    lint = Lint("protocol")
    library = lint.path("src/pg/lib.h")
    allowed = set(OPENED.findall(read(library))) if os.path.exists(library) else set()
    for name in lint.c_files("src"):
        lint.looked_at += 1
        text = blank_comments_and_strings(read(lint.path(name)))
        for number, line in enumerate(text.splitlines(), 1):
            for match in BANNED.finditer(line):
                lint.report(name, number, f"{match.group()} is not PQsendQueryParams: one text "
                            "could be several statements, or the loop would wait")
            for word in re.findall(r"\bPQ[a-z]\w+\b", line):
                if word not in allowed and not name.startswith("src/pg/"):
                    lint.report(name, number, f"{word}: libpq is used in src/pg/ only")
    lint.finish()


main()
