#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.headers: every header of src/ compiles alone, with gcc and with clang, under the
build's own warnings.  So nobody has to know what to include before it."""
import os
import shutil
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
    # One compiler's own switches (sanitizers, coverage) are not the other's.
    kept = [w for w in kept if not w.startswith(("-fsanitize", "-fno-sanitize", "--coverage"))]
    include = sorted({w for f in flags for i, w in enumerate(f[1])
                      if w.startswith("-I") or f[1][i - 1] == "-isystem" or w == "-isystem"})
    include = [w for w in include if w.startswith("-I")]
    compilers = [c for c in ("gcc", "clang") if shutil.which(c)]
    if len(compilers) < 2:
        sys.exit("lint.headers: needs gcc and clang; ./scripts/test installs them")

    def check(job):
        compiler, name = job
        # Through stdin, so that "#pragma once in main file" cannot be what is wrong.
        text = f'#include "{name[len("src/"):]}"\nint km_lint_header_alone(void);\n'
        run = subprocess.run([compiler, *kept, *include, "-fsyntax-only", "-x", "c", "-"],
                             cwd=directory, input=text, capture_output=True, text=True, check=False)
        return compiler, name, run

    jobs = [(c, n) for n in lint.c_files("src", suffixes=(".h",)) for c in compilers]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for compiler, name, run in pool.map(check, jobs):
            lint.looked_at += 1
            if run.returncode != 0:
                first = next((s for s in run.stderr.splitlines() if "error" in s), run.stderr)
                lint.report(name, 1, f"{compiler}: {first}")
    lint.finish("compilations")


main()
