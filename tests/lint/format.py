#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.format: the layout is what clang-format 16 makes of it; ./scripts/format does it."""
import os
import re
import shutil
import subprocess
import sys

from lintlib import Lint


def main():
    lint = Lint("format")
    tool = shutil.which("clang-format-16")
    if not tool:
        sys.exit("lint.format: needs clang-format-16; ./scripts/test installs it")
    names = lint.c_files("src", "tests", "bench")
    lint.looked_at = len(names)
    if names:
        run = subprocess.run([tool, "--style=file", "--dry-run", "-Werror", "--ferror-limit=1",
                              *names], cwd=lint.root, capture_output=True, text=True, check=False)
        for line in run.stderr.splitlines():
            match = re.match(r"(.+?):(\d+):\d+: error: (.*)", line)
            if match and os.path.exists(lint.path(match.group(1))):
                lint.report(match.group(1), match.group(2), "run ./scripts/format")
        if run.returncode != 0 and not lint.findings:
            sys.exit(run.stderr)
    lint.finish()


main()
