# SPDX-License-Identifier: Apache-2.0
"""Servers added, changed and removed while the gateway runs, as LiteLLM's management has it."""

import contextlib
import json
import sqlite3
import sys

import pytest
from gateway import MASTER, wait_until

from faulty_http import FaultyHttp
from served import FAULTY, config, faulty, served, status
from sessions import Session

SECRET = "upstream-secret-9f3"


@pytest.fixture
def upstream():
    with FaultyHttp() as server:
        yield server


def names(gateway, key=MASTER):
    listed = gateway.rpc("tools/list", path="/mcp", key=key)["result"]["tools"]
    return {t["name"] for t in listed if not t["name"].startswith("kanmon-")}


def entry(upstream, **more):
    return {"server_name": "late", "url": upstream.url, "transport": "http", **more}


def stored(gateway):
    path = next((gateway.folder / "state").glob("*.db"))
    with contextlib.closing(sqlite3.connect(path)) as store:
        return dict(store.execute("SELECT name, sealed FROM mcp_servers").fetchall())


def audited(gateway):
    path = next((gateway.folder / "state").glob("*.db"))
    with contextlib.closing(sqlite3.connect(path)) as store:
        return store.execute("SELECT action, target FROM audit WHERE action IN "
                             "('mcp.add', 'mcp.change', 'mcp.remove') ORDER BY seq").fetchall()


def test_added_changed_removed_and_clients_hear_of_it(tmp_path, upstream):
    with served(tmp_path, {"fixed": faulty()}) as gateway:
        wait_until(lambda: "fixed-pid" in names(gateway), 20, "the first tools")
        with Session(gateway) as session:
            session.listen()
            made = gateway.call("POST", "/v1/mcp/server", entry(
                upstream, alias="l8", description="Late.", mcp_access_groups=["g"], teams=None,
                auth_type="bearer_token", credentials={"auth_value": SECRET}))
            assert made.status == 201, made.body
            server = made.json()
            assert (server["server_name"], server["alias"]) == ("late", "l8")
            assert server["mcp_access_groups"] == ["g"] and SECRET not in made.body.decode()
            session.heard("notifications/tools/list_changed")
        wait_until(lambda: any(n.startswith("l8-") for n in names(gateway)), 20, "its tools")
        assert f"Bearer {SECRET}" in upstream.credentials
        assert status(gateway, "late")["added"] and not status(gateway, "fixed")["added"]
        assert "late" in gateway.command("mcp", "list", "--config", gateway.config).stdout
        assert SECRET.encode() not in b"".join(stored(gateway).values())

        changed = gateway.call("PUT", "/v1/mcp/server", {
            "server_id": server["server_id"], "alias": "later", "description": None})
        assert changed.status == 202 and changed.json()["alias"] == "later"
        assert changed.json()["description"] == "Late."  # null: as it was
        wait_until(lambda: any(n.startswith("later-") for n in names(gateway)), 20, "its new names")

        gone = gateway.call("DELETE", f"/v1/mcp/server/{server['server_id']}")
        assert gone.status == 202
        wait_until(lambda: not any(n.startswith("later-") for n in names(gateway)), 20, "it to go")
        assert gateway.call("GET", "/v1/mcp/server/late").status == 404
        assert stored(gateway) == {}
        assert audited(gateway) == [("mcp.add", "late"), ("mcp.change", "late"),
                                    ("mcp.remove", "late")]
        assert SECRET not in gateway.log.read_text()


def test_it_outlives_restarts_and_reloads(tmp_path, upstream):
    with served(tmp_path, {}) as gateway:
        assert gateway.call("POST", "/v1/mcp/server", entry(upstream)).status == 201
        gateway.stop()
        gateway.start()
        wait_until(lambda: names(gateway), 20, "its tools after a start")
        gateway.reload()
        assert {n.split("-")[0] for n in names(gateway)} == {"late"}
        # The file gets a server of that name: the file's counts, and cannot be changed from here.
        gateway.config.write_text(config(tmp_path, {"late": faulty()}))
        gateway.reload()
        wait_until(lambda: "late-pid" in names(gateway), 20, "the file's server")
        assert not status(gateway, "late")["added"]
        for refused in (gateway.call("DELETE", "/v1/mcp/server/late"),
                        gateway.call("PUT", "/v1/mcp/server", {"server_id": "late"}),
                        gateway.call("POST", "/v1/mcp/server", entry(upstream))):
            assert refused.status == 400, refused.body
        assert list(stored(gateway)) == ["late"]  # and is there again when the file lets go
        gateway.config.write_text(config(tmp_path, {}))
        gateway.reload()
        wait_until(lambda: status(gateway, "late")["added"], 20, "the added one")


def test_what_does_not_load_changes_nothing(tmp_path, upstream):
    with served(tmp_path, {"fixed": faulty()}) as gateway:
        for body, said in (
                ({"url": upstream.url}, "server_name"),
                (entry(upstream, server_name="a/b"), "server_name"),
                ({"server_name": "late"}, "neither url nor command"),
                (entry(upstream, allowed_tolls=["x"]), "allowed_tolls"),
                (entry(upstream, alias="fixed"), "already exists"),
                (entry(upstream, server_name="fixed"), "already exists"),
                (entry(upstream, server_name="kanmon"), ""),
                (entry(upstream, risks={"x": "huge"}), "risks"),
                ([], "object")):
            refused = gateway.call("POST", "/v1/mcp/server", body)
            assert refused.status == 400, (body, refused.body)
            assert said in refused.json()["error"]["message"], refused.body
        assert stored(gateway) == {}
        assert [s["server_name"] for s in gateway.call("GET", "/v1/mcp/server").json()] == ["fixed"]
        assert gateway.call("DELETE", "/v1/mcp/server/none").status == 404
        assert gateway.call("PUT", "/v1/mcp/server", {"server_id": "none"}).status == 404


def test_programs_and_variables_are_not_for_the_network(tmp_path, upstream):
    run = {"server_name": "shell", "command": sys.executable, "args": [str(FAULTY)]}
    read = entry(upstream, auth_type="bearer_token", auth_value="os.environ/PATH")
    hidden = json.dumps(read).replace("os.environ", "os.\\u0065nviron").encode()
    with served(tmp_path, {}) as gateway:
        key = gateway.new_key()
        for body in (run, read, hidden, {"server_name": "db", "builtin": "postgres"}):
            assert gateway.call("POST", "/v1/mcp/server", body).status == 403
        assert gateway.call("POST", "/v1/mcp/server", entry(upstream), key=key).status == 403
        assert gateway.call("DELETE", "/v1/mcp/server/late", key=key).status == 403
        assert stored(gateway) == {}
        assert gateway.call("POST", "/v1/mcp/server", entry(upstream)).status == 201
        for more in ({"command": "sh", "transport": "stdio"}, {"auth_value": "os.environ/HOME"}):
            assert gateway.call("PUT", "/v1/mcp/server",
                                {"server_id": "late", **more}).status == 403


def test_programs_where_the_operator_allows_them(tmp_path):
    with served(tmp_path, {}, mcp_add_commands=True) as gateway:
        made = gateway.call("POST", "/v1/mcp/server", {
            "server_name": "shell", "command": sys.executable, "args": [str(FAULTY)],
            "transport": "stdio"})
        assert made.status == 201, made.body
        wait_until(lambda: "shell-pid" in names(gateway), 20, "its tools")


def test_many_at_once_and_each_is_there(tmp_path, upstream):
    import concurrent.futures

    with served(tmp_path, {}) as gateway, concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: gateway.call(
            "POST", "/v1/mcp/server", entry(upstream, server_name=f"s{i}")).status, range(12)))
        assert made == [201] * 12
        wait_until(lambda: len(gateway.call("GET", "/v1/mcp/server").json()) == 12, 20, "all")
        assert set(stored(gateway)) == {f"s{i}" for i in range(12)}


METADATA = ["169.254.169.254", "169.254.170.2:80", "100.100.100.200", "168.63.129.16",
            "[fd00:ec2::254]", "[fe80::1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"]


def test_metadata_addresses_are_for_the_file(tmp_path, upstream):
    with served(tmp_path, {"link": {"url": "http://169.254.169.254/mcp", "transport": "http"}},
                mcp_add_commands=True) as gateway:  # which is about programs
        for host in METADATA:
            url = f"http://{host}/latest"
            for more in ({"url": url}, {"spec_path": url}, {"auth_type": "oauth2", "token_url": url},
                         {"credentials": {"token_url": url}}):
                refused = gateway.call("POST", "/v1/mcp/server", entry(upstream, **more))
                assert refused.status == 403, (more, refused)
                assert "configuration file" in refused.json()["error"]["message"]
        assert stored(gateway) == {}
        assert gateway.call("POST", "/v1/mcp/server", entry(
            upstream, description="http://169.254.169.254/ is not for us")).status == 201
        refused = gateway.call("PUT", "/v1/mcp/server", {
            "server_id": "late", "url": "http://169.254.169.254/"})
        assert refused.status == 403, refused
        # By a name that hides it, nobody is asked: spellings that only a resolver takes.
        for number, host in enumerate(("2852039166", "0xa9fea9fe", "0251.0376.0251.0376")):
            gateway.call("POST", "/v1/mcp/server", {
                "server_name": f"n{number}", "url": f"http://{host}/", "transport": "http"})
            assert status(gateway, f"n{number}")["state"] != "ready"
        wait_until(lambda: names(gateway), 20, "the one that was added")
