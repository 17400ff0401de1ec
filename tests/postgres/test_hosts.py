# SPDX-License-Identifier: Apache-2.0
"""Several hosts, some of which say nothing: one takes its part of the time, then the next is
tried."""

import contextlib
import socket
import time

import pytest
from gateway import slow_factor

from conftest import Server
from proxy import Proxy
from test_faults import works

PART = {"KANMON_PG_CONNECT_TIMEOUT": "2s"}  # of two hosts the first has one second


class Silent:
    """Takes connections and says nothing; or, full, does not even take them."""

    def __init__(self, full=False):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0 if full else 64)
        self.port = self.listener.getsockname()[1]
        self.links = []
        while full:  # until one is not let in any more
            link = socket.socket()
            link.settimeout(0.2)
            self.links.append(link)
            try:
                link.connect(("127.0.0.1", self.port))
            except TimeoutError:
                break

    def taken(self):
        """How many have come so far; all are kept open."""
        self.listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.links.append(self.listener.accept()[0])
        return len(self.links)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for link in (*self.links, self.listener):
            link.close()


@pytest.fixture
def silent():
    with Silent() as one:
        yield one


def words(*ports, more=""):
    hosts = ",".join("127.0.0.1" for _ in ports)
    return f"host={hosts} port={','.join(map(str, ports))} user=mcp_ro dbname=postgres {more}"


@pytest.mark.parametrize("full", [False, True], ids=["says nothing", "takes nobody"])
def test_a_silent_host_takes_its_part_of_the_time_and_the_next_is_tried(postgres, full):
    with Silent(full) as silent:
        began = time.monotonic()
        with Server(words(silent.port, postgres.port), env=PART) as server:
            assert works(server)  # within the time a call waits for a connection
        assert time.monotonic() - began < 5 * slow_factor()


def test_each_that_is_silent_is_tried_once(postgres, silent):
    with Silent() as second:
        dsn = words(silent.port, 1, second.port, postgres.port)  # nobody listens at port 1
        with Server(dsn, "--pool-max", 1, env=PART) as server:
            assert works(server)
        assert (silent.taken(), second.taken()) == (1, 1)


def test_addresses_and_sockets_count_as_hosts(postgres, silent, tmp_path):
    path = tmp_path / f".s.PGSQL.{postgres.port}"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen(8)
        dsn = (f"hostaddr=127.0.0.1,127.0.0.1 port={silent.port},{postgres.port} user=mcp_ro "
               "dbname=postgres")
        for dsn in (dsn, f"host={tmp_path},127.0.0.1 port={postgres.port} user=mcp_ro "
                         "dbname=postgres"):
            with Server(dsn, "--pool-max", 1, env=PART) as server:
                assert works(server)
    assert silent.taken() == 1


@pytest.mark.parametrize("wanted", ["prefer-standby", "primary", "read-only"])
def test_the_others_are_chosen_from_as_ever(postgres, silent, wanted):
    """libpq passes twice over the list for prefer-standby; read-only means that here."""
    dsn = words(silent.port, postgres.port, more=f"target_session_attrs={wanted}")
    with Server(dsn, env=PART) as server:
        assert works(server)


def test_a_refusal_is_the_end_wherever_it_comes(postgres, silent):
    """Who is not let in at one host does not try the next with the same word, as in libpq."""
    dsn = words(silent.port, postgres.port, silent.port, more="").replace("mcp_ro", "nobody")
    with Server(dsn, env=PART) as server:
        assert 'role "nobody" does not exist' in server.error("execute_sql", sql="SELECT 1")


def test_where_all_are_silent_it_is_told_without_where_they_are(silent):
    with Silent() as second:
        with Server(words(silent.port, second.port), env=PART) as server:
            error = server.error("execute_sql", sql="SELECT 1")
            assert "did not answer in time" in error
            assert str(silent.port) not in error and "127.0.0.1" not in error


def test_a_silent_host_is_remembered_and_tried_after_the_others(postgres):
    """Each connection would wait for it anew; where the others are gone it is asked again."""
    with Proxy(postgres.port) as first, Proxy(postgres.port) as second:
        first.swallow, first.silent = b"mcp_ro", True
        with Server(words(first.port, second.port), "--pool-max", 1, env=PART) as server:
            for n in range(3):
                assert works(server)
                assert (first.made, second.made) == (1, n + 1)
                second.cut()
            first.swallow = None
            second.stop()
            assert works(server) and first.made == 2


@pytest.mark.parametrize("rest", ["host", "port"])
def test_a_last_host_whose_words_are_empty_is_not_the_list_again(postgres, silent, rest):
    """libpq reads an empty word as one that is not there, and takes the dsn's in its place: here
    its own socket, or its own port, where nothing is."""
    dsn = (f"host=127.0.0.1,/nowhere{silent.port} port={silent.port}," if rest == "port" else
           f"host=127.0.0.1, port={silent.port},{silent.port}") + " user=mcp_ro dbname=postgres"
    with Server(dsn, "--pool-max", 1, env=PART) as server:
        error = server.error("execute_sql", sql="SELECT 1")
        assert "No such file" in error, error
    assert silent.taken() == 1
