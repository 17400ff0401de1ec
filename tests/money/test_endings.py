# SPDX-License-Identifier: Apache-2.0
"""Every kind of call, whole and as a stream, ended in every way: the books say what the vendor's do.

A test is a combination.  All that were chosen run at once, before the first of them is judged.
"""

import pytest

import cases
from conftest import SEED
from world import World

MOST = {"live": 330, "hasty": 50}


def chosen(config, name):
    found = cases.all_cases(SEED, name)
    return found if config.getoption("--long") else cases.sample(found, SEED, MOST[name])


def pytest_generate_tests(metafunc):
    for name in MOST:
        if f"{name}_case" in metafunc.fixturenames:
            found = chosen(metafunc.config, name)
            metafunc.parametrize(f"{name}_case", found, ids=[case.id for case in found])


def wanted(request, name):
    """The cases of this session that are to be run: all, or those of a second try."""
    return [item.callspec.params[name] for item in request.session.items
            if name in getattr(item, "callspec", item).__dict__.get("params", {})]


def run_and_judge(made, found):
    made.loop.run(cases.run_live(found, made))
    made.loop.run(cases.judge(found, made))


@pytest.fixture(scope="module")
def live(request, vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp("live")).start()
    run_and_judge(made, wanted(request, "live_case"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def hasty(request, vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp("hasty"), timeout=2,
                 more="  stream_idle: 2s\n").start()
    run_and_judge(made, wanted(request, "hasty_case"))
    yield made
    made.stop()


def test_it_ends_and_is_booked(live, live_case):
    live_case.verdict()


def test_it_runs_out_of_time_and_is_booked(hasty, hasty_case):
    hasty_case.verdict()


def test_nobody_asked_the_vendor_for_what_was_not_planned(live, vendor):
    assert not vendor.unplanned, vendor.unplanned[:5]
