# SPDX-License-Identifier: Apache-2.0
"""What the gateway's own credential may be used for by others: paths that would leave the folder
that was configured."""

import pytest

from gateway import Gateway

CONFIG = """
model_list:
  - model_name: gemini/*
    litellm_params: {{model: gemini/*, api_base: "{upstream}/g", api_key: sk-up-gemini}}
  - model_name: azure/*
    litellm_params: {{model: azure/*, api_base: "{upstream}", api_key: sk-up-azure,
                      api_version: "2024-10-21"}}
  - model_name: claude
    litellm_params: {{model: bedrock/anthropic.claude-x, aws_access_key_id: AKIDEXAMPLE,
                      aws_secret_access_key: secret, aws_region_name: us-east-1,
                      aws_bedrock_runtime_endpoint: "{upstream}/b"}}
general_settings:
  master_key: sk-e2e-master
  pass_through_endpoints:
    - {{path: /pt, target: "{upstream}/inside", include_subpath: true}}
    - {{path: /top, target: "{upstream}", include_subpath: true}}
kanmon_settings: {{state_dir: "{state}", workers: 1}}
"""


@pytest.fixture(scope="module")
def door(session_upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    config = CONFIG.format(upstream=session_upstream.url, state=folder / "state")
    with Gateway(folder, config) as gateway:
        yield gateway


DOTS = ["..%2f..%2fx", "%2e%2e%2fx", "a%2f..%2f..%2fx", "a%252f..%252fx", "..%252fx", "%252e%252e",
        "%25252e%25252e%25252fx", "%2525252e%2525252e", "..%5cx", "..%255cx", "..;", "a;..",
        "..%3bx", "%2e%2e%253bx"]
ROUTES = ["/pt/{}/y", "/gemini/v1beta/models/{}:generateContent",
          "/v1beta/models/{}:generateContent", "/azure/openai/deployments/{}/chat/completions",
          "/openai/deployments/{}/chat/completions", "/bedrock/model/{}/converse",
          "/vertex_ai/v1/projects/p/locations/l/publishers/google/models/{}:generateContent",
          "/openai/v1/files/{}", "/v1/files/{}/content", "/v1/batches/{}", "/v1/models/{}"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dots", DOTS)
def test_no_path_leaves_the_folder_it_was_judged_to_lie_in(door, upstream, route, dots):
    answer = door.call("POST", route.format(dots), {"model": "gemini/x", "messages": []})
    assert answer.status == 400, answer
    assert not upstream.seen()


@pytest.mark.parametrize("model", ["azure/../../x", "azure/..%2f..%2fx", "azure/a/../../x"])
def test_a_models_name_leads_no_request_out_of_the_folder(door, upstream, model):
    answer = door.chat(model)
    assert answer.status == 400 and not upstream.seen(), answer


@pytest.mark.parametrize("sent, got", [("/pt/a%2Fb", "/inside/a%2Fb"), ("/pt/a.b/c", "/inside/a.b/c"),
                                       ("/pt/100%25", "/inside/100%25"), ("/top/x", "/x"),
                                       ("/pt/a%252Fb;v=1.0", "/inside/a%252Fb;v=1.0")])
def test_other_paths_reach_the_target_as_they_are(door, upstream, sent, got):
    door.call("POST", sent, {"a": 1})
    assert [record.target for record in upstream.seen()] == [got]
