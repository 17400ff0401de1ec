#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.shell: shellcheck has nothing to say about any shell script, whatever its name."""
import json
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


def main():
    lint = Lint("shell")
    tool = shutil.which("shellcheck")
    if not tool:
        sys.exit("lint.shell: needs shellcheck; ./scripts/test installs it")
    names = [n for n in lint.tracked() if is_shell(lint, n)]
    lint.looked_at = len(names)
    if names:
        run = subprocess.run([tool, "-x", "-P", "SCRIPTDIR", "-f", "json", *names], cwd=lint.root,
                             capture_output=True, text=True, check=False)
        for row in json.loads(run.stdout or "[]"):
            lint.report(row["file"], row["line"], f"SC{row['code']}: {row['message']}")
        if run.returncode != 0 and not lint.findings:
            sys.exit(run.stderr)
    lint.finish()


main()
