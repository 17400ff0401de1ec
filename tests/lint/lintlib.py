# SPDX-License-Identifier: Apache-2.0
"""What the lints share: the layers, the file lists, the way a finding is reported.

Each lint is one program, lint.NAME in ctest, called as `NAME.py SOURCE_DIR [BUILD_DIR]`.
It prints `path:line: [NAME] what is wrong; what to do` for each finding and exits 1, or
says in one line what it looked at and exits 0.  tests/lint/selftest.sh shows each of
them an example it must refuse.
"""
import json
import os
import shlex
import subprocess
import sys

# The order is the architecture: a layer sees itself and what stands to its left.
LAYERS = ["base", "sys", "net", "http", "pg", "config", "store", "policy", "llm", "mcp",
          "host", "call", "door", "gateway", "servers", "ops", "admin", "app"]


class Lint:
    def __init__(self, name):
        self.name = name
        self.root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
        self.build = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
        self.findings = []
        self.looked_at = 0

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def relative(self, path):
        return os.path.relpath(path, self.root)

    def report(self, path, line, text):
        self.findings.append(f"{path}:{line}: [{self.name}] {text}")

    def finish(self, noun="files"):
        for finding in sorted(set(self.findings)):
            print(finding)
        if self.findings:
            print(f"lint.{self.name}: {len(set(self.findings))} findings")
            sys.exit(1)
        print(f"lint.{self.name}: {self.looked_at} {noun}, nothing to report")
        sys.exit(0)

    def tracked(self):
        """Files git tracks or would track (relative); outside git, all below the root."""
        inside = subprocess.run(["git", "-C", self.root, "rev-parse", "--show-toplevel"],
                                capture_output=True, text=True, check=False)
        if inside.returncode == 0 and os.path.samefile(inside.stdout.strip(), self.root):
            out = subprocess.run(["git", "-C", self.root, "ls-files", "-co", "--exclude-standard"],
                                 capture_output=True, text=True, check=True).stdout
            names = out.splitlines()
        else:
            names = [os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, files in os.walk(self.root) for name in files]
        return sorted(name for name in names if os.path.isfile(self.path(name)))

    def c_files(self, *folders, suffixes=(".c", ".h")):
        return [name for name in self.tracked()
                if name.endswith(suffixes) and name.split("/")[0] in folders]

    def objects(self):
        """{path below src/ of a source: its object}, of what is built now.  One of a source that
        is gone may lie in the build folder still."""
        found = {}
        src = os.path.realpath(self.path("src")) + os.sep
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as f:
            for entry in json.load(f):
                words = shlex.split(entry["command"])
                source = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
                if source.startswith(src) and "-o" in words:
                    made = os.path.join(entry["directory"], words[words.index("-o") + 1])
                    if os.path.exists(made):
                        found[source[len(src):]] = made
        return found

    def compile_flags(self):
        """{absolute path of a source: the compiler's flags without output and input}."""
        flags = {}
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as f:
            for entry in json.load(f):
                words = shlex.split(entry["command"])
                # A launcher (ccache) may stand in front of the compiler.
                first = next(i for i, w in enumerate(words) if w.startswith("-"))
                kept, skip = [], False
                for word in words[first:]:
                    if skip:
                        skip = False
                    elif word in ("-o", "-MF", "-MT", "-MQ"):
                        skip = True
                    elif word not in ("-c", "-MD", entry["file"]):
                        kept.append(word)
                flags[os.path.realpath(entry["file"])] = (words[first - 1], kept, entry["directory"])
        return flags


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def allowlist(path):
    """Lines `name ...reason`; # begins a comment.  Returns {name: reason}."""
    rows = {}
    if os.path.exists(path):
        for line in read(path).splitlines():
            line = line.split("#", 1)[0].strip()
            if line:
                name, _, reason = line.partition(" ")
                rows[name] = reason.strip()
    return rows


def blank_comments_and_strings(text):
    """C text with comments, strings and characters blanked, line ends kept."""
    out, i, n = [], 0, len(text)
    while i < n:
        two = text[i:i + 2]
        if two == "/*":
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
        elif two == "//":
            end = text.find("\n", i)
            end = n if end < 0 else end
        elif text[i] in "\"'":
            end = i + 1
            while end < n and text[end] != text[i] and text[end] != "\n":
                end += 2 if text[end] == "\\" else 1
            end = min(end + 1, n)
        else:
            out.append(text[i])
            i += 1
            continue
        out.append("".join(c if c == "\n" else " " for c in text[i:end]))
        i = end
    return "".join(out)
