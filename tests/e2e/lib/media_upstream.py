# SPDX-License-Identifier: Apache-2.0
"""Starts media_upstream.mjs with the pinned Node, and a gateway before it."""

import json
import os
import pathlib
import subprocess
import urllib.parse
import urllib.request

from gateway import patient

LIB = pathlib.Path(__file__).resolve().parent

CONFIG = """
model_list:
  - model_name: painter
    litellm_params: &openai
      model: openai/gpt-image-1
      api_base: "{url}/ok/v1"
      api_key: sk-media-upstream
      input_cost_per_token: 0.000005
      input_cost_per_image_token: 0.00001
      output_cost_per_image_token: 0.00004
  - model_name: dall
    litellm_params: {{<<: *base, model: openai/dall-e-3, output_cost_per_image: 0.04}}
  - model_name: pixels
    litellm_params: {{<<: *base, model: openai/dall-e-2, input_cost_per_pixel: 0.0000000190735}}
  - model_name: ears
    litellm_params: {{<<: *base, model: openai/whisper-1, input_cost_per_second: 0.0001, output_cost_per_second: 0.0001}}
  - model_name: tuned
    litellm_params: {{<<: *base, model: openai/whisper-1, input_cost_per_second: 0.0001, temperature: 0.2, response_format: verbose_json, extra_body: {{timestamp_granularities: [word, segment]}}, additional_drop_params: [language, include]}}
  - model_name: scribe
    litellm_params: &scribe {{<<: *base, model: openai/gpt-4o-transcribe, input_cost_per_token: 0.0000025, input_cost_per_audio_token: 0.000006, output_cost_per_token: 0.00001}}
  - model_name: voice
    litellm_params: {{<<: *base, model: openai/tts-1, input_cost_per_character: 0.000015}}
  - model_name: mini-voice
    litellm_params: {{<<: *base, model: openai/gpt-4o-mini-tts, input_cost_per_token: 0.0000025, output_cost_per_audio_token: 0.000012, output_cost_per_second: 0.00025}}
  - model_name: free
    litellm_params: {{<<: *base, model: openai/unheard-of}}
  - model_name: omni-moderation-latest
    litellm_params: {{<<: *base, model: openai/omni-moderation-latest}}
  - model_name: two
    litellm_params: {{<<: *scribe, api_base: "{url}/fail/v1", order: 1}}
  - model_name: two
    litellm_params: {{<<: *scribe, order: 2}}
  - model_name: busy
    litellm_params: {{<<: *scribe, api_base: "{url}/busy/v1", num_retries: 0}}
  - model_name: stall
    litellm_params: {{<<: *scribe, api_base: "{url}/stall/v1"}}
  - model_name: cut
    litellm_params: {{<<: *scribe, api_base: "{url}/cut/v1"}}
  - model_name: early
    litellm_params: {{<<: *scribe, api_base: "{url}/early/v1"}}
  - model_name: azure-ears
    litellm_params: &azure {{model: azure/my-whisper, api_base: "{url}/ok", api_key: sk-media-upstream, api_version: 2024-10-21, input_cost_per_second: 0.0001}}
  - model_name: azure-painter
    litellm_params: {{<<: *azure, model: azure/gpt-image-1, output_cost_per_image: 0.04}}
  - model_name: azure-v1
    litellm_params: {{<<: *azure, model: azure/gpt-image-1, api_base: "{url}/ok/openai/v1", output_cost_per_image: 0.04}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-opus-4-6, api_key: sk-ant}}
  - model_name: batcher
    litellm_params: {{<<: *base, model: openai/gpt-4o-mini, input_cost_per_token: 0.00000015, output_cost_per_token: 0.0000006}}
  - model_name: endless
    litellm_params: {{<<: *base, model: openai/nobody-knows-how-long, input_cost_per_token: 0.00000015, output_cost_per_token: 0.0000006, search_context_cost_per_query: 0.01, code_interpreter_cost_per_session: 0.03}}
  - model_name: dear
    litellm_params: {{<<: *base, model: openai/dear-one, input_cost_per_token: 0.000002, output_cost_per_token: 0.00001}}
general_settings: {{master_key: sk-e2e-master}}
router_settings: {{num_retries: 2}}
kanmon_settings:
  state_dir: "{state}"
  workers: 1
  limits: {{write_timeout: 5s}}
  performance: {{circuit_breaker_failures: 1000000}}
"""


class MediaUpstream:
    def start(self):
        self.process = subprocess.Popen(
            [os.environ["KM_NODE"], str(LIB / "media_upstream.mjs")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"
        return self

    def stop(self):
        self.process.stdin.close()
        self.process.wait(patient(20))
        self.process.stdout.close()

    def _ask(self, path, data=None):
        with urllib.request.urlopen(self.url + path, data, timeout=patient(20)) as answer:
            return json.load(answer)

    def seen(self):
        return self._ask("/seen")

    def forget(self):
        self._ask("/forget", b"")

    def finish(self, usage, line=None):
        """line: the JSON that stands for the usage of each of its answers."""
        more = "" if line is None else "&line=" + urllib.parse.quote(line)
        self._ask(f"/finish?usage={int(usage)}{more}", b"")

    def finish_with(self, *bodies, gone=False, **report):
        """The answers of a batch's lines, in turn, and members of the batch itself."""
        self._ask("/finish-with",
                  json.dumps({"bodies": bodies, "report": report, "gone": gone}).encode())


def config_of(upstream, state):
    text = CONFIG.replace("<<: *base", f'api_base: "{upstream.url}/ok/v1", api_key: sk-media-upstream')
    return text.format(url=upstream.url, state=state)
