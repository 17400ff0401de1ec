# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one upstream and one gateway for the tests that leave both whole, and a
factory for those that kill, reload or starve theirs."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

from gateway import Gateway, config_text
from upstream import Upstream


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="full counts")


@pytest.fixture(scope="session")
def long(request):
    return request.config.getoption("--long")


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
