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

# What blocks, starts processes or must be done again when a signal came, stands in one layer: a loop
# around it written elsewhere takes a signal for an end, or an error for a signal, and spins.
WAIT = "sys/blocking: km_wait_child, km_wait_gone, km_wait_ms, km_read_or_wake"
SPAWN = "sys/supervise, km_run() of sys/blocking, or km_fork_session() of sys/spawn"
READ = "sys/read_file, km_read_or_wake() of sys/blocking, km_unix_read() of sys/unix, or a stream"
LAYER = "sys"
ONLY_THERE = {
    **dict.fromkeys(["wait", "wait3", "wait4", "waitid", "waitpid", "sigwait", "sigwaitinfo",
                     "sigtimedwait", "poll", "ppoll", "select", "pselect", "epoll_wait",
                     "nanosleep", "clock_nanosleep"], WAIT),
    **dict.fromkeys(["fork", "_Fork", "clone", "posix_spawn", "posix_spawnp", "execv", "execve",
                     "execvp", "execvpe", "execveat", "fexecve", "execl", "execle", "execlp"], SPAWN),
    **dict.fromkeys(["read", "readv", "recv", "recvfrom", "recvmsg"], READ),
}
ALLOWED_ELSEWHERE = {
    ("base/log.c", "poll"): "base stands below sys",
    ("net/tcp.c", "recv"): "it is the stream: one call when the loop says so",
    ("store/pg_cancel.c", "recv"): "one call when the loop says so",
}

CALL = re.compile(r"(?<![\w.>])(" + "|".join([*BANNED, *ONLY_THERE]) + r")\s*\(")
# What a libc calls the same function when it checks or versions it.
SYMBOL = re.compile(r"^(?:__isoc\d+_|__)?(.+?)(?:_chk)?(?:@.*)?$")


def defines(text, function):
    return re.search(r"^static [^;]*\b" + function + r"\(", text, re.M) is not None


def in_text(lint):
    for name in lint.c_files("src"):
        lint.looked_at += 1
        text = blank_comments_and_strings(read(lint.path(name)))
        for number, line in enumerate(text.splitlines(), 1):
            for match in CALL.finditer(line):
                function, place = match.group(1), name[len("src/"):]
                if function in ONLY_THERE:
                    # A static function of our own may have the name: the archives know.
                    if (not place.startswith(LAYER + "/") and not defines(text, function) and
                            (place, function) not in ALLOWED_ELSEWHERE):
                        lint.report(name, number, f"{function}() stands only in {LAYER}/: "
                                                  f"use {ONLY_THERE[function]}")
                elif (place, function) not in ALLOWED:
                    lint.report(name, number, f"{function}() is banned: use {BANNED[function]}")


def in_archives(lint):
    allowed = {(path.split("/")[-1] + ".o", function)
               for path, function in [*ALLOWED, *ALLOWED_ELSEWHERE]}
    for archive in sorted(glob.glob(os.path.join(lint.build, "src", "*", "libkm_*.a"))):
        lint.looked_at += 1
        there = os.path.basename(archive) == f"libkm_{LAYER}.a"
        out = subprocess.run(["nm", "-A", "-u", archive], capture_output=True, text=True,
                             check=True).stdout
        for line in out.splitlines():
            where, _, symbol = line.rpartition(" U ")
            function = SYMBOL.match(symbol.strip()).group(1)
            member = where.strip().rstrip(":").split(":")[-1]
            if function in BANNED and (member, function) not in allowed:
                lint.report(os.path.basename(archive), 1,
                            f"{member} calls {function}(): use {BANNED[function]}")
            if function in ONLY_THERE and not there and (member, function) not in allowed:
                lint.report(os.path.basename(archive), 1,
                            f"{member} calls {function}(), which stands only in {LAYER}/: "
                            f"use {ONLY_THERE[function]}")


def main():
    lint = Lint("banned")
    in_text(lint)
    if lint.build:
        in_archives(lint)
    lint.finish("files and archives")


main()
