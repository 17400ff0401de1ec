# SPDX-License-Identifier: Apache-2.0
"""Runs media.test.mjs with the pinned Node (KM_NODE)."""

import os
import pathlib
import re
import subprocess

from gateway import MASTER, slow_factor

HERE = pathlib.Path(__file__).resolve().parent


def test_the_node_sdks(media_gateway):
    ran = subprocess.run(
        [os.environ["KM_NODE"], "--test", "--test-reporter=tap", str(HERE / "media.test.mjs")],
        env={**os.environ, "KANMON_URL": media_gateway.url, "KANMON_KEY": MASTER},
        capture_output=True, text=True, timeout=120 * slow_factor())
    failed = re.findall(r"^\s*not ok .*", ran.stdout, re.M)
    assert ran.returncode == 0, "\n".join(failed[:20]) + "\n" + ran.stdout[-3000:] + ran.stderr
    assert int(re.search(r"^# pass (\d+)", ran.stdout, re.M)[1]) == 24
