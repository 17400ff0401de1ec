# SPDX-License-Identifier: Apache-2.0
"""Images that callers name by address, fetched for a provider that fetches none."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from gateway import patient

CHILD = pathlib.Path(__file__).resolve().parent / "lib" / "media_world.py"
CASES = {
    "ok": None,
    "hops-3": None,
    "hops-4": "redirected more than 3 times",
    "http": "only https",
    "private": "not a public address",
    "page": "no image",
    "big": "over 20971520 bytes",
}


def can_make_networks():
    if not all(map(shutil.which, ("unshare", "ip", "openssl"))):
        return False
    tried = subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"],
                           capture_output=True, check=False)
    return tried.returncode == 0


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    if not can_make_networks():
        pytest.skip("this machine allows no network namespaces")
    done = subprocess.run(["unshare", "-rn", sys.executable, str(CHILD),
                           str(tmp_path_factory.mktemp("media")), *CASES],
                          capture_output=True, text=True, timeout=patient(200), check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES)
def test_an_image_is_fetched_within_its_bounds(results, name):
    got, why = results[name], CASES[name]
    if why is None:
        assert got["status"] == 200, got["text"]
        assert got["same"]
    else:
        assert got["status"] == 400, got["text"]
        assert why in got["text"]
