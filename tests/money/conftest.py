# SPDX-License-Identifier: Apache-2.0
"""The vendor and the seed of what is drawn: KM_MONEY_SEED, which tests/money/run sets and prints."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "lib"), str(HERE.parent / "e2e" / "lib")]

from long_form import *  # noqa: F403
from realtime_vendor import RealtimeVendor
from vendor import Loop, Vendor

SEED = os.environ.get("KM_MONEY_SEED", "1")


@pytest.fixture(scope="module")
def vendor():
    loop = Loop()
    made = Vendor(loop)
    made.realtime = RealtimeVendor(made)
    yield made
    loop.stop()


@pytest.fixture(scope="session")
def seed():
    return SEED


def pytest_report_header():
    return f"KM_MONEY_SEED={SEED}"
