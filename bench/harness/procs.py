# SPDX-License-Identifier: Apache-2.0
"""Processes: started on one core, frozen and thawed, their memory read, and ended.

A process here is the whole tree below what we started: workers, children, all of it
counts.  Only processes that this run started are ever signalled.
"""
import os
import resource
import signal
import subprocess
import time


def raise_descriptor_limit():
    """The soft limit to the hard one, for us and all we start.  Returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def start(command, core, log, cwd=None, env=None, stdout=None, nice=0):
    """Starts a command, in its own session, on one core."""
    def prepare():
        os.sched_setaffinity(0, {core})
        if nice:
            os.nice(nice)

    return subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})},
                            stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log,
                            preexec_fn=prepare, start_new_session=True)


def tree(pid):
    """pid and all its descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                    parent = int(f.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def stop(process, patience_s=10):
    """Asks it to end, then makes it."""
    pids = tree(process.pid)
    send(pids, signal.SIGCONT)
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        send(pids, signal.SIGKILL)
        process.wait()


def memory(pid):
    """{"rss": bytes, "private": bytes} of the tree."""
    sums = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as f:
                rows = [line.split() for line in f]
        except OSError:
            continue
        for row in rows:
            if row[0].rstrip(":") in sums:
                sums[row[0].rstrip(":")] += int(row[1]) * 1024
    return {"rss": sums["Rss"], "private": sums["Private_Clean"] + sums["Private_Dirty"]}


def until(condition, limit_s, pause_s=0.001):
    """Seconds until the condition held, or None."""
    begin = time.monotonic()
    while time.monotonic() - begin < limit_s:
        if condition():
            return time.monotonic() - begin
        time.sleep(pause_s)
    return None
