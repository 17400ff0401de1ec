#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether each of LiteLLM's settings has a row in kanmon: rows.py BINARY

names.json lists what the pinned LiteLLM knows (tests/differential/names.py writes it); the
rows are those of `kanmon config schema`.  A name without a row would be an unknown key, which
says nothing of what ignoring it means.
"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def rows_of(schema):
    top = schema["properties"]
    jwt = top["general_settings"]["properties"]["litellm_jwtauth"]["anyOf"]
    return {
        "general_settings": top["general_settings"]["properties"],
        "litellm_settings": top["litellm_settings"]["properties"],
        "router_settings": top["router_settings"]["properties"],
        "litellm_jwtauth": next(s for s in jwt if "properties" in s)["properties"],
        "mcp_servers": top["mcp_servers"]["additionalProperties"]["properties"],
    }


def main():
    names = json.loads((HERE / "names.json").read_text())
    schema = json.loads(subprocess.run([sys.argv[1], "config", "schema"], check=True,
                                       stdout=subprocess.PIPE).stdout)
    failed = count = 0
    for section, rows in rows_of(schema).items():
        missing = sorted(set(names[section]) - set(rows))
        count += len(names[section])
        failed += len(missing)
        if missing:
            print(f"rows: {section}: no row for {', '.join(missing)}")
    print(f"rows: {count} names of LiteLLM, {failed} without a row")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
