# SPDX-License-Identifier: Apache-2.0
"""A gateway that dies, or is replaced, with calls of every kind under way: what nobody can know is
charged by what was heard last, the rest of what was reserved is held where it can be seen, and
goes; what another process takes over is booked as if nothing had been."""

import pytest

import cases
from conftest import SEED
from world import Daemon, World


def pytest_generate_tests(metafunc):
    for name in ("killed", "handed", "lost"):
        if f"{name}_case" in metafunc.fixturenames:
            found = cases.all_cases(SEED, name)
            ways = ["eventual", "strict"]
            for n, case in enumerate(found):  # each in one of the two, its sibling in the other
                case.accounting = ways[(n + int(SEED)) % 2]
            metafunc.parametrize(f"{name}_case", found, ids=[
                f"{case.id}-{case.accounting}" for case in found])


def strike_all(request, vendor, factory, name, Made, strike):
    made = []
    for accounting in ("eventual", "strict"):
        found = [case for case in cases.of_session(request, f"{name}_case")
                 if case.accounting == accounting]
        if found:
            one = Made(vendor, factory.mktemp(f"{name}-{accounting}"),
                       more=f"  accounting: {accounting}\n").start()
            made.append(one)
            one.loop.run(cases.run_struck(found, one, lambda: strike(one)))
            one.loop.run(cases.judge(found, one))
    yield made
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def killed(request, vendor, tmp_path_factory):
    yield from strike_all(request, vendor, tmp_path_factory, "killed", World, World.kill)


@pytest.fixture(scope="module")
def handed(request, vendor, tmp_path_factory):
    yield from strike_all(request, vendor, tmp_path_factory, "handed", Daemon, Daemon.restart)


@pytest.fixture(scope="module")
def lost(request, vendor, tmp_path_factory):
    yield from strike_all(request, vendor, tmp_path_factory, "lost", Daemon, Daemon.lose)


def test_what_a_kill_left_open_is_charged_and_held(killed, killed_case):
    killed_case.verdict()


def test_what_was_handed_over_goes_on(handed, handed_case):
    handed_case.verdict()


def test_what_a_hand_over_lost_is_charged_and_held(lost, lost_case):
    lost_case.verdict()
