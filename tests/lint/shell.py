#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.shell: shellcheck has nothing to say about any shell script, whatever its name, and no
trap at the end of one can change how it ended: under `set -e` a command of it that fails does."""
import json
import re
import shutil
import subprocess
import sys

from lintlib import Lint, read


def is_shell(lint, name):
    if name.endswith((".sh", ".bash")):
        return True
    if "." in name.split("/")[-1] and not name.startswith(".ci/"):
        return False
    first = read(lint.path(name)).split("\n", 1)[0]
    return first.startswith("#!") and ("sh" in first.split("/")[-1].split()[-1])


def check_traps(lint, name):
    text = read(lint.path(name))
    for trap in re.finditer(r"^\s*trap '([^']*)' EXIT", text, re.M):
        for command in re.split(r"[;\n]\s*(?!done)", trap[1]):
            if not re.fullmatch(r"\s*(rm -r?f .*|for .*|do\b.*\|\| true|.*\|\| true|done|)\s*", command):
                lint.report(name, text.count("\n", 0, trap.start()) + 1,
                            f"'{command.strip()}' may fail in a trap, and that becomes the "
                            "script's status: end it in `|| true`")


def main():
    lint = Lint("shell")
    tool = shutil.which("shellcheck")
    if not tool:
        sys.exit("lint.shell: needs shellcheck; ./scripts/test installs it")
    names = [n for n in lint.tracked() if is_shell(lint, n)]
    lint.looked_at = len(names)
    for name in names:
        check_traps(lint, name)
    if names:
        run = subprocess.run([tool, "-x", "-P", "SCRIPTDIR", "-f", "json", *names], cwd=lint.root,
                             capture_output=True, text=True, check=False)
        for row in json.loads(run.stdout or "[]"):
            lint.report(row["file"], row["line"], f"SC{row['code']}: {row['message']}")
        if run.returncode != 0 and not lint.findings:
            sys.exit(run.stderr)
    lint.finish()


main()
