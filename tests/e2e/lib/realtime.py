# SPDX-License-Identifier: Apache-2.0
"""The fake Realtime API as a process, and a session as a test uses it."""

import json
import os
import pathlib
import subprocess
import urllib.request

import websockets.sync.client
from websockets.exceptions import ConnectionClosed

from gateway import MASTER, slow_factor

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 20

CONFIG = """
model_list:
  - model_name: voice
    litellm_params: {{model: openai/gpt-realtime, api_base: "{up}/v1", api_key: sk-upstream}}
  - model_name: gpt-realtime
    litellm_params: {{model: openai/gpt-realtime, api_base: "{up}/v1", api_key: sk-upstream}}
  - model_name: classic
    litellm_params:
      {{model: azure/rt-classic, api_base: "{up}", api_key: az-upstream, api_version: 2025-04-01-preview,
        input_cost_per_token: 0.000004, output_cost_per_token: 0.000016}}
  - model_name: v1
    litellm_params: {{model: azure/rt-v1, api_base: "{up}/openai/v1", api_key: az-upstream}}
  - model_name: refused/*
    litellm_params: {{model: openai/rt-*, api_base: "{up}/v1", api_key: sk-upstream}}
  - model_name: either
    litellm_params: {{model: openai/rt-500, api_base: "{up}/v1", api_key: sk-upstream, order: 1}}
  - model_name: either
    litellm_params: {{model: openai/gpt-realtime, api_base: "{up}/v1", api_key: sk-upstream, order: 2}}
  - model_name: endless
    litellm_params:
      {{model: openai/nobody-knows-how-long, api_base: "{up}/v1", api_key: sk-upstream,
        input_cost_per_token: 0.000004, output_cost_per_token: 0.000064}}
  - model_name: other
    litellm_params: {{model: anthropic/claude-opus-4-6, api_key: sk-ant}}
general_settings: {{master_key: """ + MASTER + """}}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
  drain: 30s
  realtime_message_bytes: 4MiB
  {more}
"""


class RealtimeUpstream:
    def start(self):
        node = os.environ.get("KM_NODE")
        if not node:
            raise SystemExit("KM_NODE is not set: run this by tests/e2e/run")
        modules = HERE.parent / "node_modules"
        assert modules.exists(), "npm packages are missing: run this by tests/e2e/run"
        self.process = subprocess.Popen([node, str(HERE / "realtime_upstream.mjs")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        return self

    def stop(self):
        self.process.stdin.close()
        self.process.wait(LIMIT)

    def sessions(self):
        with urllib.request.urlopen(self.url + "/log", timeout=LIMIT) as answer:
            return json.loads(answer.read())


class Session:
    """A client of the gateway's; text in and out."""

    def __init__(self, gateway, model="voice", key=MASTER, path="/v1/realtime?model={}", headers=None,
                 **kwargs):
        send = {"authorization": f"Bearer {key}"} if key else {}
        self.ws = websockets.sync.client.connect(
            f"ws://127.0.0.1:{gateway.port}{path.format(model)}",
            additional_headers={**send, **(headers or {})}, max_size=None,
            open_timeout=LIMIT * slow_factor(), compression=None, **kwargs)
        self.call_id = self.ws.response.headers["x-litellm-call-id"]
        self.raw = []
        self.created = self.next()
        assert self.created["type"] == "session.created", self.created

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.close()

    def send(self, type, **members):
        text = json.dumps({"type": type, **members})
        self.ws.send(text)
        return text

    def next(self):
        text = self.ws.recv(LIMIT * slow_factor())
        self.raw.append(text)
        return json.loads(text)

    def until(self, type):
        while True:
            event = self.next()
            if event["type"] == type:
                return event
            assert event["type"] != "error", event

    def respond(self, usage=None, behave=None, words=None, **members):
        metadata = {} if words is None else {"words": str(words)}
        if usage:
            metadata["usage"] = json.dumps(usage)
        if behave:
            metadata["behave"] = behave
        return self.send("response.create", response={"metadata": metadata, **members})

    def answer(self, usage=None):
        """One answer, to its end."""
        self.respond(usage)
        return self.until("response.done")

    def end(self):
        """What still comes, and how it ends: events, code, reason."""
        events = []
        try:
            while True:
                events.append(self.next())
        except ConnectionClosed as closed:
            return events, closed.rcvd.code if closed.rcvd else 1006, (
                closed.rcvd.reason if closed.rcvd else "")
