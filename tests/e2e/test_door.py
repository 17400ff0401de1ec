# SPDX-License-Identifier: Apache-2.0
"""Who may come in, and how far: paths that would leave the folder
that was configured, and rights that come from where a request was made."""

import socket

import pytest

from gateway import Gateway, patient

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


# --- who is local ---

FORWARDED = [("Forwarded", "for=203.0.113.9"), ("X-Forwarded-For", "203.0.113.9"),
             ("X-Forwarded-For", "127.0.0.1"), ("x-forwarded-host", "llm.example.com"),
             ("X-Forwarded-Proto", "https"), ("X-Real-IP", "203.0.113.9"), ("Via", "1.1 proxy"),
             ("Via", ""), ("vIA", "1.0 x"), ("X-Forwarded", "x"), ("CF-Connecting-IP", "203.0.113.9")]
PATHS = [("GET", "/metrics"), ("POST", "/key/generate"), ("GET", "/key/list"), ("GET", "/v1/models"),
         ("GET", "/health"), ("GET", "/kanmon/status"), ("POST", "/v1/chat/completions"),
         ("POST", "/mcp"), ("POST", "/openai/v1/responses"), ("POST", "/pt/x")]


@pytest.fixture(scope="module")
def keyless(session_upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyless")
    config = CONFIG.format(upstream=session_upstream.url, state=folder / "state").replace(
        "  master_key: sk-e2e-master\n", "")
    with Gateway(folder, config) as gateway:
        yield gateway


@pytest.mark.parametrize("field", FORWARDED, ids=str)
@pytest.mark.parametrize("method, path", PATHS)
def test_without_a_master_key_what_a_proxy_passed_on_has_no_right(keyless, upstream, method, path,
                                                                  field):
    answer = keyless.call(method, path, {} if method == "POST" else None, key=None,
                          headers=dict([field]))
    assert answer.status == 403 and b"Set a master key" in answer.body, answer
    assert not upstream.seen()


def test_without_a_master_key_this_machine_has_its_rights_and_probes_are_free(keyless):
    assert keyless.call("GET", "/metrics", key=None).status == 200
    assert keyless.call("POST", "/key/generate", {}, key=None).status == 200
    for path in ("/health/liveliness", "/health/readiness"):
        for headers in ({}, dict(FORWARDED[:3])):
            assert keyless.call("GET", path, key=None, headers=headers).status == 200


def test_with_a_master_key_nothing_is_free_by_locality(door):
    assert door.call("GET", "/metrics", key=None).status == 401
    assert door.call("GET", "/metrics", key="sk-unknown").status == 401
    assert door.call("GET", "/metrics", key=door.new_key()).status == 200
    for path in ("/health/liveliness", "/health/readiness"):
        assert door.call("GET", path, key=None).status == 200


@pytest.mark.parametrize("section", ["kanmon_settings: {{metrics_public: true, ",
                                     "litellm_settings: {{require_auth_for_metrics_endpoint: false}}"
                                     "\nkanmon_settings: {{"])
def test_metrics_are_open_where_the_file_says_so(session_upstream, tmp_path, section):
    config = CONFIG.replace("kanmon_settings: {{", section).format(
        upstream=session_upstream.url, state=tmp_path / "state")
    with Gateway(tmp_path, config) as gateway:
        for headers in ({}, dict(FORWARDED[:1])):
            assert gateway.call("GET", "/metrics", key=None, headers=headers).status == 200
        assert gateway.call("GET", "/health", key=None).status == 401


def test_a_request_passed_on_to_the_control_socket_needs_a_key(door):
    answers = []
    for field in (None, "Via: 1.1 proxy", "X-Forwarded-For: 127.0.0.1"):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(patient(30))
            link.connect(str(door.folder / "state" / "kanmon.sock"))
            link.sendall(b"GET /key/list HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                         + (field.encode() + b"\r\n" if field else b"") + b"\r\n")
            answers.append(link.makefile("rb").readline().split()[1])
    assert answers == [b"200", b"401", b"401"]


def test_start_and_doctor_say_what_a_proxy_makes_of_no_master_key(keyless, session_upstream,
                                                                  tmp_path):
    assert "a proxy on this machine makes everything public" in keyless.log.read_text()
    doctor = keyless.command("doctor", "--config", keyless.config)
    assert "makes everything public" in doctor.stdout, doctor
    gateway = Gateway(tmp_path, CONFIG.format(
        upstream=session_upstream.url, state=tmp_path / "state").replace(
        "  master_key: sk-e2e-master\n", ""))
    started = gateway.command("start", "--config", gateway.config, "--port", gateway.port)
    try:
        assert started.returncode == 0, started
        assert "a proxy on this machine makes everything public" in started.stderr, started
    finally:
        assert gateway.command("stop", "--config", gateway.config).returncode == 0
