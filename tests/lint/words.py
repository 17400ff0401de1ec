#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.words: what must not be in any tracked file.

Paths of one machine, hosts of package registries (a mirror set up for the machine must
keep working, so nothing may name one), notes of unfinished work, and anything that
looks like a real key.  The patterns are put together from halves so that this file
does not find itself.
"""
import re

from lintlib import Lint, read


def host(*parts):
    return r"(?<![\w.-])" + r"\.".join(parts) + r"(?![\w-])"


WORDS = [
    (r"/wor" r"k/(?:main|wt|shared|bin|brief)", "a path of one machine"),
    (r"(?<![\w.])/roo" r"t/", "a path of one machine"),
    (r"(?<![\w.$}])/hom" r"e/[a-z]+/", "a path of one machine"),
    (host("registry", "npm" "js", "org"), "a registry host"),
    (host("registry", "yarn" "pkg", "com"), "a registry host"),
    (host("py" "pi", "org"), "a registry host"),
    (host("files", "python" "hosted", "org"), "a registry host"),
    (host("proxy", "golang", "org"), "a registry host"),
    (host("sum", "golang", "org"), "a registry host"),
    (host("(?:index|static)?\\.?crates", "io"), "a registry host"),
    (r"(?:deb|ftp[.\w]*|security|snapshot)\.debi" r"an\.org", "a registry host"),
    (r"\bTO" r"DO\b|\bFIX" r"ME\b", "a note of unfinished work: finish it, or open an issue"),
    (r"\bsk-(?:proj|ant-api\d\d)-[A-Za-z0-9_-]{40,}", "what looks like a real key"),
    (r"-----BEGIN (?:RSA |EC )?PRIV" r"ATE KEY-----", "a private key: make it when the test runs"),
    (r"^(?:<{7}|>{7}) ", "a conflict marker"),
]
PATTERN = re.compile("|".join(f"({word})" for word, _ in WORDS), re.MULTILINE)
# One of these is in whatever the above finds; looking for them first is twenty times as quick.
HINT = re.compile("|".join((
    "/wor" "k/", "/roo" "t/", "/hom" "e/", "npm" "js", "yarn" "pkg", "py" "pi", "python" "hosted",
    "golang", "crates", "debi" "an", "TO" "DO", "FIX" "ME", "sk-", "PRIV" "ATE", "<{7}", ">{7}")))


def main():
    lint = Lint("words")
    for name in lint.tracked():
        if name.startswith(("build/", ".git/")):
            continue
        with open(lint.path(name), "rb") as f:
            if b"\0" in f.read(8000):
                continue
        lint.looked_at += 1
        text = read(lint.path(name))
        if not HINT.search(text):
            continue
        for match in PATTERN.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            lint.report(name, line, f"'{match.group(0).strip()}': {WORDS[match.lastindex - 1][1]}")
    lint.finish()


main()
