# SPDX-License-Identifier: Apache-2.0
"""The wall clock of the machine is set wrong and right again while keys with budgets are
used: what was spent in the window of now is what its calls cost."""

import os
import subprocess

import pytest

CALL = 2e-5  # USD: what the upstream's answer costs
DAY = 86400

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The wall clock is off by as many seconds as the file WALL_CLOCK says. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    static int (*real)(clockid_t, struct timespec *);
    char text[32] = "";
    int fd, r;

    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    r = real(clock, ts);
    if (clock != CLOCK_REALTIME || !getenv("WALL_CLOCK"))
        return r;
    fd = open(getenv("WALL_CLOCK"), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) > 0)
            ts->tv_sec += atol(text);
        close(fd);
    }
    return r;
}
"""


@pytest.fixture
def clock(tmp_path):
    """clock.set(seconds): how far the wall clock is off; clock.env for a gateway."""
    class Clock:
        file = tmp_path / "clock"
        env = {"WALL_CLOCK": str(tmp_path / "clock"), "LD_PRELOAD": str(tmp_path / "clock.so")}

        def set(self, seconds):
            fresh = self.file.with_suffix(".new")
            fresh.write_text(str(seconds))
            fresh.rename(self.file)

    if "asan" in os.environ.get("KANMON_BINARY", ""):
        pytest.skip("a sanitizer wants to be the first library")
    (tmp_path / "clock.c").write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"],
                   check=True)
    made = Clock()
    made.set(0)
    return made


def spend(gateway, key):
    return round(gateway.key_info(key)["spend"] / CALL)


@pytest.mark.parametrize("restart", [None, "stop", "kill"])
@pytest.mark.parametrize("length", ["30d", "5d"])
def test_a_clock_that_was_wrong_for_a_while_forgets_no_window(new_gateway, clock, length, restart):
    gateway = new_gateway(env=clock.env)
    key = gateway.new_key(max_budget=1, budget_duration=length)

    def calls(n):
        for _ in range(n):
            assert gateway.chat(key=key).status == 200
        gateway.spend_logs()  # comes after their commit

    def again():
        if restart:
            getattr(gateway, restart)()
            gateway.start()

    calls(3)
    ends = gateway.key_info(key)["budget_reset_at"]
    for off, before in ((400 * DAY, 0), (-400 * DAY, 0), (400 * DAY, 2), (40 * DAY, 0)):
        clock.set(off)
        again()
        assert spend(gateway, key) == before
        calls(2)
        assert spend(gateway, key) == before + 2
        again()
        assert spend(gateway, key) == before + 2
        clock.set(0)
        again()
        assert spend(gateway, key) == 3
    calls(1)
    assert gateway.key_info(key)["budget_reset_at"] == ends
    again()
    assert spend(gateway, key) == 4
