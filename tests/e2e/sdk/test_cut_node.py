# SPDX-License-Identifier: Apache-2.0
"""Runs cut.test.mjs with the pinned Node (KM_NODE): the vendors' SDKs read streams that the gateway
ended early."""

import os
import pathlib
import re
import subprocess

import pytest

from gateway import slow_factor

HERE = pathlib.Path(__file__).resolve().parent


def test_the_node_sdks_read_streams_that_were_ended_early():
    node = os.environ.get("KM_NODE")
    if not node:
        pytest.fail("KM_NODE is not set: run this by tests/e2e/run")
    ran = subprocess.run([node, "--test", "--test-reporter=tap", str(HERE / "cut.test.mjs")],
                         capture_output=True, text=True, timeout=60 * slow_factor())
    failed = re.findall(r"^\s*not ok .*", ran.stdout, re.M)
    assert ran.returncode == 0, "\n".join(failed[:20]) + "\n" + ran.stdout[-3000:] + ran.stderr
    assert int(re.search(r"^# pass (\d+)", ran.stdout, re.M)[1]) >= 200
