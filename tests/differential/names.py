#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which settings LiteLLM has: names.py [--package FOLDER] [--write]

Reads the names from the source of an installed LiteLLM, without running it, and compares them
with tests/litellm/names.json, or writes that file.  What is read, by section:

    general_settings    the fields of ConfigGeneralSettings, and what else the proxy looks up there
    litellm_settings    the public variables of litellm/__init__.py, on which a file's keys are
                        set, and what else the proxy looks up there
    router_settings     the parameters of Router
    litellm_jwtauth     the fields of LiteLLM_JWTAuth
    mcp_servers         the fields of MCPServerConfig, and what else is looked up in an entry

A variable that is state and no setting (a set of models, a client) is in `state`, with why.
Every other name has to have a row in kanmon: tests/litellm/rows.py holds that, so that
what a newer LiteLLM adds is seen when the pinned version changes.
"""

import argparse
import ast
import json
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
COMMITTED = TOP / "tests" / "litellm" / "names.json"

# Variables of the module that a file cannot sensibly set.
STATE = {
    "models": re.compile(r"(_models|_llms|_models_set|_list_set)$|^models_by_provider$|^model_list$"),
    "made at run time": re.compile(
        r"^(initialized_langfuse_clients|in_memory_llm_clients_cache|client_session|aclient_session|"
        r"error_logs|secret_manager_client|adapters|guardrail_name_config_map|"
        r"prompt_name_config_map|vertexAITextEmbeddingConfig|model_cost|"
        r"longer_context_model_fallback_dict|litellm_mode|CALLBACK_TYPES|"
        r"common_cloud_provider_auth_params)$"),
}
SECTIONS = {
    "general_settings": {"general_settings", "_general_settings", "proxy_general_settings"},
    "litellm_settings": {"litellm_settings", "_litellm_settings"},
    "mcp_servers": {"server_config"},
}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def find_class(path, name):
    return next(n for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef) and n.name == name)


def fields(path, name):
    return {n.target.id for n in find_class(path, name).body
            if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            and n.target.id != "model_config"}


def parameters(path, name):
    init = next(n for n in find_class(path, name).body
                if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    return {a.arg for a in init.args.args + init.args.kwonlyargs} - {"self"}


def variables(path):
    names = set()
    for node in tree(path).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        names |= {t.id for t in targets if isinstance(t, ast.Name)}
    return {n for n in names if not n.startswith("_")}


def looked_up(node):
    """(the mapping's name, the key) of m.get("k"), m["k"] and "k" in m."""
    where = key = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) \
            and node.func.attr in ("get", "pop") and node.args:
        where, key = node.func.value, node.args[0]
    elif isinstance(node, ast.Subscript):
        where, key = node.value, node.slice
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 \
            and isinstance(node.ops[0], (ast.In, ast.NotIn)):
        where, key = node.comparators[0], node.left
    if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
        return None
    name = where.id if isinstance(where, ast.Name) else getattr(where, "attr", "")
    return name, key.value


def reads(package):
    found = {section: set() for section in SECTIONS}
    for path in package.rglob("*.py"):
        for node in ast.walk(tree(path)):
            hit = looked_up(node)
            for section, names in SECTIONS.items():
                if hit and hit[0] in names and (section != "mcp_servers" or "mcp" in str(path)):
                    found[section].add(hit[1])
    return found


def read(package):
    proxy = package / "proxy"
    found = reads(package)
    module = variables(package / "__init__.py")
    state = {name: why for why, pattern in STATE.items() for name in module if pattern.search(name)}
    return {
        "general_settings": sorted(fields(proxy / "_types.py", "ConfigGeneralSettings")
                                   | found["general_settings"]),
        "litellm_settings": sorted((module | found["litellm_settings"]) - set(state)),
        "router_settings": sorted(parameters(package / "router.py", "Router")),
        "litellm_jwtauth": sorted(fields(proxy / "_types.py", "LiteLLM_JWTAuth")),
        "mcp_servers": sorted(fields(proxy / "_experimental/mcp_server/mcp_server_manager.py",
                                     "MCPServerConfig") | found["mcp_servers"]),
        "state": dict(sorted(state.items())),
    }


def compare(old, new):
    same = True
    for section, names in new.items():
        for word, only in (("new", set(names) - set(old.get(section, ()))),
                           ("gone", set(old.get(section, ())) - set(names))):
            if only:
                same = False
                print(f"names: {section}: {word}: {', '.join(sorted(only))}")
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=pathlib.Path,
                        help="the folder litellm/ (else build/litellm's)")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    package = args.package or next(
        (TOP / "build" / "litellm" / "lib").glob("python3*/site-packages/litellm"), None)
    if not package:
        sys.exit("names: no LiteLLM in build/litellm; tests/differential/record puts it there")
    names = read(package)
    if args.write:
        COMMITTED.parent.mkdir(exist_ok=True)
        COMMITTED.write_text(json.dumps(names, indent=1) + "\n")
        return
    if not compare(json.loads(COMMITTED.read_text()), names):
        sys.exit("names: tests/litellm/names.json is of another LiteLLM: give each new name a row, "
                 "then run tests/differential/names.py --write")
    print("names: as in tests/litellm/names.json")


if __name__ == "__main__":
    main()
