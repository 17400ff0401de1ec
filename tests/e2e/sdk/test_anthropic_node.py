# SPDX-License-Identifier: Apache-2.0
"""Runs anthropic.test.mjs with the pinned Node (KM_NODE) against a gateway in front of Claude
and of an OpenAI-compatible model."""

import os
import pathlib
import re
import subprocess

import pytest

from gateway import MASTER, slow_factor

HERE = pathlib.Path(__file__).resolve().parent


def test_anthropics_node_sdks(messages_gateway):
    node = os.environ.get("KM_NODE")
    if not node:
        pytest.fail("KM_NODE is not set: run this by tests/e2e/run")
    ran = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(HERE / "anthropic.test.mjs")],
        env={**os.environ, "KANMON_URL": messages_gateway.url, "KANMON_KEY": MASTER},
        capture_output=True, text=True, timeout=120 * slow_factor())
    failed = re.findall(r"^\s*not ok .*", ran.stdout, re.M)
    assert ran.returncode == 0, "\n".join(failed[:20]) + "\n" + ran.stdout[-3000:] + ran.stderr
    assert int(re.search(r"^# pass (\d+)", ran.stdout, re.M)[1]) >= 75
