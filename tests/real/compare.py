# SPDX-License-Identifier: Apache-2.0
"""What differs between what a client saw of a server directly and what it saw through kanmon.

Only what is named here is not compared, each for its reason.
"""

import json
import re

from difference import first_difference

# Members that belong to a revision and not to the answer: a client speaks to kanmon in another one
# than the server does.
OF_REVISION = {"resultType", "ttlMs", "cacheScope"}
# Who answered: kanmon says whose answer it passes on.
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
# The reference server says when it made a resource.
CLOCK = r"\d{1,2}:\d{2}:\d{2}\s?[AP]M"
# The words for a tool, a prompt or a resource that is none: kanmon knows what there is, and says so
# itself, with the code of the revision.
NONE = ("error read", "error prompt", "error tool")


def plain(value, revisions=frozenset(OF_REVISION)):
    """Without what is named above."""
    if isinstance(value, list):
        return [plain(item, revisions) for item in value]
    if isinstance(value, str):
        return re.sub(CLOCK, "(time)", value)
    if not isinstance(value, dict):
        return value
    kept = {k: plain(v, revisions) for k, v in value.items() if k not in revisions and k != SERVER_INFO}
    return {k: v for k, v in kept.items() if k != "_meta" or v}


def none(value):
    """That it failed, and no more."""
    return "failed" if isinstance(value, dict) and ("threw" in value or value.get("isError")) else value


def differences(direct, through, era):
    """[(row, what differs)] between the rows of one server."""
    # `execution` of a tool is 2025-11-25's: a client of the newest era is shown it by a server that
    # is not, and not by kanmon, which speaks the newest with it.
    revisions = frozenset(OF_REVISION | ({"execution"} if era == "auto" else set()))
    for row in [*direct, *(r for r in through if r not in direct)]:
        one, two = direct.get(row), through.get(row)
        if row in NONE:
            one, two = none(one), none(two)
        one, two = plain(one, revisions), plain(two, revisions)
        if row not in direct or row not in through:
            yield row, f"only {'directly' if row in direct else 'through kanmon'}: {json.dumps(one or two)[:200]}"
        elif one != two:
            yield row, first_difference(one, two)


def failures(direct):
    """[(row, what it said)] of the rows whose answer is to be one."""
    for row, value in direct.items():
        if not row.startswith("error ") and isinstance(value, dict):
            if "threw" in value or value.get("isError"):
                yield row, json.dumps(value)[:300]


def aggregated(rows, prefix):
    """The rows of one server, of what was seen of all of them: names less their prefix."""
    def mine(items):
        return [{**item, "name": item["name"][len(prefix):]} for item in items
                if item["name"].startswith(prefix)]
    out = {"tools": mine(rows["tools"]) if isinstance(rows.get("tools"), list) else rows.get("tools")}
    for row, value in rows.items():
        kind, _, rest = row.partition(" ")
        if kind in ("call", "error") and rest.startswith(prefix):
            out[f"{kind} {rest[len(prefix):]}"] = value
    return out
