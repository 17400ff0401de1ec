#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.format: the layout is what clang-format 16 makes of it; ./scripts/format does it.

Three things are the author's: the columns of trailing comments, the layout of tables (an
array, or anything with an initialiser at file level: clang-format knows no rows), and that
of macros.
A line over 100 columns is a finding wherever it is.

    format.py SOURCE_DIR [FILE]         what is wrong
    format.py --fix SOURCE_DIR [FILE]   puts it right
"""
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

FIX = "--fix" in sys.argv
if FIX:
    sys.argv.remove("--fix")

from lintlib import Lint, read  # noqa: E402 (it reads the arguments)

COLUMNS = 100
TRAILING = re.compile(r"^(.*\S)\s+(/\*.*)$")
TABLE = re.compile(r"^(?:\s*[^=()]*\] = \{|\w[^=()]* = \{)")


def authors_lines(lines):
    """The numbers of the lines that are the author's: tables and macros."""
    taken, table, macro = set(), False, False
    for number, line in enumerate(lines, 1):
        macro = macro or re.match(r"\s*#\s*define\b", line) is not None
        table = table or (not macro and TABLE.match(line) is not None)
        if macro or table:
            taken.add(number)
        if table and line.startswith("}"):  # } rows[] = { : the struct is part of it
            back = number - 1
            while back > 0 and lines[back - 1][:1] in (" ", ""):
                back -= 1
            taken.update(range(back, number))
        macro = macro and line.endswith("\\")
        table = table and not line.endswith("};")
    return taken


def ranges(lines):
    """--lines options for what clang-format decides."""
    taken = authors_lines(lines)
    options, first = [], None
    for number in range(1, len(lines) + 2):
        free = number <= len(lines) and number not in taken
        if free and first is None:
            first = number
        elif not free and first is not None:
            options.append(f"--lines={first}:{number - 1}")
            first = None
    return options


def restored(lines, formatted):
    """The formatted text with trailing comments back in the columns their author chose."""
    chosen = {(m.group(1), m.group(2)): line for line in lines if (m := TRAILING.match(line))}
    out = []
    for line in formatted.splitlines():
        match = TRAILING.match(line)
        out.append(chosen.get((match.group(1), match.group(2)), line) if match else line)
    return "\n".join(out) + "\n"


def look(tool, lint, name):
    """[(line, what)] of one file; with --fix, what is left after putting it right."""
    text = read(lint.path(name))
    lines = text.splitlines()
    run = subprocess.run([tool, "--style=file", *ranges(lines), name], cwd=lint.root,
                         capture_output=True, text=True, check=True)
    wanted = restored(lines, run.stdout)
    found = [(n, f"over {COLUMNS} columns: break it by hand")
             for n, line in enumerate(wanted.splitlines(), 1) if len(line) > COLUMNS]
    if FIX and wanted != text:
        with open(lint.path(name), "w", encoding="utf-8") as f:
            f.write(wanted)
    elif wanted != text:
        pairs = zip(lines + [""], wanted.splitlines() + [""])
        found.append((next((n for n, (a, b) in enumerate(pairs, 1) if a != b), 1),
                      "run ./scripts/format"))
    return found


BATCH = 50 # files to a process; starting one takes as long as laying out several files


def suspects(tool, lint, names):
    """Those of the files that the tool would change somewhere, or that have a line too long."""
    run = subprocess.run([tool, "--style=file", "--output-replacements-xml", *names], cwd=lint.root,
                         capture_output=True, text=True, check=True)
    answers = run.stdout.split("<?xml ")[1:]
    if len(answers) != len(names):
        sys.exit(f"lint.format: {len(answers)} answers for {len(names)} files")
    return [name for name, answer in zip(names, answers)
            if "<replacement " in answer or max(map(len, read(lint.path(name)).splitlines()),
                                                default=0) > COLUMNS]


def main():
    lint = Lint("format")
    tool = shutil.which("clang-format-16")
    if not tool:
        sys.exit("lint.format: needs clang-format-16; ./scripts/test installs it")
    names = [os.path.relpath(os.path.abspath(n), lint.root) for n in sys.argv[2:]
             if os.path.isfile(n)]  # every lint is given the build's folder too
    names = names or lint.c_files("src", "tests", "bench")
    lint.looked_at = len(names)
    batches = [names[i:i + BATCH] for i in range(0, len(names), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        names = [n for some in pool.map(lambda b: suspects(tool, lint, b), batches) for n in some]
        for name, found in zip(names, pool.map(lambda n: look(tool, lint, n), names)):
            for line, what in found:
                lint.report(name, line, what)
    lint.finish()


main()
