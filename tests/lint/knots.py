#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.knots: the largest cycle among the objects of a layer, by what they call of each other.

Objects that reach each other round about cannot be linked, tested or read alone.  What a layer's
largest cycle may hold stands in knots.allow with the reason; it falls and does not rise: a cycle
smaller than allowed is a finding too, so that what was won is kept.
"""
import os
import re
import subprocess
import sys

from lintlib import LAYERS, Lint

FREE = 1  # a layer without a row: no cycle at all


def symbols_of(objects):
    """{object: (defined, wanted)} by nm's own words."""
    out = subprocess.run(["nm", "-A", "--no-sort", *objects], capture_output=True, text=True,
                         check=True).stdout
    symbols = {path: (set(), set()) for path in objects}
    for line in out.splitlines():
        path, rest = line.split(":", 1)
        words = rest.split()
        kind, name = words[-2], words[-1]
        if kind in "Uw":
            symbols[path][1].add(name)
        elif kind.isupper() or kind in "vi":
            symbols[path][0].add(name)
    return symbols


def edges_of(symbols):
    home = {name: path for path, (defined, _) in symbols.items() for name in defined}
    return {path: {home[name] for name in wanted if name in home and home[name] != path}
            for path, (_, wanted) in symbols.items()}


def cycles_of(edges):
    """Strongly connected components by Tarjan, without recursion."""
    order, low, on, stack, found = {}, {}, set(), [], []
    for root in sorted(edges):
        work = [(root, iter(sorted(edges[root])))] if root not in order else []
        if work:
            order[root] = low[root] = len(order)
            stack.append(root)
            on.add(root)
        while work:
            node, rest = work[-1]
            step = next((n for n in rest if n not in order or n in on), None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    cut = stack.index(node)
                    found.append(stack[cut:])
                    on.difference_update(stack[cut:])
                    del stack[cut:]
            elif step not in order:
                order[step] = low[step] = len(order)
                stack.append(step)
                on.add(step)
                work.append((step, iter(sorted(edges[step]))))
            else:
                low[node] = min(low[node], order[step])
    return found


def allowed(lint):
    """{layer: (most, line)}; the reason is for readers."""
    rows = {}
    with open(lint.path("tests/lint/knots.allow"), encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            row = re.match(r"(\w+)\s+(\d+)\s+\S", line)
            if row:
                rows[row[1]] = (int(row[2]), n)
            elif line.strip() and not line.startswith("#"):
                lint.report("tests/lint/knots.allow", n, "layer, number, reason")
    return rows


def name_of(path):
    return re.sub(r"\.c\.o$", "", path.split(".dir/", 1)[-1])


def main():
    lint = Lint("knots")
    rows, built = allowed(lint), lint.objects()
    for layer in LAYERS:
        if not os.path.isdir(lint.path("src", layer)):
            continue
        objects = sorted(made for source, made in built.items() if source.startswith(layer + "/"))
        if not objects:
            sys.exit(f"lint.knots: no objects of {layer}: build first")
        lint.looked_at += len(objects)
        largest = max(cycles_of(edges_of(symbols_of(objects))), key=len)
        most, line = rows.get(layer, (FREE, 1))
        if len(largest) > most:
            lint.report(f"src/{layer}", 1, f"{len(largest)} objects reach each other, {most} may "
                        f"(tests/lint/knots.allow): {' '.join(sorted(map(name_of, largest)))}")
        elif len(largest) < most:
            lint.report("tests/lint/knots.allow", line, f"{layer} has {len(largest)} by now: "
                        "lower the row, so that it stays")
    lint.finish("objects")


main()
