# SPDX-License-Identifier: Apache-2.0
"""What a process holds, seen from outside: memory, descriptors, threads; and how the
memory moved over time."""

import collections
import os
import re
import statistics
import time

MIB = 1 << 20


def kib(path, *names):
    """The sum of the lines `Name:  123 kB` of a file of /proc, in bytes."""
    with open(path) as lines:
        return sum(int(line.split()[1]) * 1024 for line in lines
                   if line.split(":", 1)[0] in names)


def descriptors(pid):
    """How many there are of each kind: Counter({'socket': 5, '.../kanmon.db': 3})."""
    kinds = collections.Counter()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            name = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        kinds[re.sub(r":\[\d+\]$", "", name)] += 1
    return kinds


def children(pid):
    """Those it started, by the thread that did."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children") as line:
                found += line.read().split()
        except OSError:
            continue  # the thread ended meanwhile
    return found


class Sample:
    def __init__(self, pid, since):
        self.at = time.monotonic() - since
        self.rss = kib(f"/proc/{pid}/status", "VmRSS")
        self.anonymous = kib(f"/proc/{pid}/status", "RssAnon")  # the rest is pages of files
        self.private = kib(f"/proc/{pid}/smaps_rollup", "Private_Clean", "Private_Dirty")
        self.fds = sum(descriptors(pid).values())
        self.threads = len(os.listdir(f"/proc/{pid}/task"))


def slope(samples, of):
    """Least squares: bytes an hour, and the standard error of that."""
    xs, ys = [s.at / 3600 for s in samples], [of(s) for s in samples]
    if len(samples) < 4:
        return 0.0, float("inf")
    line = statistics.linear_regression(xs, ys)
    rest = sum((y - line.intercept - line.slope * x) ** 2 for x, y in zip(xs, ys))
    spread = sum((x - statistics.fmean(xs)) ** 2 for x in xs)
    return line.slope, (rest / (len(xs) - 2) / spread) ** 0.5


def growth(samples, of):
    """From the mean of the first quarter to that of the last, in bytes."""
    quarter = max(1, len(samples) // 4)
    return (statistics.fmean(map(of, samples[-quarter:]))
            - statistics.fmean(map(of, samples[:quarter])))
