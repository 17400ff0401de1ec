# SPDX-License-Identifier: Apache-2.0
"""The official SDKs log in by themselves: discovery, registration, PKCE, refresh."""

import asyncio
import os
import pathlib
import re
import subprocess

import httpx2
import pytest
from browser import Browser
from gateway import patient
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

HERE = pathlib.Path(__file__).resolve().parent


def test_the_typescript_sdks(gateway, key):
    ran = subprocess.run(
        [os.environ["KM_NODE"], "--test", "--test-reporter=tap", str(HERE / "oauth.test.mjs")],
        env={**os.environ, "KANMON_URL": gateway.url, "KANMON_KEY": key},
        capture_output=True, text=True, timeout=patient(120))
    passed = re.search(r"^# pass (\d+)", ran.stdout, re.M)
    assert ran.returncode == 0 and passed and int(passed[1]) == 6, ran.stdout + ran.stderr


class Storage:
    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_python_sdk(gateway, mode):
    key = gateway.new_key()
    storage, browsed = Storage(), []

    async def redirect(url):
        browsed.append(Browser(gateway).log_in(url, key).query)

    async def callback():
        answer = browsed[-1]
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"],
                                       iss=answer["iss"])

    async def talk():
        auth = OAuthClientProvider(
            server_url=f"{gateway.url}/mcp", storage=storage, redirect_handler=redirect,
            callback_handler=callback,
            client_metadata=OAuthClientMetadata(
                client_name="Python", redirect_uris=["http://127.0.0.1:41997/callback"]))
        async with httpx2.AsyncClient(auth=auth, timeout=patient(30)) as http:
            async with Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http),
                              mode=mode) as client:
                return [tool.name for tool in (await client.list_tools()).tools]

    assert "kanmon-key_info" in asyncio.run(talk())
    assert len(browsed) == 1
    before = storage.tokens
    assert "kanmon-key_info" in asyncio.run(talk())  # the same token, from its storage
    assert len(browsed) == 1 and storage.tokens.access_token == before.access_token
    gateway.call("POST", "/key/delete", {"keys": [key]})
    with pytest.raises(Exception):  # the key is gone, and a new log-in needs one
        asyncio.run(talk())
