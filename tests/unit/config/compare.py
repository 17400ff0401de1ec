#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our reading of YAML with PyYAML's safe_load, which is what LiteLLM reads with.

    compare.py CONFIG_TOOL [--many N]

Four sources of documents: the files of yaml-corpus/, a tab at every place of some documents,
a systematic list of scalars in
several positions, and N random ones from the alphabet in which YAML 1.1's types are
written (fixed seed; the seed of a failure is printed with it).  Every document must come
out the same, type by type, or be refused by both.  Also checks that the JSON Schema is
one, and that it takes and refuses what it should.
"""
import datetime
import itertools
import json
import pathlib
import random
import re
import subprocess
import sys

import jsonschema
import yaml

HERE = pathlib.Path(__file__).parent


def typed(value):
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", str(value) if -2**63 <= value < 2**63 else "big"]
    if isinstance(value, float):
        # The sign of "not a number" is nobody's business.
        return ["float", "nan" if value != value else "%.17g" % value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return ["time"]
    if isinstance(value, str):
        return ["str", value]
    if isinstance(value, list):
        return ["seq", [typed(v) for v in value]]
    if isinstance(value, dict):
        return ["map", [[typed(k), typed(v)] for k, v in value.items()]]
    raise TypeError(type(value))


def expected(text):
    try:
        return typed(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, KeyError, AttributeError,
            IndexError):
        return "error"


def ours(tool, documents):
    text = "\0".join(documents).encode()
    run = subprocess.run([tool, "documents"], input=text, capture_output=True, check=True)
    lines = run.stdout.decode().split("\n")[:-1]
    assert len(lines) == len(documents), (len(lines), len(documents))
    return [json.loads(line.replace('"-nan"', '"nan"')) for line in lines]


def scalars():
    """Every shape of number, boolean, null and date, and their near misses."""
    signs = ["", "-", "+"]
    bodies = ["0", "00", "07", "08", "0_7", "0777", "0o17", "0x1F", "0xfg", "0x", "0x_", "0b101",
              "0b2", "0b_", "0b", "1", "12", "1_000", "_1", "1_", "9223372036854775807",
              "9223372036854775808", "99999999999999999999999", "1:30", "1:60", "1:5", "01:30",
              "0:30", "190:20:30", "1:30.5", "0:1.5", "1:30:", "1.", ".1", "._1", ".1_0", "1.5",
              "1_0.5_0", "1e3", "1.e3", "1.5e3", "1.5e+3", "1.5E-3", "2.5e-06", ".5e+1", "1.5e+",
              ".inf", ".Inf", ".INF", ".iNF", ".nan", ".NaN", ".NAN", ".", "-", "+", "e", "1.2.3"]
    yield from (s + b for s, b in itertools.product(signs, bodies))
    words = ["yes", "no", "true", "false", "on", "off", "null", "y", "n", "~", "none"]
    for word in words:
        yield from {word, word.upper(), word.capitalize(), word[:-1] + word[-1].upper()}
    yield from ["2024-02-01", "2024-2-1", "2024-02-30", "2023-02-29", "2024-02-29", "1900-02-29",
                "2000-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2024-13-01", "20240201",
                "2024-02-01T00:00:00", "2024-02-01t1:02:03", "2024-02-01 1:02:03",
                "2024-02-01  10:00:00.123456789", "2024-02-01 10:00:00.", "2024-02-01 10:00:00 Z",
                "2024-02-01T10:00:00Z", "2024-02-01T10:00:00+9", "2024-02-01T10:00:00+09:00",
                "2024-02-01T10:00:00 -05:30", "2024-02-01T10:00:00+23:59",
                "2024-02-01T10:00:00+24:00", "2024-02-01T10:00:00+23:99", "2024-02-01T24:00:00",
                "2024-02-01T10:60:00", "2024-02-01T10:00:60", "2024-02-01T10:00", "2024-02-01-x",
                "2024-02-01T10:00:00+9:5", "<<", "=", "<", "==", "os.environ/A", "gpt-4o",
                "arn:aws:bedrock:us-east-1:1:x", "a:b", "sk-1", "1,000", "50%", "$1"]


def quoted_too(scalar):
    yield scalar
    yield f"- {scalar}"
    yield f"k: {scalar}"
    yield f"{scalar}: v"
    yield f"{{k: {scalar}}}"
    yield f"'{scalar}'"
    yield f'k: "{scalar}"'
    yield f"k: !!str {scalar}"
    yield f"k: !!int {scalar}"
    yield f"k: !!float {scalar}"
    yield f"k: !!bool {scalar}"
    yield f"k: !!timestamp {scalar}"
    yield f"k: !!null {scalar}"


def random_scalars(count):
    chance = random.Random(20240201)
    alphabet = "0123456789" * 3 + "____" + "----" + "++" + "...." + "::::" + "eExXbBoOTtZz"
    for _ in range(count):
        text = "".join(chance.choice(alphabet) for _ in range(chance.randint(1, 12)))
        yield f"k: {text}"
        yield f"[{text}]"


def known_difference(text, theirs, mine):
    """What differs on purpose, or lies in the scanners and not in what a scalar means."""
    if mine == "error" and re.search(r"(?m)^ +\t", text) and re.search(r"[|>]", text):
        return True  # libyaml: the text of a block scalar begins with no tab
    # int("0o17", 8) is Python's own notation; only an explicit tag gets there.
    if "!!int" in text and ("0o" in text or "_" in text):
        return True
    # Python's int() and float() take what YAML never writes; only with an explicit tag.
    if ("!!int" in text or "!!float" in text) and "error" in (theirs, mine):
        return True
    # libyaml refuses "[a:]", which PyYAML reads as a mapping without a value.
    return mine == "error" and (":]" in text or ":}" in text)


def compare(tool, name, documents):
    documents = [d for d in documents if "\0" not in d]
    different = known = 0
    for text, mine in zip(documents, ours(tool, documents)):
        theirs = expected(text)
        if mine == theirs:
            continue
        if known_difference(text, theirs, mine):
            known += 1
            continue
        different += 1
        if different <= 20:
            print(f"{name}: {text!r}\n  PyYAML: {theirs}\n  kanmon: {mine}")
    print(f"{name}: {len(documents)} documents, {different} different"
          + (f", {known} known differences" if known else ""))
    return different


def check_schema(tool):
    schema = json.loads(subprocess.run([tool, "schema"], capture_output=True, check=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = [{}, {"include": ["a.yaml"]}, {"include": "a.yaml"}, {"unknown": 1},
            {"general_settings": None}, {"general_settings": {"allowed_ips": ["1.2.3.4"]}},
            {"credential_list": [{"credential_name": "a", "credential_values": {"x": 1}}]},
            {"kanmon_settings": {"accept_unsupported": ["general_settings.allowed_ips"]}}]
    bad = [[], {"general_settings": []}, {"credential_list": [{}]}, {"credential_list": {}},
           {"include": {"a": 1}}, {"kanmon_settings": {"accept_unsupported": {"a": 1}}}]
    wrong = [d for d in good if not validator.is_valid(d)] + [d for d in bad if validator.is_valid(d)]
    for document in wrong:
        print(f"schema: wrong about {document}")
    print(f"schema: {len(good) + len(bad)} documents, {len(wrong)} wrong")
    return len(wrong)


def tabs():
    """A tab wherever one can stand, in and beside every kind of scalar."""
    bases = ["a: b\n\nc: d\n", "a:\n  b: c\n  \n  d: e\n", "a: [b, c]  # x\nd: {e: f}\n",
             "a: |\n  x\n\n  y\nb: >-\n  z\n", "a: \"x\n  y\"\nb: 'x # y'  # z\nc: \u00e9 # t\n",
             "- a\n- b: c\n  d:\n    - e\n", "# c\na: b#c\n"]
    for base in bases:
        for at in range(len(base) + 1):
            yield base[:at] + "\t" + base[at:]


def main():
    tool = sys.argv[1]
    many = int(sys.argv[3]) if sys.argv[2:3] == ["--many"] else 20000
    files = sorted((HERE / "yaml-corpus").glob("*.y*ml"))
    assert len(files) >= 10, "the corpus is missing"
    failed = compare(tool, "files", [f.read_text() for f in files])
    failed += compare(tool, "tabs", list(tabs()))
    failed += compare(tool, "scalars", [d for s in scalars() for d in quoted_too(s)])
    failed += compare(tool, "random", list(random_scalars(many)))
    failed += check_schema(tool)
    sys.exit(1 if failed else 0)


main()
