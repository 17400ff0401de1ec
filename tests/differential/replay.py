#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays the recorded requests against kanmon: replay.py [--binary B] [--all] [group or case].

Prints every difference that accepted.toml does not accept, and every acceptance that
no longer matches anything, and fails when there is one of either.  --all prints the
accepted ones too; --doc writes their table into docs/litellm.md.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e" / "lib")]

import cases
import compare
import exchange
from upstream import Upstream

BEGIN, END = "<!-- accepted differences: begin -->", "<!-- accepted differences: end -->"


def load_recordings():
    out = {}
    for path in sorted((HERE / "recordings").glob("*.json")):
        out.update(json.loads(path.read_text()))
    return out


def load_accepted():
    return tomllib.loads((HERE / "accepted.toml").read_text()).get("difference", [])


def glob(name, patterns):
    # Brackets are part of field names; only * is a wildcard.
    return any(fnmatch.fnmatchcase(name, p.replace("[", "[[]")) for p in patterns)


def accepts(rule, case, field):
    return glob(case, rule.get("cases", ["*"])) and glob(field, rule["fields"])


def table(rules):
    lines = [BEGIN, "", "| where | LiteLLM | kanmon | why |", "|---|---|---|---|"]
    for rule in rules:
        lines.append("| {} | {} | {} | {} |".format(
            rule["where"], rule["litellm"], rule["kanmon"], rule["why"]))
    return "\n".join(lines + ["", END])


def write_doc(rules, check):
    path = TOP / "docs" / "litellm.md"
    text = path.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    fresh = head + table(rules) + tail
    if check:
        return fresh == text
    path.write_text(fresh)
    return True


def send(chosen, config, upstream):
    """Each case's name and what kanmon, with that file, made of it."""
    from gateway import Gateway
    if not chosen:
        return
    with tempfile.TemporaryDirectory(prefix="kanmon-differential-") as folder:
        text = (HERE / config).read_text() + f"kanmon_settings:\n  state_dir: {folder}/state\n"
        env = {"UPSTREAM_V1": upstream.url + "/v1", "UPSTREAM_ECHO": upstream.url + "/echo"}
        with Gateway(folder, text, env) as gateway:
            saved = {}
            for case in chosen:
                try:
                    yield case["name"], exchange.run(case, "127.0.0.1", gateway.port, upstream, saved)
                except KeyError as missing:
                    yield case["name"], {"status": f"not sent: an earlier case gave no {missing}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    parser.add_argument("--all", action="store_true", help="print accepted differences too")
    parser.add_argument("--doc", action="store_true", help="rewrite the table in docs/litellm.md")
    parser.add_argument("filter", nargs="?")
    args = parser.parse_args()
    if args.binary:
        os.environ["KANMON_BINARY"] = args.binary
    rules = load_accepted()
    if args.doc:
        write_doc(rules, False)
        return 0
    recorded = load_recordings()
    used, bad, total = set(), 0, 0
    upstream = Upstream().start()
    for config in ("config.yaml", *cases.CONFIGS.values()):
        chosen = [case for case in cases.all_cases() if case["name"] in recorded
                  and cases.CONFIGS.get(case["group"], "config.yaml") == config
                  and args.filter in (None, case["name"], case["group"])]
        for name, ours in send(chosen, config, upstream):
            total += 1
            for field, a, b in compare.differences(recorded[name], ours):
                rule = next((i for i, r in enumerate(rules) if accepts(r, name, field)), None)
                if rule is not None:
                    used.add(rule)
                bad += rule is None
                if rule is None or args.all:
                    mark = "  " if rule is not None else "! "
                    print(f"{mark}{name}: {field}: LiteLLM {json.dumps(a)[:160]} "
                          f"kanmon {json.dumps(b)[:160]}")
    upstream.stop()
    if not args.filter:
        for i, rule in enumerate(rules):
            if i not in used:
                bad += 1
                print(f"! accepted.toml: matches nothing any more: {rule['where']}")
        if not write_doc(rules, True):
            bad += 1
            print("! docs/litellm.md: the table is not that of accepted.toml: replay.py --doc")
    print(f"differential: {total} requests, {bad} unexplained differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
