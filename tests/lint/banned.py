#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.banned: functions that have no place in src/, and what to use instead.

Besides, functions that write to a file, a pipe or a terminal: a reader may stall,
and a thread that serves must not stall with it.  They stand in sys/, in commands
that people run, and in the files named below.

Looked for twice: in the text (comments and strings blanked), because a compiler may
turn one call into another; and among the undefined symbols of each layer's archive,
because a macro may hide the name.
"""
import fnmatch
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
    ("host/gateway.c", "fscanf"): "the limits of a cgroup are the kernel's text",
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
    ("base/err.c", "poll"): "base stands below sys: does a last word block?",
    ("base/log_fd.c", "poll"): "base stands below sys: the log's own thread",
    ("net/tcp.c", "recv"): "it is the stream: one call when the loop says so",
    ("pg/cancel.c", "recv"): "one call when the loop says so",
}

# Output from a thread that serves waits for whoever reads it, and everybody waits with it.
WRITES = {"write", "writev", "printf", "vprintf", "fprintf", "vfprintf", "dprintf", "vdprintf",
          "puts", "fputs", "putc", "fputc", "putchar", "fwrite", "fflush", "perror", "psignal"}
# Where: path below src/ (a pattern), why.
WRITERS = {
    "sys/*": "pipes and files of the kernel, and what becomes another process",
    "app/cli.c": "a command's terminal",
    "app/client.c": "a command's terminal",
    "app/cmd_*.c": "a command's terminal",
    "app/commands.c": "a command's terminal",
    "app/control.c": "a command's terminal",
    "app/options.c": "a command's terminal",
    "app/say.c": "a command's terminal",
    "app/text_diff.c": "a command's terminal",
    "app/watch.c": "a command's terminal, and a byte for its own poll",
    "app/load.c": "what is wrong with a configuration, before anything is served",
    "app/start.c": "a command's terminal",
    "app/input.c": "a byte for a thread of its own",
    "app/server_stdio.c": "the answers to its one client",
    "app/supervisor.c": "one word to `kanmon start`, in a pipe that is empty",
    "base/log_fd.c": "the log's own thread",
    "base/err.c": "last words, where poll(2) says that they do not block",
    "mcp/server/log.c": "the thread of the servers' logs",
    "store/answers.c": "a file of 32 bytes, before anything is served",
    "store/identity.c": "a file of a few bytes, before anything is served",
}

CALL = re.compile(r"(?<![\w.>])(" + "|".join([*BANNED, *ONLY_THERE, *WRITES]) + r")\s*\(")
# What a libc calls the same function when it checks or versions it.
SYMBOL = re.compile(r"^(?:__isoc\d+_|__)?(.+?)(?:_chk)?(?:@.*)?$")


def defines(text, function):
    """A static function of our own may have the name: the archives know."""
    return re.search(r"^static [^;]*\b" + function + r"\(", text, re.M) is not None


def why_not(path, function):
    """What to say of a call in src/<path>; None: it may stand there."""
    if function in WRITES:
        allowed = any(fnmatch.fnmatch(path, where) for where in WRITERS)
        return None if allowed else "writes where a reader may stall: use base/log"
    if function in ONLY_THERE:
        allowed = path.startswith(LAYER + "/") or (path, function) in ALLOWED_ELSEWHERE
        return None if allowed else f"stands only in {LAYER}/: use {ONLY_THERE[function]}"
    return None if (path, function) in ALLOWED else f"is banned: use {BANNED[function]}"


def in_text(lint):
    for name in lint.c_files("src"):
        lint.looked_at += 1
        text = blank_comments_and_strings(read(lint.path(name)))
        for number, line in enumerate(text.splitlines(), 1):
            for match in CALL.finditer(line):
                function = match.group(1)
                said = why_not(name[len("src/"):], function)
                if said and not (function in ONLY_THERE and defines(text, function)):
                    lint.report(name, number, f"{function}() {said}")


def in_archives(lint):
    # An archive knows the names of its sources, not their folders.
    sources = {}
    for name in lint.c_files("src"):
        layer, base = name.split("/")[1], os.path.basename(name)
        sources.setdefault((layer, base + ".o"), []).append(name[len("src/"):])
    for archive in sorted(glob.glob(os.path.join(lint.build, "src", "*", "libkm_*.a"))):
        lint.looked_at += 1
        layer = os.path.basename(os.path.dirname(archive))
        out = subprocess.run(["nm", "-A", "-u", archive], capture_output=True, text=True,
                             check=True).stdout
        for line in out.splitlines():
            where, _, symbol = line.rpartition(" U ")
            function = SYMBOL.match(symbol.strip()).group(1)
            member = where.strip().rstrip(":").split(":")[-1]
            if function not in BANNED and function not in WRITES and function not in ONLY_THERE:
                continue
            paths = sources.get((layer, member), [f"{layer}/{member}"])
            if all(why_not(path, function) for path in paths):
                lint.report(os.path.basename(archive), 1,
                            f"{member} calls {function}(), which {why_not(paths[0], function)}")


def main():
    lint = Lint("banned")
    in_text(lint)
    if lint.build:
        in_archives(lint)
    lint.finish("files and archives")


main()
