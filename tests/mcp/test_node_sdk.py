# SPDX-License-Identifier: Apache-2.0
"""Runs sdk.test.mjs with the pinned Node (KM_NODE) against the shared gateway."""

import json
import os
import pathlib
import re
import subprocess

import pytest
from gateway import slow_factor

HERE = pathlib.Path(__file__).resolve().parent


def test_the_typescript_sdks(gateway, key, kanmon):
    node = os.environ.get("KM_NODE")
    if not node:
        pytest.fail("KM_NODE is not set: run this by tests/mcp/run")
    ran = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(HERE / "sdk.test.mjs")],
        env={**os.environ, "KANMON_URL": gateway.url, "KANMON_KEY": key,
             "KANMON_BRIDGE": json.dumps([kanmon, *gateway.bridge_words()])},
        capture_output=True, text=True, timeout=120 * slow_factor())
    failed = re.findall(r"^\s*not ok .*", ran.stdout, re.M)
    passed = re.search(r"^# pass (\d+)", ran.stdout, re.M)
    assert ran.returncode == 0, "\n".join(failed) + ran.stdout[-6000:] + ran.stderr[-2000:]
    assert passed and int(passed.group(1)) == 12, ran.stdout[-3000:]
