#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.names: every file that a comment or a document names exists.

A name is whatever ends as our sources do (`relay.c`, `remote/hold.c`) or begins with a folder of
the top (`tests/e2e/run`).  It holds if some file of ours ends with it: a document that speaks of
one folder need not repeat its path.  `*`, `?` and `{a,b}` are read as a shell does; a capital
stands for what the reader puts there (`test_X.c`).  Names of others' files, and of files that are made
when something runs, stand in names.allow with the reason; a row that nothing needs is a finding.
"""
import fnmatch
import io
import itertools
import os
import re
import tokenize

from lintlib import Lint, allowlist, read

TOPS = "src|tests|docs|scripts|bench|cmake|examples"  # tools/call is a method of MCP
NAME = re.compile(r"(?<![\w./$<~@-])(?:\.\./|\./)?("
                  r"[\w*?{},-]+(?:/[\w*?{},.-]+)*\.(?:c|h|py|sh|mjs|md|cmake|allow|in)(?![\w/.*-])(?!\(|\.\w)"
                  rf"|(?:{TOPS})/[\w*?{{}},./-]*[\w*}}](?![\w<]))")
URL = re.compile(r"\b[a-z]+://\S+|<[\w/.-]+\.h>")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
ALLOW = "tests/lint/names.allow"


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def only(text, pattern):
    """The text with all blanked but what matches, so that lines stay what they are."""
    out, at = [], 0
    for match in pattern.finditer(text):
        out += [blank(text[at:match.start()]), match.group()]
        at = match.end()
    return "".join(out) + blank(text[at:])


def of_c(text):
    return only(STRING.sub(lambda m: " " * len(m.group()), text), COMMENT)


def of_python(text):
    """Comments, and the texts between three quotes."""
    lines = [""] * (text.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or \
                token.type == tokenize.STRING and token.string.startswith('"""'):
            for i, line in enumerate(token.string.split("\n")):
                lines[token.start[0] - 1 + i] += " " + line
    return "\n".join(lines)


def of_hashes(text):
    return only(text, re.compile(r"(?:^|(?<=\s))#[^\n]*"))


def words_of(name, text):
    """What of a file people read, line by line; None: nothing that is looked at."""
    if name.endswith(".md"):
        return text
    if name.endswith((".c", ".h", ".mjs")):
        return of_c(text)
    if name.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
        return of_python(text)
    if name.endswith((".sh", ".cmake", "CMakeLists.txt", ".yaml", ".allow")) or text.startswith("#!"):
        return of_hashes(text)
    return None


def spelled_out(name):
    """Each of {a,b}."""
    parts = re.split(r"\{([^{}]*)\}", name)
    for choice in itertools.product(*[p.split(",") if i % 2 else [p] for i, p in enumerate(parts)]):
        yield "".join(choice)


class Known:
    def __init__(self, names):
        self.ends = set()
        for name in names:
            parts = name.split("/")
            self.ends.update("/".join(parts[i:]) for i in range(len(parts)))
            self.ends.update("/".join(parts[:i]) for i in range(1, len(parts)))

    def has(self, name):
        name = re.sub(r"(?<![a-z])[A-Z]+(?![a-z])", "*", name) if name.rsplit("/")[-1] not in \
            self.ends else name
        if name in self.ends:
            return True
        return any(c in name for c in "*?") and any(fnmatch.fnmatchcase(end, name) for end in self.ends)


def main():
    lint = Lint("names")
    names = lint.tracked()
    known = Known(names)
    rows = allowlist(lint.path(ALLOW))
    used = set()
    for name in names:
        if name.split("/")[0] in ("LICENSE",) or name.startswith("tests/data/") or \
                os.path.getsize(lint.path(name)) > 1 << 20:
            continue
        words = words_of(name, read(lint.path(name)))
        if words is None:
            continue
        lint.looked_at += 1
        for number, line in enumerate(words.splitlines(), 1):
            for match in NAME.finditer(URL.sub(" ", line)):
                said = match.group(1).rstrip("./,")
                here = os.path.normpath(os.path.join(os.path.dirname(name), said))
                for one in spelled_out(said):
                    row = next((r for r in rows if fnmatch.fnmatchcase(one, r)), None)
                    if known.has(one) or here in known.ends:
                        continue
                    if row:
                        used.add(row)
                    else:
                        lint.report(name, number, f"there is no {one}: say where it went")
    for row in set(rows) - used:
        lint.report(ALLOW, 1, f"nobody names {row}: remove the row")
    lint.finish()


main()
