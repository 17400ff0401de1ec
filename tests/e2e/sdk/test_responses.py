# SPDX-License-Identifier: Apache-2.0
"""Runs responses.test.mjs with the pinned Node (KM_NODE): OpenAI's SDK speaks Responses to a
gateway whose upstream, in the same file, has chat completions only, or Responses too."""

import os
import pathlib
import re
import subprocess

import pytest

from gateway import MASTER, Gateway, slow_factor
from ports import free_port

HERE = pathlib.Path(__file__).resolve().parent

CONFIG = """
model_list:
  - model_name: chat/*
    litellm_params: &priced
      model: groq/*
      api_base: "http://127.0.0.1:{upstream}/v1"
      api_key: sk-upstream
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
  - model_name: native/*
    litellm_params: {{<<: *priced, model: openai/*}}
general_settings:
  master_key: {master}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
"""


def test_the_node_sdk_speaks_responses(tmp_path):
    node = os.environ.get("KM_NODE")
    if not node:
        pytest.fail("KM_NODE is not set: run this by tests/e2e/run")
    upstream = free_port()
    config = CONFIG.format(upstream=upstream, master=MASTER, state=tmp_path / "state")
    with Gateway(tmp_path, config) as gateway:
        ran = subprocess.run(
            [node, "--test", "--test-reporter=tap", str(HERE / "responses.test.mjs")],
            env={**os.environ, "KANMON_URL": gateway.url, "KANMON_KEY": MASTER,
                 "UPSTREAM_PORT": str(upstream)},
            capture_output=True, text=True, timeout=60 * slow_factor())
    failed = re.findall(r"^\s*not ok .*", ran.stdout, re.M)
    assert ran.returncode == 0, "\n".join(failed[:20]) + "\n" + ran.stdout[-3000:] + ran.stderr
    assert int(re.search(r"^# pass (\d+)", ran.stdout, re.M)[1]) >= 18
    sealed = b"".join(f.read_bytes() for f in (tmp_path / "state").glob("kanmon.db*"))
    assert b"Let me see." not in sealed, "a stored answer can be read in the database's file"
    assert (tmp_path / "state" / "answers.key").stat().st_mode & 0o777 == 0o600
