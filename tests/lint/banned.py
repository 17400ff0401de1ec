#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.banned: functions that have no place in src/, and what to use instead.

Looked for twice: in the text (comments and strings blanked), because a compiler may
turn one call into another; and among the undefined symbols of each layer's archive,
because a macro may hide the name.
"""
import glob
import os
import re
import subprocess

from lintlib import Lint, blank_comments_and_strings, read

BUF = "km_buf, or snprintf into an array of known size"
PARSE = "the parsers of base/str: they take a length and report overflow"
BANNED = {
    "strcpy": BUF, "strcat": BUF, "stpcpy": BUF, "strncpy": BUF, "strncat": BUF,
    "sprintf": BUF, "vsprintf": BUF, "gets": "km_buf",
    "strtok": "km_str_split", "strtok_r": "km_str_split",
    "atoi": PARSE, "atol": PARSE, "atoll": PARSE, "atof": PARSE,
    "sscanf": PARSE, "scanf": PARSE, "fscanf": PARSE,
    "rand": "km_random", "srand": "km_random", "random": "km_random", "drand48": "km_random",
    "localtime": "base/time", "gmtime": "base/time: gmtime_r", "asctime": "base/time",
    "ctime": "base/time", "mktemp": "mkstemp", "tmpnam": "mkstemp", "tempnam": "mkstemp",
    "system": "sys/supervise", "popen": "sys/supervise", "vfork": "sys/supervise",
    "alloca": "the arena", "setlocale": "nothing: the C locale is what we are written for",
    "getenv_s": "config/secret", "usleep": "a timer of the loop", "sleep": "a timer of the loop",
    "gethostbyname": "sys/dns", "getaddrinfo": "sys/dns: getaddrinfo blocks the loop",
    "inet_ntoa": "inet_ntop", "inet_addr": "inet_pton",
}
# Where one is allowed after all: path below src/, function, why.
ALLOWED = {
    ("http/settings.c", "fscanf"): "the limits of a cgroup are the kernel's text",
    ("gateway/gateway.c", "fscanf"): "the limits of a cgroup are the kernel's text",
    ("ops/health.c", "fscanf"): "the text of /proc is the kernel's",
}

CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# What a libc calls the same function when it checks or versions it.
SYMBOL = re.compile(r"^(?:__isoc\d+_|__)?(.+?)(?:_chk)?(?:@.*)?$")


def in_text(lint):
    for name in lint.c_files("src"):
        lint.looked_at += 1
        text = blank_comments_and_strings(read(lint.path(name)))
        for number, line in enumerate(text.splitlines(), 1):
            for match in CALL.finditer(line):
                function = match.group(1)
                if (name[len("src/"):], function) not in ALLOWED:
                    lint.report(name, number, f"{function}() is banned: use {BANNED[function]}")


def in_archives(lint):
    allowed = {(path.split("/")[-1] + ".o", function) for path, function in ALLOWED}
    for archive in sorted(glob.glob(os.path.join(lint.build, "src", "*", "libkm_*.a"))):
        lint.looked_at += 1
        out = subprocess.run(["nm", "-A", "-u", archive], capture_output=True, text=True,
                             check=True).stdout
        for line in out.splitlines():
            where, _, symbol = line.rpartition(" U ")
            function = SYMBOL.match(symbol.strip()).group(1)
            member = where.strip().rstrip(":").split(":")[-1]
            if function in BANNED and (member, function) not in allowed:
                lint.report(os.path.basename(archive), 1,
                            f"{member} calls {function}(): use {BANNED[function]}")


def main():
    lint = Lint("banned")
    in_text(lint)
    if lint.build:
        in_archives(lint)
    lint.finish("files and archives")


main()
