#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.layers: nobody includes upward, and a third-party library is seen only where the
table below lets it in.

The compiler itself says what a file includes (-M with the file's own flags, or what it said when
it built the file as it is), so no spelling of an #include hides.  Sources and headers are both
asked.  A system header of
a library nobody listed is a finding too: a new dependency is a decision, made here.
"""
import functools
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from lintlib import LAYERS, Lint

# library, what its headers look like below an include folder, where it may be seen: a
# layer or a path prefix below src/.  One library enters at one place.
LIBRARIES = [
    ("openssl",   r"openssl/",              ["base/crypto", "net/tls"]),
    ("libuv",     r"uv(\.h$|/)",            ["sys/", "net/"]),
    ("c-ares",    r"ares[a-z_]*\.h$",       ["sys/"]),
    ("llhttp",    r"llhttp\.h$",            ["http/"]),
    ("yyjson",    r"yyjson\.h$",            ["http/"]),
    ("nghttp2",   r"nghttp2/",              ["http/"]),
    ("zlib",      r"z(lib|conf)\.h$",       ["http/"]),
    ("zstd",      r"zstd[a-z_]*\.h$",       ["http/"]),
    ("brotli",    r"brotli/",               ["http/"]),
    ("libyaml",   r"yaml\.h$",              ["config/"]),
    ("sqlite",    r"sqlite3(ext)?\.h$",     ["store/sqlite/"]),
    ("libpq",     r"(postgresql/|libpq)",   ["pg/"]),
    ("hiredis",   r"hiredis/",              ["store/"]),
    ("pcre2",     r"pcre2\.h$",             ["policy/"]),
    ("vectorscan", r"hs/",                  ["policy/"]),
    ("utf8proc",  r"utf8proc\.h$",          ["policy/"]),
    ("libpg_query", r"pg_query(\.h$|/)",    ["servers/postgres/"]),
    ("protobuf-c", r"protobuf-c/",          ["servers/postgres/"]),
]

# A folder below src/ that only itself and the files named see: what is in it is reached through them.
INSIDE = {"store/sqlite/": {"store/drivers.c"}}

# Packages whose headers are the language and the system, not a library of ours.
SYSTEM_PACKAGES = re.compile(r"^(libc6-dev.*|libc6|linux-libc-dev.*|libgcc-\d+-dev|gcc-\d+.*|"
                             r"libclang-common-\d+-dev|libstdc\+\+-\d+-dev)$")


def said_when_built(build):
    """{source: every file the compiler opened for it}, where all of them are as they were then."""
    run = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True,
                         check=False)
    changed = functools.cache(lambda path: os.stat(path).st_mtime_ns if os.path.exists(path)
                              else float("inf"))
    real = functools.cache(lambda path: os.path.realpath(os.path.join(build, path)))
    said = {}
    for block in run.stdout.split("\n\n"):
        head = re.match(r".*: #deps \d+, deps mtime (\d+) \(VALID\)\n", block)
        if head:
            files = [real(line.strip()) for line in block[head.end():].splitlines()]
            if files and all(changed(file) < int(head[1]) for file in files):
                said[files[0]] = sorted(set(files))
    return said


def included(command, kept, directory, path):
    """Every file the compiler opens for path, or its complaint."""
    run = subprocess.run([command, *kept, "-w", "-M", "-MT", "x", "-x", "c", path], cwd=directory,
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return None, run.stderr.strip().splitlines()[:1]
    words = run.stdout.replace("\\\n", " ").split()[1:]
    return sorted({os.path.realpath(os.path.join(directory, w)) for w in words}), None


def unknown_owners(paths):
    """{path: package} for headers that no system package owns."""
    if not paths:
        return {}
    out = subprocess.run(["dpkg", "-S", *sorted(paths)], capture_output=True, text=True,
                         check=False).stdout
    owners = {}
    for line in out.splitlines():
        package, _, path = line.partition(": ")
        owners[path] = package.split(",")[0].split(":")[0]
    # Where the file is known under its merged-/usr name only, dpkg says nothing: silent.
    return {p: o for p, o in owners.items() if not SYSTEM_PACKAGES.match(o)}


def library_of(path):
    tail = re.split(r"/include/(?:[a-z0-9_]+-linux-gnu/)?", path, maxsplit=1)[-1]
    return next((row for row in LIBRARIES if re.match(row[1], tail)), None)


def allowed(lint):
    """{layer: what it may see}: itself and what its DEPS reach.  Two layers of which neither is
    among the other's, as the door and the call, never see each other."""
    reach = {}
    for layer in LAYERS:  # each stands behind what it may depend on
        path = lint.path(f"src/{layer}/CMakeLists.txt")
        text = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        deps = set(re.findall(r"\bkanmon::([a-z0-9_]+)", text)) & set(LAYERS)
        reach[layer] = {layer}.union(*(reach.get(other, set()) for other in deps))
    return reach


def main():
    lint = Lint("layers")
    src = os.path.realpath(lint.path("src")) + "/"
    flags = lint.compile_flags()
    built = {p: f for p, f in flags.items() if p.startswith(src)}
    if not built:
        sys.exit("lint.layers: no source of src/ in compile_commands.json: configure first")
    any_flags = next(iter(built.values()))
    jobs = []
    for name in lint.c_files("src"):
        path = os.path.realpath(lint.path(name))
        layer = name.split("/")[1]
        if layer not in LAYERS:
            lint.report(name, 1, f"'{layer}' is no layer; the layers are {' '.join(LAYERS)}")
        elif name.endswith(".c") and path not in built:
            lint.report(name, 1, f"not built: list it in src/{layer}/CMakeLists.txt")
        else:
            jobs.append((name, layer, path, built.get(path, any_flags)))
    said = said_when_built(lint.build)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda j: (said[j[2]], None) if j[2] in said else
                                included(*j[3], j[2]), jobs))
    foreign = {}
    sees = allowed(lint)
    for (name, layer, _, _), (files, complaint) in zip(jobs, answers):
        lint.looked_at += 1
        if files is None:
            lint.report(name, 1, f"does not compile: {' '.join(complaint)}")
            continue
        for file in files:
            if file.startswith(src):
                other = file[len(src):].split("/")[0]
                if other in LAYERS and LAYERS.index(other) > LAYERS.index(layer):
                    lint.report(name, 1, f"{layer} sees {file[len(src):]}: {other} is a layer above")
                elif other in LAYERS and other not in sees[layer]:
                    lint.report(name, 1, f"{layer} sees {file[len(src):]}: {other} is not among "
                                f"the DEPS of src/{layer}/CMakeLists.txt")
                for folder, doors in INSIDE.items():
                    if (file.startswith(src + folder) and name[len("src/"):] not in doors
                            and not name.startswith("src/" + folder)):
                        lint.report(name, 1, f"sees {file[len(src):]}: only {' '.join(doors)} does")
            elif (row := library_of(file)) is not None:
                if not name[len("src/"):].startswith(tuple(row[2])):
                    lint.report(name, 1, f"sees <{os.path.basename(file)}> of {row[0]}, which "
                                f"enters only at {' '.join(row[2])}: go through that module")
            elif not file.startswith(lint.root):
                foreign.setdefault(file, name)
    for path, package in unknown_owners(set(foreign)).items():
        lint.report(foreign[path], 1, f"sees {path} of package {package}: a library that has no "
                    "row in tests/lint/layers.py")
    lint.finish("sources and headers")


main()
