# SPDX-License-Identifier: Apache-2.0
"""`spec_path`: the operations of a real REST interface as tools, for the official SDK."""

import asyncio
import base64
import json
import pathlib
import subprocess
import sys
import threading

import httpx2
import pytest
from gateway import MASTER, patient, wait_until
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from served import served, status, until

HERE = pathlib.Path(__file__).resolve().parent


class Rest:
    """The interface, and every request it has had."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, str(HERE / "rest_server.py")], text=True,
                                        stdout=subprocess.PIPE)
        self.url = self.process.stdout.readline().strip()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.seen.append(json.loads(line))

    def calls(self):
        """Those of one pet."""
        return [one for one in list(self.seen) if one["path"].startswith("/pets/")]

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def rest():
    started = Rest()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def gateway(rest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    servers = {"pets": {"spec_path": f"{rest.url}/openapi.json", "health_interval": "300ms"}}
    with served(folder, servers, mcp_safety={"approve": "never"}) as started:
        until(started, "pets", "ready")
        yield started


def with_sdk(gateway, talk, path="/mcp/pets", **more):
    async def run():
        headers = {"authorization": f"Bearer {MASTER}", **more}
        async with httpx2.AsyncClient(headers=headers, timeout=patient(30)) as http:
            async with Client(streamable_http_client(gateway.url + path, http_client=http)) as c:
                return await talk(c)
    return asyncio.run(run())


def called(gateway, tool, arguments=None, **more):
    async def talk(client):
        return await client.call_tool(tool, arguments or {})
    return with_sdk(gateway, talk, **more)


def shown(gateway, path="/mcp/pets"):
    async def talk(client):
        return {tool.name: tool for tool in (await client.list_tools()).tools}
    return with_sdk(gateway, talk, path)


def refused(gateway, tool, arguments, **more):
    result = called(gateway, tool, arguments, **more)
    assert result.is_error
    return result.content[0].text


def test_an_operation_is_a_tool_that_asks_the_interface(gateway):
    result = called(gateway, "getpet", {"pet_id": 1})
    assert not result.is_error
    assert result.structured_content == {"id": 1, "name": "Rex", "tags": ["good"]}
    assert json.loads(result.content[0].text) == result.structured_content


def test_what_a_tool_says_of_itself(gateway):
    tools = shown(gateway)
    assert {"getpet", "list_pets_pets_get", "add_pet_", "drop", "form"} <= set(tools)
    one = tools["getpet"]
    assert (one.title, one.input_schema["required"]) == ("One pet", ["pet_id"])
    assert one.annotations.read_only_hint and not one.output_schema
    assert tools["drop"].annotations.destructive_hint
    assert tools["drop"].annotations.idempotent_hint
    assert not tools["add_pet_"].annotations.read_only_hint
    schema = tools["add_pet_"].input_schema
    assert schema["additionalProperties"] is False and schema["required"] == ["body"]
    pet = schema["properties"]["body"]
    assert pet["properties"]["kind"]["enum"] == ["cat", "dog"]
    owner = pet["properties"]["owner"]["anyOf"][0]  # leads back to itself
    assert owner["properties"]["friend"]["anyOf"][0] == {"$ref": "#/$defs/Owner"}
    assert schema["$defs"]["Owner"]["required"] == ["name"]


def test_a_body_and_what_is_wrong_with_one(gateway, rest):
    body = {"name": "Tom", "kind": "cat", "owner": {"name": "Ann", "friend": {"name": "Bob"}}}
    made = called(gateway, "add_pet_", {"body": body}).structured_content
    assert made["owner"] == {"name": "Ann", "friend": {"name": "Bob", "friend": None}}
    before = len(rest.seen)
    for arguments, words in (
            ({}, "arguments needs the member body"),
            ({"body": body, "other": 1}, "arguments has no member other"),
            ({"body": "Tom"}, "arguments.body must be of type object"),
            ({"body": {"kind": "cat"}}, "arguments.body needs the member name"),
            ({"body": {"name": "T", "kind": "cow"}}, "arguments.body.kind must be one of")):
        assert words in refused(gateway, "add_pet_", arguments)
    assert "must be of type integer" in refused(gateway, "getpet", {"pet_id": "../1"})
    assert len(rest.seen) == before  # nothing was asked


def test_values_stay_where_they_belong(gateway, rest):
    for name in ("a b", "a?b#c", "100%", "..a", "\u00e9", "x%2fy", "a\\b", "50%25"):
        assert called(gateway, "name", {"name": name}).structured_content == {"name": name}
    before = len(rest.seen)
    for name in ("..", ".", "a/../b", "..\\x", "", "%2e%2e", ".%2E", "%2e", "..;", "..;x=1/y", "a;..",
                 "a%2f..%2fb", "%252e%252e/x", "..%5cx", "x/%2e%2e%3b/y", "%25252e", "..%00",
                 "%c0%ae%c0%ae"):
        assert "arguments.name must not be" in refused(gateway, "name", {"name": name})
    assert "header field" in refused(gateway, "heads", {"x-trace": "a\r\nevil: 1"})
    assert len(rest.seen) == before
    found = called(gateway, "list_pets_pets_get", {"tag": ["good", "a&b=c"], "limit": 1})
    assert json.loads(found.content[0].text)[0]["name"] == "Rex" and not found.structured_content
    assert rest.seen[-1]["query"] == "tag=good&tag=a%26b%3Dc&limit=1"
    sent = {"x-trace": "t 1", "flavour": "plain"}
    assert called(gateway, "heads", sent).structured_content == {"trace": "t 1",
                                                                  "flavour": "plain"}


def test_forms_and_files(gateway):
    given = {"name": "a&b", "colour": ["red", "blue"]}
    assert called(gateway, "form", {"body": given}).structured_content == given
    content = base64.b64encode(b"\x00\xff").decode()
    sent = {"file": f"data:image/png;base64,{content}", "note": "n"}
    assert called(gateway, "upload", {"body": sent}).structured_content == {
        "type": "image/png", "bytes": content, "note": "n"}


def test_answers_that_are_no_objects(gateway):
    assert called(gateway, "text").content[0].text == "plain\nwords"
    picture = called(gateway, "image").content[0]
    assert (picture.mime_type, base64.b64decode(picture.data)) == ("image/png", b"\x89PNG\0")
    assert called(gateway, "drop", {"pet_id": 9}).content[0].text == "204 No Content"
    assert refused(gateway, "getpet", {"pet_id": 9}) == (
        'HTTP 404 Not Found\n{"detail":"no such pet"}')
    assert called(gateway, "deep", {"levels": 40}).structured_content
    flat = called(gateway, "deep", {"levels": 63})  # as text: a message has its depth
    assert not flat.structured_content and flat.content[0].text.startswith('{"a":{"a":')
    assert "over 4194304 bytes" in refused(gateway, "large", {})
    assert refused(gateway, "away", {}).startswith(
        "HTTP 307 Temporary Redirect, to http://127.0.0.1:1/secret: redirects are not followed")


def test_a_call_that_nobody_waits_for_is_ended(gateway, rest):
    async def talk(client):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.call_tool("slow", {}), 0.5)
    with_sdk(gateway, talk)
    def ended():
        return httpx2.get(rest.url + "/ended", timeout=patient(30)).json()["ended"]
    wait_until(lambda: "slow" in ended(), 10, "the end")


def test_a_document_that_changes_is_heard_of(gateway, rest):
    assert "more" not in shown(gateway)
    httpx2.get(rest.url + "/more", timeout=patient(30))
    wait_until(lambda: "more" in shown(gateway), 10, "the other operation")
    assert called(gateway, "more").structured_content == {}


# --- documents of other kinds, and what is sent for them ---

ECHO = {"responses": {"200": {"description": "ok"}}}


def openapi(paths, url, version="3.0.3", **more):
    return {"openapi": version, "info": {"title": "t", "version": "1"},
            "servers": [{"url": url}], "paths": paths, **more}


def query(name, schema, **more):
    return {"name": name, "in": "query", "schema": schema, **more}


OBJECT = {"type": "object"}
LIST = {"type": "array", "items": {"type": "string"}}
STYLES = {
    "/echo/{simple}/{label}/{matrix}": {"get": {**ECHO, "operationId": "Styles", "parameters": [
        {"name": "simple", "in": "path", "required": True, "schema": LIST},
        {"name": "label", "in": "path", "required": True, "schema": LIST, "style": "label",
         "explode": True},
        {"name": "matrix", "in": "path", "required": True, "schema": OBJECT, "style": "matrix"},
        query("comma", LIST, explode=False), query("space", LIST, style="spaceDelimited"),
        query("pipe", LIST, style="pipeDelimited"), query("deep", OBJECT, style="deepObject"),
        query("flat", OBJECT), {"name": "as", "in": "query",
                                "content": {"application/json": {"schema": OBJECT}}},
        {"name": "x-list", "in": "header", "schema": LIST},
        {"name": "Authorization", "in": "header", "schema": {"type": "string"}}]}},
    "/echo/same/{id}": {
        "parameters": [{"$ref": "#/components/parameters/id"}],
        "get": {**ECHO, "operationId": "same", "parameters": [query("id", {"type": "string"})]},
        "put": {**ECHO, "operationId": "Same", "requestBody": {
            "content": {"text/plain": {"schema": {"type": "string"}}}}},
        "patch": {**ECHO, "operationId": "broken", "parameters": [{"$ref": "#/nowhere"}]}},
    "/echo/it": {"head": {**ECHO, "operationId": "ask"}, "delete": {
        **ECHO, "operationId": "remove", "requestBody": {"content": {"application/json": {}}}}},
    "/echo/nameless": {"get": {**ECHO, "servers": [{"url": "http://elsewhere.example"}]}}}
KEYED = {"header": "X-Api", "query": "api_key", "cookie": "key"}


@pytest.fixture(scope="module")
def kinds(rest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    swagger = {"swagger": "2.0", "info": {"title": "t", "version": "1"}, "schemes": ["http"],
               "host": rest.url[7:], "basePath": "/echo",
               "definitions": {"Pet": {"type": "object", "properties": {
                   "id": {"type": "integer", "readOnly": True}, "name": {"type": "string"}},
                   "required": ["id", "name"]}},
               "paths": {"/old": {
                   "post": {"operationId": "post", "parameters": [
                       {"in": "body", "name": "pet", "required": True,
                        "schema": {"$ref": "#/definitions/Pet"}}]},
                   "put": {"operationId": "put", "parameters": [
                       {"in": "formData", "name": "a", "type": "string"},
                       {"in": "query", "name": "q", "type": "array", "collectionFormat": "pipes",
                        "items": {"type": "string"}}]}}}}
    files = {"styles.yaml": openapi(STYLES, rest.url, components={"parameters": {
                 "id": {"name": "id", "in": "path", "required": True,
                        "schema": {"type": "integer"}}}}),
             "swagger.json": swagger,
             "relative.json": openapi({"/x": {"get": ECHO}}, "/v2"),
             "none.json": openapi({}, rest.url),
             "guarded.json": openapi({"/guarded": {"get": {**ECHO, "operationId": "guarded"}}}, "/"),
             "kept.json": openapi({"/echo/1": {"get": {**ECHO, "operationId": "one"}}}, "/"),
             "other.json": {"hello": 1}}
    for place, name in KEYED.items():
        files[f"{place}.json"] = openapi(
            {"/echo/k": {"get": {**ECHO, "operationId": "k"}}}, rest.url, "3.1.0",
            components={"securitySchemes": {
                "key": {"type": "apiKey", "in": place, "name": name}}})
    for name, document in files.items():
        (folder / name).write_text(json.dumps(document, indent=1) if name.endswith("json")
                                   else as_yaml(document))
    key = {"auth_type": "api_key", "auth_value": "k&1"}
    servers = {
        "styles": {"spec_path": "styles.yaml", "url": f"{rest.url}/?fixed=1",
                   "static_headers": {"X-Team": "blue"}},
        "swagger": {"spec_path": str(folder / "swagger.json"), "transport": "sse"},
        **{place: {"spec_path": f"{place}.json", **key} for place in KEYED},
        "bearer": {"spec_path": "header.json", "auth_type": "bearer_token", "auth_value": "b1"},
        "some": {"spec_path": f"{rest.url}/openapi.json", "allowed_tools": ["name", "slow"],
                 "timeout": "500ms", "description": "Pets"},
        "elsewhere": {"spec_path": f"{rest.url}/openapi.json", "url": "http://127.0.0.1:1/"},
        "guarded": {"spec_path": "guarded.json", "url": rest.url, "auth_type": "oauth2",
                    "oauth2_flow": "client_credentials", "client_id": "robot",
                    "client_secret": "s1", "token_url": f"{rest.url}/token"},
        "signed": {"spec_path": "header.json", "auth_type": "aws_sigv4",
                   "aws_access_key_id": "AKID", "aws_secret_access_key": "s2",
                   "aws_region_name": "eu-west-1", "aws_service_name": "execute-api"},
        "kept": {"spec_path": "kept.json", "url": rest.url, "health_interval": "200ms"},
        "stranger": {"spec_path": f"{rest.url}/foreign.json"},
        "foreign": {"spec_path": f"{rest.url}/foreign.json", **key},
        "placed": {"spec_path": f"{rest.url}/foreign.json", "url": rest.url, **key},
        **{name: {"spec_path": f"{name}.json"} for name in ("relative", "none", "other", "gone")},
        "refused": {"spec_path": f"{rest.url}/nothing"}}
    with served(folder, servers) as started:
        yield started


def as_yaml(value, indent=""):
    """Enough of YAML: maps and lists in block style, the rest as JSON."""
    if not value or not isinstance(value, (dict, list)):
        return " " + json.dumps(value) + "\n"
    lines = value.items() if isinstance(value, dict) else (("-", one) for one in value)
    return "\n" + "".join(f"{indent}{json.dumps(key) + ':' if key != '-' else key}"
                          f"{as_yaml(one, indent + '  ')}" for key, one in lines)


def test_styles_of_parameters(kinds):
    tools = shown(kinds, "/mcp/styles")
    assert set(tools) == {"styles", "same", "same_2", "get__echo_nameless", "ask", "remove"}
    assert called(kinds, "ask", path="/mcp/styles").content[0].text == "200 OK"
    assert "Authorization" not in tools["styles"].input_schema["properties"]
    asked = {"simple": ["a", "b/c"], "label": ["x", "y"], "matrix": {"r": 1},
             "comma": ["1,2", "3"], "space": ["a", "b"], "pipe": ["a", "b"],
             "deep": {"k": "v", "l": 2}, "flat": {"m": True}, "as": {"n": None},
             "x-list": ["p", "q"]}
    sent = called(kinds, "styles", asked, path="/mcp/styles").structured_content
    assert sent["path"] == "/echo/a,b%2Fc/.x.y/;matrix=r,1"
    assert sent["query"] == ("fixed=1&comma=1%2C2,3&space=a%20b&pipe=a%7Cb&deep%5Bk%5D=v&"
                             "deep%5Bl%5D=2&m=true&as=%7B%22n%22%3Anull%7D")
    assert (sent["headers"]["x-list"], sent["headers"]["x-team"]) == ("p,q", "blue")
    assert "authorization" not in sent["headers"]


def test_two_of_one_name(kinds):
    sent = called(kinds, "same", {"id": 7, "id_query": "q"}, path="/mcp/styles").structured_content
    assert (sent["path"], sent["query"]) == ("/echo/same/7", "fixed=1&id=q")
    sent = called(kinds, "get__echo_nameless", path="/mcp/styles").structured_content
    assert sent["path"] == "/echo/nameless"  # `url` says where, whatever the document does
    sent = called(kinds, "same_2", {"id": 7, "body": "words"}, path="/mcp/styles")
    assert sent.structured_content["body"] == "words"
    assert sent.structured_content["headers"]["content-type"] == "text/plain"


def test_what_is_left_out_is_named(kinds):
    until(kinds, "styles", "ready")
    said = "styles: 1 operations are no tools: PATCH /echo/same/{id}: a parameter of it refers to nothing"
    wait_until(lambda: said in kinds.log.read_text(), 10, "its line")
    why = "PATCH /echo/same/{id}: a parameter of it refers to nothing"
    said = status(kinds, "styles")
    assert (said["left_out"], said["notes"]) == (1, why)
    assert [status(kinds, "swagger")[name] for name in ("left_out", "notes")] == [0, ""]
    assert f"  notes      {why}\n" in kinds.command(
        "mcp", "status", "styles", "--config", kinds.config).stdout
    ran = kinds.command("doctor", "--no-network", "--json", "--config", kinds.config, check=False)
    rows = [row for row in json.loads(ran.stdout)["checks"] if row["check"] == "mcp documents"]
    assert [(row["state"], why in row["text"]) for row in rows] == [("warning", True)]


def test_swagger(kinds):
    tools = shown(kinds, "/mcp/swagger")
    assert tools["post"].input_schema["properties"]["pet"] == {
        "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    sent = called(kinds, "post", {"pet": {"name": "n"}}, path="/mcp/swagger").structured_content
    assert (sent["path"], sent["body"]) == ("/echo/old", '{"name":"n"}')
    sent = called(kinds, "put", {"a": "b c", "q": ["x", "y"]}, path="/mcp/swagger")
    sent = sent.structured_content
    assert (sent["query"], sent["body"]) == ("q=x%7Cy", "a=b%20c")
    assert sent["headers"]["content-type"] == "application/x-www-form-urlencoded"


def test_an_api_key_goes_where_the_document_says(kinds):
    def sent(place, **more):
        return called(kinds, "k", path=f"/mcp/{place}", **more).structured_content
    assert sent("header")["headers"]["x-api"] == "k&1"
    assert sent("query")["query"] == "api_key=k%261"
    assert sent("cookie")["headers"]["cookie"] == "key=k%261"
    assert sent("bearer")["headers"]["authorization"] == "Bearer b1"
    own = {"x-mcp-bearer-authorization": "Bearer mine"}
    assert sent("bearer", **own)["headers"]["authorization"] == "Bearer mine"
    for place in KEYED:
        assert not {"x-api-key", "authorization"} & set(sent(place)["headers"])


def test_lines_that_are_made_for_each_request(kinds, rest):
    sent = called(kinds, "k", path="/mcp/signed").structured_content["headers"]
    assert "/eu-west-1/execute-api/aws4_request" in sent["authorization"]
    result = called(kinds, "guarded", path="/mcp/guarded")  # refused once, then with a new token
    assert result.structured_content == {"with": "Bearer t2"}
    asked = [one["token"] for one in rest.seen if "token" in one]
    assert len(asked) == 2 and "grant_type=client_credentials" in asked[0]


def test_a_document_cannot_send_credentials_elsewhere(kinds):
    assert "credentials would be sent to: configure `url`" in until(kinds, "foreign", "down")["why"]
    sent = called(kinds, "f", path="/mcp/placed").structured_content["headers"]
    assert sent["x-api-key"] == "k&1"
    until(kinds, "stranger", "ready")  # to public addresses alone
    assert "not a public address" in refused(kinds, "f", {}, path="/mcp/stranger")


def test_a_document_that_is_broken_later_leaves_the_tools(kinds):
    document = kinds.folder / "kept.json"
    assert set(shown(kinds, "/mcp/kept")) == {"one"}
    good = document.read_text()
    document.write_text("{")
    wait_until(lambda: "kept keeps its tools" in kinds.log.read_text(), 10, "a word of it")
    for _ in range(6):  # any worker, one that has not read it yet as well
        assert called(kinds, "one", path="/mcp/kept").structured_content["path"] == "/echo/1"
    document.write_text(good.replace('"one"', '"two"'))
    wait_until(lambda: set(shown(kinds, "/mcp/kept")) == {"two"}, 10, "the other tool")


def test_an_entrys_other_keys_hold(kinds):
    assert set(shown(kinds, "/mcp/some")) == {"name", "slow"}
    assert "500 ms" in str(kinds.rpc("tools/call", {"name": "slow", "arguments": {}},
                                     path="/mcp/some"))
    assert "127.0.0.1" in refused(kinds, "name", {"name": "a"}, path="/mcp/elsewhere")
    pending = refused(kinds, "drop", {"pet_id": 9}, path="/mcp/elsewhere")
    assert "approval required" in pending
    assert any("some-name" in row[1] or "name" in row[1] for row in kinds.audit())


def test_a_document_that_cannot_be_used_says_why(kinds):
    for name, why in (("gone", "cannot be read"), ("other", "it is no OpenAPI document"),
                      ("none", "it describes no operation"), ("refused", "HTTP 404 Not Found"),
                      ("relative", "configure `url`")):
        assert why in until(kinds, name, "down")["why"]


def test_the_api_adds_one_by_its_address_alone(kinds, rest):
    answer = kinds.call("POST", "/v1/mcp/server", {"server_name": "more",
                                                   "spec_path": f"{rest.url}/openapi.json"})
    assert answer.status == 201
    assert called(kinds, "name", {"name": "x"}, path="/mcp/more").structured_content
    assert status(kinds, "more")["spec_path"] == f"{rest.url}/openapi.json"
    answer = kinds.call("POST", "/v1/mcp/server", {"server_name": "file",
                                                   "spec_path": "/etc/passwd"})
    assert answer.status == 403
