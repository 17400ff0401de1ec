# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one upstream and one gateway for the tests that leave both whole, and a
factory for those that kill, reload or starve theirs."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

from anthropic_upstream import AnthropicUpstream
from gateway import Gateway, config_text
from long_form import *  # noqa: F403
from media_upstream import MediaUpstream, config_of
from upstream import Upstream


@pytest.fixture(scope="session")
def session_upstream():
    upstream = Upstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture
def upstream(session_upstream):
    session_upstream.reset()
    session_upstream.close_gate()
    return session_upstream


@pytest.fixture(scope="session")
def session_gateway(session_upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    with Gateway(folder, config_text(session_upstream, folder / "state")) as gateway:
        yield gateway


@pytest.fixture
def gateway(session_gateway):
    """The shared gateway; a test that finds it dead fails with its log."""
    process = session_gateway.process
    assert process.poll() is None, (
        f"the gateway ended with {process.returncode} before this test:\n"
        + session_gateway.log.read_text()[-4000:])
    yield session_gateway
    if process.poll() is not None:
        pytest.fail(f"the gateway ended with {process.returncode} in this test:\n"
                    + session_gateway.log.read_text()[-4000:])


@pytest.fixture
def new_gateway(upstream, tmp_path):
    """new_gateway(more="...", start=True): a gateway of this test alone."""
    made = []

    def make(more="", start=True, config=None, env=None):
        folder = tmp_path / f"gateway-{len(made)}"
        text = config or config_text(upstream, folder / "state", more)
        gateway = Gateway(folder, text, env)
        made.append(gateway)
        return gateway.start() if start else gateway

    yield make
    for gateway in made:
        gateway.stop()


MESSAGES_CONFIG = """
model_list:
  - model_name: claude/*
    litellm_params: {{model: anthropic/claude-opus-4-6--*, api_base: "{claude}", api_key: sk-ant-e2e}}
  - model_name: fast
    litellm_params: {{model: anthropic/claude-opus-4-6--text, api_base: "{claude}/v1", api_key: sk-ant-e2e}}
  - model_name: pinned
    litellm_params:
      model: anthropic/claude-opus-4-6--text
      api_base: "{claude}/v1/messages"
      api_key: sk-ant-e2e
      extra_headers: {{anthropic-version: "2026-10-21"}}
  - model_name: open/*
    litellm_params: {{model: openai/*, api_base: "{openai}/v1", api_key: sk-upstream}}
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings: {{state_dir: "{state}", workers: 2}}
"""


@pytest.fixture(scope="session")
def session_anthropic():
    upstream = AnthropicUpstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture
def anthropic(session_anthropic):
    return session_anthropic


@pytest.fixture
def messages_mock(upstream):
    """The OpenAI-compatible one behind open/*."""
    return upstream


@pytest.fixture(scope="session")
def session_messages_gateway(session_upstream, session_anthropic, tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages")
    config = MESSAGES_CONFIG.format(claude=session_anthropic.url, openai=session_upstream.url,
                                    state=folder / "state")
    with Gateway(folder, config) as gateway:
        yield gateway


@pytest.fixture
def messages_gateway(session_messages_gateway):
    assert session_messages_gateway.process.poll() is None, session_messages_gateway.log.read_text()
    return session_messages_gateway


@pytest.fixture(scope="session")
def media():
    upstream = MediaUpstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def session_media_gateway(media, tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    with Gateway(folder, config_of(media, folder / "state")) as gateway:
        yield gateway


@pytest.fixture
def media_gateway(session_media_gateway, media):
    """The shared one; what its upstream saw is empty."""
    assert session_media_gateway.process.poll() is None, session_media_gateway.log.read_text()
    media.forget()
    return session_media_gateway
