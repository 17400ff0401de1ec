#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the survey sees in the examples what is in them: survey_check.py BINARY"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# file: does it load, how many deployments answer, what it loses or stops for
EXPECTED = {
    "plain.yaml": (True, 5, []),
    "callers.yaml": (True, 1, []),
    "loses.yaml": (True, 2, ["W0106 router_settings.cache_responses"]),
    "stops.yaml": (False, 0, ["unknown key 'general_setting'"]),
}


def main():
    out = subprocess.run([sys.executable, HERE / "survey", "--json", "--binary", sys.argv[1],
                          HERE / "examples"], stdout=subprocess.PIPE, check=True).stdout
    rows = {row["file"]: row for row in json.loads(out)}
    failed = sorted(set(rows) ^ set(EXPECTED))
    for name, (loads, answers, said) in EXPECTED.items():
        row = rows.get(name, {})
        good = sum(a[2] == 200 for a in row.get("answers", []))
        told = row.get("lost" if loads else "errors", [])
        if row.get("loads") != loads or good != answers or len(told) != len(said) \
                or not all(any(t.startswith(s) for t in told) for s in said):
            failed.append(f"{name}: {json.dumps(row)}")
    print("\n".join(failed) or f"survey: {len(rows)} examples as expected")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
