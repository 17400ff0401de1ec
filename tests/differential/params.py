#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are LiteLLM's own names of litellm_params those of src/llm/param_litellm.c?

    params.py                  the table against the names kept in params.json
    params.py --venv DIR       and params.json against the LiteLLM installed there
    params.py --venv DIR --write   makes params.json anew: after requirements.lock has moved

The names are the members of the classes that LiteLLM publishes for a deployment's parameters,
and those of requests that it keeps to itself.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE.parent.parent / "src" / "llm" / "param_litellm.c"
KEPT = HERE / "params.json"
KINDS = ("OWN", "PRICE", "LIMIT")

# Run by the environment's own Python: the classes are made when they are imported.
READ = """
import importlib.metadata, json
from litellm.types import router, utils
names = {c: sorted(getattr(router, c).model_fields) for c in
         ("GenericLiteLLMParams", "CredentialLiteLLMParams", "LiteLLM_Params")}
names["CustomPricingLiteLLMParams"] = sorted(utils.CustomPricingLiteLLMParams.model_fields)
names["LiteLLMParamsTypedDict"] = sorted(router.LiteLLMParamsTypedDict.__annotations__)
names["all_litellm_params"] = sorted(set(utils.all_litellm_params))
print(json.dumps({"version": importlib.metadata.version("litellm"), "names": names}))
"""


def installed(venv):
    done = subprocess.run([str(venv / "bin" / "python"), "-c", READ], text=True, check=True,
                          capture_output=True, env={"LITELLM_LOCAL_MODEL_COST_MAP": "True",
                                                    "PATH": "/usr/bin:/bin"})
    return json.loads(done.stdout.splitlines()[-1])


def table():
    rows = re.findall(r'^    \{ "([^"]+)", (\w+) \},$', TABLE.read_text(), re.M)
    wrong = [f"{name}: no kind {kind}" for name, kind in rows if kind not in KINDS]
    names = [name for name, _ in rows]
    if names != sorted(set(names)):
        wrong.append("the rows are not in order, or one is there twice")
    return set(names), wrong


def differences(ours, theirs, where):
    """One line a name that only one of the two has."""
    return ([f"{where} has '{n}', which is missing here" for n in sorted(theirs - ours)]
            + [f"{where} has no '{n}'" for n in sorted(ours - theirs)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    wrong = []
    if args.venv:
        package = installed(args.venv)
        if args.write:
            KEPT.write_text(json.dumps(package, indent=1, sort_keys=True) + "\n")
        if package != json.loads(KEPT.read_text()):
            wrong.append(f"params.json is not of LiteLLM {package['version']}: params.py --write")
    kept = json.loads(KEPT.read_text())
    pinned = re.search(r"^litellm==(\S+)", (HERE / "requirements.lock").read_text(), re.M)[1]
    if kept["version"] != pinned:
        wrong.append(f"params.json is of {kept['version']}, requirements.lock has {pinned}")
    ours, rows = table()
    theirs = {n for names in kept["names"].values() for n in names}
    wrong += rows + differences(ours, theirs, f"LiteLLM {kept['version']}")
    for line in wrong:
        print(f"params: {line}")
    print(f"params: {len(ours)} names, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
