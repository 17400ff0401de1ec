#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.headers: every header of src/ compiles alone, under the build's own warnings.  So nobody
has to know what to include before it.  (What another compiler thinks of it, the builds with that
compiler say: every header is part of one.)"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from lintlib import Lint


def main():
    lint = Lint("headers")
    src = os.path.realpath(lint.path("src")) + "/"
    flags = [f for p, f in lint.compile_flags().items() if p.startswith(src)]
    if not flags:
        sys.exit("lint.headers: no source of src/ in compile_commands.json: configure first")
    kept, directory = flags[0][1], flags[0][2]
    include = sorted({w for f in flags for i, w in enumerate(f[1])
                      if w.startswith("-I") or f[1][i - 1] == "-isystem" or w == "-isystem"})
    include = [w for w in include if w.startswith("-I")]
    compiler = flags[0][0]

    def check(name):
        # Through stdin, so that "#pragma once in main file" cannot be what is wrong.
        text = f'#include "{name[len("src/"):]}"\nint km_lint_header_alone(void);\n'
        return name, subprocess.run([compiler, *kept, *include, "-fsyntax-only", "-x", "c", "-"],
                                    cwd=directory, input=text, capture_output=True, text=True,
                                    check=False)

    names = lint.c_files("src", suffixes=(".h",))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, run in pool.map(check, names):
            lint.looked_at += 1
            if run.returncode != 0:
                first = next((s for s in run.stderr.splitlines() if "error" in s), run.stderr)
                lint.report(name, 1, first)
    lint.finish("headers")


main()
