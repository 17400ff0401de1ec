# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin: the files that take longest begin first.

Files are shared out whole (scripts/lib/pytest.sh), and one that takes a minute and begins last is
waited for by all others.  A file that takes more than some seconds says so, in seconds of its own
on an idle machine: `TAKES_S = 60`.  Any other counts by how many tests it has."""

USUAL_S = 0.1  # what a test takes


def pytest_collection_modifyitems(items):
    counts = {}
    for item in items:
        counts[item.path] = counts.get(item.path, 0) + 1

    def takes(item):
        return max(getattr(getattr(item, "module", None), "TAKES_S", 0), counts[item.path] * USUAL_S)
    items.sort(key=takes, reverse=True)  # stable: a file's tests stay together, and in order
