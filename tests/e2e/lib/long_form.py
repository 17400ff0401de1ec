# SPDX-License-Identifier: Apache-2.0
"""The long form of a suite, as conftest.py takes it in: `from long_form import *`.

    @pytest.mark.long                           a test, or by pytest.param(..., marks=LONG) one of its
                                                cases, that runs with --long only
    def test_x(long): many = 100 if long else 5     a count

What is left out is counted by pytest as deselected, so that it is not overlooked.
"""

import pytest

__all__ = ["long", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure"]

LONG = pytest.mark.long


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="full counts, and what is marked `long`")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: in the long form only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def long(request):
    return request.config.getoption("--long")
