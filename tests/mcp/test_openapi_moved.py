# SPDX-License-Identifier: Apache-2.0
"""Documents of `spec_path` that are elsewhere: redirects."""

import pytest

from served import served, status, until
from test_openapi import rest  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def gateway(rest, tmp_path_factory):  # noqa: F811
    key = {"auth_type": "api_key", "auth_value": "k&1", "url": rest.url}
    servers = {name: {"spec_path": f"{rest.url}/{path}", **key}
               for name, path in (("near", "moved/3"), ("far", "moved/4"), ("strayed", "strayed"))}
    with served(tmp_path_factory.mktemp("moved"), servers) as started:
        yield started


def came(rest, *paths):  # noqa: F811
    return [one["headers"] for one in list(rest.seen) if one.get("path") in paths]


def test_it_is_followed_three_times(gateway, rest):  # noqa: F811
    assert until(gateway, "near", "ready")["tools"] > 5
    heads = came(rest, "/moved/2", "/moved/1", "/openapi.json")
    assert len(heads) >= 3 and all(head["x-api-key"] == "k&1" for head in heads)
    assert "redirected more than 3 times" in until(gateway, "far", "down")["why"]


def test_another_host_must_be_public_and_hears_nothing(gateway, rest):  # noqa: F811
    assert "not a public address" in until(gateway, "strayed", "down")["why"]
    assert not came(rest, "/found-by-another-name")
