# SPDX-License-Identifier: Apache-2.0
"""Every kind of call, whole and as a stream, ended in every way: the books say what the vendor's do.

A test is a combination.  All that were chosen run at once, before the first of them is judged.
"""

import pytest

import cases
from conftest import SEED
from endings import ENDINGS
from kinds import KINDS
from world import World

PLACES = 6  # of an answer, where the short form ends it; the long form at each byte


def pytest_generate_tests(metafunc):
    for name in ("live", "hasty"):
        if f"{name}_case" in metafunc.fixturenames:
            found = cases.all_cases(SEED, name)
            metafunc.parametrize(f"{name}_case", found, ids=[case.id for case in found])


def run_and_judge(made, found):
    made.loop.run(cases.run_live(found, made))
    made.loop.run(cases.judge(found, made))


@pytest.fixture(scope="module")
def live(request, vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp("live")).start()
    run_and_judge(made, cases.of_session(request, "live_case"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def hasty(request, vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp("hasty"), timeout=2,
                 more="  stream_idle: 2s\n").start()
    run_and_judge(made, cases.of_session(request, "hasty_case"))
    yield made
    made.stop()


def test_it_ends_and_is_booked(live, live_case):
    live_case.verdict()


def test_it_runs_out_of_time_and_is_booked(hasty, hasty_case):
    hasty_case.verdict()


@pytest.fixture
def bytewise(request, vendor, tmp_path):
    """A gateway for some thousand calls, which are few enough in the short form for the others'."""
    if not request.config.getoption("--long"):
        yield request.getfixturevalue("live")
        return
    made = World(vendor, tmp_path).start()
    yield made
    made.stop()


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e.exhaustive], ids=lambda e: e.name)
@pytest.mark.parametrize("kind,stream", [
    pytest.param(kind, stream, id=f"{kind.name}-{'stream' if stream else 'whole'}")
    for kind in KINDS for stream in kind.streams])
def test_wherever_it_ends_it_is_booked(bytewise, seed, kind, stream, ending, long):
    found = cases.at_each_byte(bytewise, kind, stream, ending, seed, None if long else PLACES)
    run_and_judge(bytewise, found)
    wrong = [f"{'; '.join(case.problems)}\n    {case!r}" for case in found if case.problems]
    if wrong:
        pytest.fail(f"at {len(wrong)} of {len(found)} bytes:\n" + "\n".join(wrong[:5]), pytrace=False)


def test_nobody_asked_the_vendor_for_what_was_not_planned(live, vendor):
    assert not vendor.unplanned, vendor.unplanned[:5]
