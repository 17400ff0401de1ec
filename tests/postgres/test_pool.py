# SPDX-License-Identifier: Apache-2.0
"""Connections that are kept ready: made before anybody asks, made anew when they are lost, and never
in a caller's way."""

import subprocess
import time

from gateway import binary, roomy_ms, slow_factor, wait_until

from conftest import Server
from proxy import Proxy
from test_faults import ask, backends, role, text_of, until_it_works, works
from test_gateway import Served
from test_lease import SLOW


def until(postgres, role, n, what):
    wait_until(lambda: len(backends(postgres, role)) == n, 20, what, 0.1)


def end_all(postgres, role):
    postgres.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")


def test_they_are_there_before_the_first_call_and_after_a_loss(postgres, role):
    with Server(postgres.dsn(role), "--pool-min", 3, "--pool-max", 4) as server:
        until(postgres, role, 3, "three connections nobody asked for")
        before = set(backends(postgres, role))
        assert works(server)
        assert set(backends(postgres, role)) == before  # it took one of them
        end_all(postgres, role)
        wait_until(lambda: len(set(backends(postgres, role)) - before) == 3, 20,
                   "three others in their place", 0.1)
        assert works(server)


def test_those_beyond_are_closed_and_old_ones_renewed_one_by_one(postgres, role):
    env = {"KANMON_PG_POOL_IDLE": "1s", "KANMON_PG_POOL_LIFETIME": "3s"}
    with Server(postgres.dsn(role), "--pool-min", 2, "--pool-max", 5, env=env) as server:
        busy = [ask(server, SLOW.format(mark="m_pool"), timeout_ms=roomy_ms(500)) for _ in range(5)]
        until(postgres, role, 5, "as many connections as calls")
        for number in busy:
            assert "57014" in text_of(server, number)
        until(postgres, role, 2, "the others to be closed")
        first = set(backends(postgres, role))
        seen = set()  # how many were there whenever it was looked

        def renewed():
            now = backends(postgres, role)
            seen.add(len(now))
            return len(now) == 2 and not first & set(now)

        wait_until(renewed, 30, "both to be renewed", 0.05)
        assert min(seen) >= 1


def test_a_database_that_is_away_is_tried_in_the_background_and_nobody_waits_for_that(postgres, role):
    with Proxy(None) as wire:
        began = time.monotonic()
        with Server(wire.dsn(role), "--pool-min", 2) as server:
            wait_until(lambda: wire.made >= 4, 20, "it to be tried again without a call", 0.05)
            # One at a time after the first two, in pauses of 100 ms, 200 ms, ...: seen each second.
            assert wire.made <= 4 + (time.monotonic() - began)
            wire.target = postgres.port
            assert works(server)  # at once, whatever the pause of the background is
            until(postgres, role, 2, "the other one")
            wire.target = None
            end_all(postgres, role)
            wait_until(lambda: server.call("execute_sql", sql="SELECT 1")["isError"], 20,
                       "the loss to be seen", 0.1)
            wire.target = postgres.port
            until(postgres, role, 2, "both to be back without a call")
            until_it_works(server)


def test_a_call_does_not_fail_with_an_attempt_that_began_before_it(postgres, role):
    with Proxy(None) as wire:
        with Server(wire.dsn(role), "--pool-min", 2) as server:
            wait_until(lambda: wire.made >= 2, 20, "it to be tried", 0.05)
            wire.gate.clear()
            made = wire.made
            wait_until(lambda: wire.made > made, 20, "it to be tried again", 0.05)
            wire.target = postgres.port
            call = ask(server)
            server.wait(server.send("ping", {}))  # so the call waits for a connection
            wire.gate.set()
            result = server.wait(call)["result"]
            assert result["isError"] is False, result


def test_each_worker_of_a_gateway_has_its_share_before_anybody_asks(postgres, role, tmp_path):
    """And keeps it: a session that has something ready does not end because nobody asks."""
    child = (f"{{command: {binary()}, args: [mcp, postgres], env: {{DATABASE_URL: "
             f"'{postgres.dsn()}'}}, idle_timeout: 1s}}")
    config = ("general_settings: {master_key: sk-e2e-master}\nkanmon_settings:\n"
              f"  state_dir: '{tmp_path}/state'\n  workers: 2\n  mcp_servers:\n    shop:\n"
              "      builtin: postgres\n      idle_timeout: 1s\n"
              f"      postgres: {{dsn: '{postgres.dsn(role)}', pool_min: 3, pool_max: 6}}\n"
              f"    child: {child}\n")
    with Served(tmp_path, config) as served:
        until(postgres, role, 4, "two of each worker")
        first = set(backends(postgres, role))
        wait_until(lambda: served.state("child")["state"] == "stopped", 20,
                   "what began later to end idle", 0.2)
        assert set(backends(postgres, role)) == first


def test_fewer_at_most_than_at_least_does_not_start(postgres):
    ran = subprocess.run([str(binary()), "mcp", "postgres", "--pool-min", "9"],
                         env={"DATABASE_URL": postgres.dsn()}, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=60 * slow_factor())
    assert ran.returncode == 5 and "pool_min is above pool_max" in ran.stderr
