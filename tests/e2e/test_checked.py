# SPDX-License-Identifier: Apache-2.0
"""What a configuration restricts is restricted, or the check says that it is not, and where."""

import json
import re

import pytest

PASS = """
model_list: []
general_settings:
  master_key: sk-e2e-master
  pass_through_endpoints:
    - {{path: /pt, target: "{upstream}/echo"{more}}}
kanmon_settings: {{state_dir: state, workers: 1}}
"""


@pytest.fixture
def check(new_gateway):
    """check(text): the exit code of `config check`, and its entries by code."""
    def checked(text):
        gateway = new_gateway(start=False, config=text)
        ran = gateway.command("config", "check", gateway.config, "--json")
        return ran.returncode, {e["code"]: e for e in json.loads(ran.stdout)}
    return checked


DOOR = """
model_list: []
general_settings: {{master_key: {key}}}
kanmon_settings: {{allowed_hosts: [{hosts}]}}
"""


@pytest.mark.parametrize("host", ["https://a.test", "'*.a.test'", "''", "a.test/", "a.test:80",
                                  "'::1'", "'a b'", "user@a.test"])
def test_a_host_that_is_never_one_is_an_error(check, host):
    status, found = check(DOOR.format(key="sk-1", hosts=f"a.test,\n  {host}"))
    assert status == 5 and found["E0112"]["line"] == 5, found


def test_hosts_that_may_be_are_none(check):
    status, found = check(DOOR.format(key="sk-1", hosts="a.test, A_b, 10.0.0.1, '[::1]', '*'"))
    assert status == 0 and not found, found


@pytest.mark.parametrize("key", ["' '", '"\\t\\n "', '"\\u00a0\\u200b"'])
def test_a_master_key_of_blanks_is_an_error(check, key):
    status, found = check(DOOR.format(key=key, hosts=""))
    assert status == 5 and found["E0112"]["line"] == 3, found


def test_a_certificate_that_cannot_be_read_is_told_with_its_place(check, new_gateway):
    tls = "kanmon_settings: {state_dir: state,\n  listen: [{port: 0, tls: {cert: /no, key: /no}}]}\n"
    status, found = check("model_list: []\n" + tls)
    assert status == 5 and found["E0112"]["line"] == 3, found
    gateway = new_gateway(config="model_list: []\nkanmon_settings: {state_dir: state}\n")
    gateway.config.write_text("model_list: []\n" + tls.replace("/no, key", "/none, key"))
    ran = gateway.command("reload", "--config", gateway.config)
    assert ran.returncode == 5 and "/none" in ran.stderr, ran.stderr
    assert ":0:0:" not in gateway.log.read_text()


def test_a_variable_without_a_name_is_told(check):
    status, found = check("model_list: []\ngeneral_settings: {master_key: os.environ/}\n")
    assert status == 5 and "no name" in found["E0107"]["message"], found


@pytest.mark.parametrize("section", ["mcp_servers", "kanmon_settings.mcp_servers"])
@pytest.mark.parametrize("tools, warned", [("", True), ("[]", True), ("[x]", False)])
def test_a_list_of_tools_that_names_none_is_warned_about(check, section, tools, warned):
    text = "s:\n  url: 'http://127.0.0.1:1/mcp'\n  allowed_tools: " + tools + "\n"
    for part in reversed(section.split(".")):
        text = f"{part}:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    status, found = check("model_list: []\n" + text)
    assert status == 0 and ("W0404" in found) is warned, found


# -- pass_through_endpoints -------------------------------------------------------------------


@pytest.mark.parametrize("more, code", [
    (", methds: [GET]", "E0103"), (", allowed_models: [m]", "E0103"), (", max_budget: 1", "E0103"),
    (", guardrails: {x: {}}", "E0108"), (", methods: [FETCH]", "E0302"), (', auth: "no"', "E0102"),
])
def test_a_member_that_would_restrict_a_pass_through_stops(check, upstream, more, code):
    status, found = check(PASS.format(upstream=upstream.url, more=more))
    assert status == 5 and list(found) == [code] and found[code]["line"] == 6, found


def test_other_members_of_a_pass_through_are_warned_about(check, upstream):
    status, found = check(PASS.format(upstream=upstream.url, more=", nonsense: 1, id: x"))
    assert status == 0 and set(found) == {"W0101", "W0103"}, found


def test_a_pass_through_at_a_place_of_kanmons_own_is_warned_about(check, upstream):
    text = PASS.format(upstream=upstream.url, more="").replace("/pt", "/v1/chat/completions")
    status, found = check(text)
    assert status == 0 and found["W0309"]["line"] == 6 and "POST" in found["W0309"]["message"]


def test_only_the_methods_of_a_pass_through_are_passed(new_gateway, upstream):
    gateway = new_gateway(config=PASS.format(upstream=upstream.url,
                                             more=", methods: [get, POST], include_subpath: true"))
    for path in ("/pt", "/pt/below"):
        for method, status in (("GET", 200), ("POST", 200), ("DELETE", 405), ("PUT", 405)):
            answer = gateway.call(method, path, {} if method in ("POST", "PUT") else None)
            assert answer.status == status, (method, path, answer)
            if status == 405:
                assert set(re.split(", *", answer.header("allow"))) == {"GET", "POST"}
    assert {r.method for r in upstream.seen()} == {"GET", "POST"}
