# SPDX-License-Identifier: Apache-2.0
"""MCP servers that take requests signed by AWS Signature Version 4: AWS's own signer is the judge."""

import json
import os
import pathlib
import subprocess

import pytest
from accounts import fetch
from conftest import McpGateway
from gateway import MASTER, slow_factor, wait_until
from sessions import text

HERE = pathlib.Path(__file__).resolve().parent
STATIC, SESSION, ROLE = "AKIDGOLDENSTATIC0001", "ASIAGOLDENSESSION001", "ASIAGOLDENROLE000001"
REGION = "eu-central-1"


class Signed:
    """signed.mjs, to the end of the block."""

    def __enter__(self):
        self.process = subprocess.Popen([os.environ["KM_NODE"], str(HERE / "signed.mjs")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = json.loads(self.process.stdout.readline())
        self.mcp, self.sts, self.keys, self.role = (said[k] for k in ("mcp", "sts", "keys", "role"))
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20 * slow_factor())
        self.process.stdout.close()

    def say(self, path):
        return json.loads(fetch("GET", self.mcp.replace("/mcp", path))[2])

    def taken(self):
        return [one for one in self.say("/seen") if not one.get("refused")]

    def key(self, name):
        found = {"aws_access_key_id": name, "aws_secret_access_key": self.keys[name]["secret"]}
        if "token" in self.keys[name]:
            found["aws_session_token"] = self.keys[name]["token"]
        return found


@pytest.fixture(scope="module")
def server():
    with Signed() as started:
        yield started


@pytest.fixture
def signed(server):
    server.say("/afresh")
    return server


def serve(folder, signed, env=None, query="", workers=2, **entry):
    entry = {"url": signed.mcp + query, "transport": "http", "auth_type": "aws_sigv4",
             "aws_region_name": REGION, **entry}
    return McpGateway(folder, json.dumps({
        "general_settings": {"master_key": MASTER}, "mcp_servers": {"far": entry},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": workers}}),
        {"AWS_ENDPOINT_URL_STS": signed.sts, **(env or {})})


def say(gateway, what="hello"):
    answer = gateway.rpc("tools/call", {"name": "say", "arguments": {"what": what}}, "/mcp/far")
    return text(answer) if "result" in answer else answer["error"]["message"]


def works(gateway, what="hello"):
    """Once the server was heard; what it says behind the number of its calls."""
    return wait_until(lambda: (said := say(gateway, what)).endswith(what) and said, 20, "an answer")


@pytest.mark.parametrize("name", [STATIC, SESSION])
def test_keys_of_the_configuration(tmp_path, signed, name):
    with serve(tmp_path, signed, **signed.key(name)) as gateway:
        # A body of every kind of text: its hash is signed.
        for what in ("hello", "ä ö 日本 🎈", "a b+c/d=%20&\\\"\n", "x" * 100_000):
            works(gateway, what)
        seen = signed.say("/seen")
        assert not [one for one in seen if one.get("refused")], seen
        assert {(one["signedBy"], one["region"]) for one in seen} == {(name, REGION)}
        assert {"initialize", "notifications/initialized", "tools/list", "tools/call"} <= {
            one.get("rpc") for one in seen}
        for secret in (signed.keys[name]["secret"], signed.keys[name].get("token", "no token")):
            assert secret not in gateway.log.read_text()


@pytest.mark.parametrize("query", ["?a=1&b=two%20words", "?z=1&a=%2F%3D&a=0&empty=", "?b&a=%C3%A4"])
def test_the_query_is_signed(tmp_path, signed, query):
    with serve(tmp_path, signed, query=query, **signed.key(STATIC)) as gateway:
        works(gateway)
        seen = signed.say("/seen")
        assert not [one for one in seen if one.get("refused")], seen
        assert {one["target"] for one in seen} == {"/mcp" + query}


def test_keys_of_the_environment(tmp_path, signed):
    env = {"AWS_ACCESS_KEY_ID": SESSION, "AWS_SECRET_ACCESS_KEY": signed.keys[SESSION]["secret"],
           "AWS_SESSION_TOKEN": signed.keys[SESSION]["token"]}
    with serve(tmp_path, signed, env) as gateway:
        works(gateway)
        assert {one["signedBy"] for one in signed.taken()} == {SESSION}


def test_keys_of_a_profile(tmp_path, signed):
    file = tmp_path / "credentials"
    file.write_text(f"[far]\naws_access_key_id = {STATIC}\n"
                    f"aws_secret_access_key = {signed.keys[STATIC]['secret']}\n")
    with serve(tmp_path, signed, {"AWS_SHARED_CREDENTIALS_FILE": str(file)},
               aws_profile_name="far") as gateway:
        works(gateway)
        assert {one["signedBy"] for one in signed.taken()} == {STATIC}


def test_a_role_that_is_assumed_first(tmp_path, signed):
    with serve(tmp_path, signed, aws_role_name=signed.role, aws_session_name="kanmon",
               **signed.key(STATIC)) as gateway:
        works(gateway)
        assert {one["signedBy"] for one in signed.taken()} == {ROLE}


def test_a_clock_that_differs_is_learnt_from_the_refusal(tmp_path, signed):
    with serve(tmp_path, signed, **signed.key(STATIC)) as gateway:
        works(gateway)
        for ahead in (900, -900, 0):
            signed.say(f"/ahead/{ahead}")
            before = len(signed.say("/seen"))
            assert say(gateway, "again").endswith("again")
            new = signed.say("/seen")[before:]
            assert "Signature expired" in new[0]["refused"]
            assert len([one for one in new if one.get("refused")]) == 1, new


@pytest.mark.parametrize("change, words", [
    ({"aws_secret_access_key": "wrong/secret"}, "HTTP 403"),
    ({"aws_session_token": "another"}, "HTTP 403"), ({"aws_service_name": "bedrock"}, "HTTP 403")])
def test_what_is_not_right_is_refused_and_said(tmp_path, signed, change, words):
    with serve(tmp_path, signed, **{**signed.key(SESSION), **change}) as gateway:
        row = wait_until(lambda: (r := gateway.call("GET", "/kanmon/mcp/servers/far").json())["state"]
                         == "down" and r, 20, "it to be down")
        why = row["why"]
        assert words in why and "wrong/secret" not in why and "another" not in why
        assert signed.say("/seen") and not signed.taken()


def test_a_session_that_is_gone_is_begun_anew_once(tmp_path, signed):
    """The server is the official SDK's, and says 404 as that does: what was refused was not run."""
    # One worker: each has a session of its own there, and the kernel says who takes a connection.
    with serve(tmp_path, signed, workers=1, **signed.key(STATIC)) as gateway:
        assert works(gateway) == "1 hello"
        signed.say("/forget")
        before = len(signed.say("/seen"))
        assert say(gateway, "after") == "1 after"  # a new session's first call
        new = [one["rpc"] for one in signed.say("/seen")[before:] if one.get("rpc")]
        # One call if the broken stream of notices told of it first, else the one refused as well.
        assert new.count("tools/call") in (1, 2) and new.count("initialize") == 1, new
        assert say(gateway, "more") == "2 more"
