# SPDX-License-Identifier: Apache-2.0
"""Where two values of JSON differ first, in words for a person."""

import json


def first_difference(a, b, path=""):
    # Of what one way threw that is said, and not what it lacks for that.
    if isinstance(a, dict) and isinstance(b, dict) and ("threw" in a) == ("threw" in b):
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                return first_difference(a.get(key), b.get(key), f"{path}.{key}")
    if isinstance(a, list) and isinstance(b, list):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, f"{path}[{i}]")
        if len(a) != len(b):
            more = (a if len(a) > len(b) else b)[min(len(a), len(b))]
            return f"{path}: {len(a)} != {len(b)} items, {json.dumps(more)[:200]}"
    return f"{path or '(all)'}: {json.dumps(a)[:240]} != {json.dumps(b)[:240]}"
