#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole program's JSON Schema is one, names nothing twice, and takes the files given.

    schema_check.py SCHEMA FILE...
"""
import json
import sys

import jsonschema
import yaml


def once(pairs):
    """An object; two modules with a row of one name would make a member twice."""
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit(f"schema: there is more than one row named {', '.join(sorted(twice))}")
    return dict(pairs)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        schema = json.load(f, object_pairs_hook=once)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failed = 0
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as f:
            for error in validator.iter_errors(yaml.safe_load(f)):
                failed += 1
                print(f"{name}: {'.'.join(str(p) for p in error.absolute_path)}: {error.message}")
    wrong = {"model_list": [{"litellm_params": {"model": "a/b"}}],
             "kanmon_settings": {"limits": {"header_bytes": []}}}
    if len(list(validator.iter_errors(wrong))) < 2:
        failed += 1
        print("the schema does not mind an entry without model_name, or a list for a size")
    print(f"schema: {len(sys.argv) - 2} files, {failed} problems")
    sys.exit(1 if failed else 0)


main()
