# SPDX-License-Identifier: Apache-2.0
"""Bounds, breaks and cancellations, with servers on the official SDKs that write down what they saw."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import threading

import pytest
from gateway import MASTER, slow_factor, wait_until

from ports import free_port

from conftest import ACCEPT, HERE, META, NEW, McpGateway
from sessions import Session, events, text

TAKES_S = 17
LAB = HERE.parent / "conformance" / "fixture" / "lab.mjs"
LONG = "a_name_that_no_model_takes_" * 3
MIB = 1024 * 1024


class Lab(McpGateway):
    """`settings` are of kanmon_settings; `more` of the servers, by their names, or are more servers."""

    def __init__(self, folder, workers=2, settings=None, **more):
        self.seen = {name: folder / f"{name}.log" for name in ("old", "new")}
        entries = {name: {**({} if "url" in more.get(name, {}) else
                             {"command": os.environ["KM_NODE"], "args": [str(LAB), line, str(self.seen[name])]}),
                          **more.get(name, {})} for name, line in (("old", "v1"), ("new", "v2"))}
        entries = {**more, **entries}
        super().__init__(folder, json.dumps({
            "general_settings": {"master_key": MASTER}, "mcp_servers": entries,
            "kanmon_settings": {"state_dir": str(folder / "state"), "workers": workers, **(settings or {})}}))

    def saw(self, server="old"):
        with contextlib.suppress(FileNotFoundError):
            return self.seen[server].read_text().splitlines()
        return []

    def tool(self, tool, key=MASTER, headers=None, /, **arguments):
        """A call of the handshake era without a session."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"name": tool, "arguments": arguments}}
        return self.post(message, "/mcp", {"mcp-protocol-version": "2025-11-25", **(headers or {})},
                         key=key).json()


@contextlib.contextmanager
def lab_over(transport, folder, **settings):
    """A gateway whose old server is reached like that; over HTTP it runs by itself."""
    if transport == "stdio":
        with Lab(folder, **settings) as lab:
            yield lab
        return
    port = free_port()
    with subprocess.Popen([os.environ["KM_NODE"], str(LAB), "v1", str(folder / "old.log"), str(port)],
                          stdin=subprocess.DEVNULL) as server:
        try:
            lab = Lab(folder, old={"transport": "http", "url": f"http://127.0.0.1:{port}/mcp"}, **settings)
            wait_until(lambda: "listening" in lab.saw(), 30, "the server")
            with lab:
                yield lab
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    if not os.environ.get("KM_NODE"):
        pytest.fail("KM_NODE is not set: run this by tests/mcp/run")
    folder = tmp_path_factory.mktemp("lab")
    servers = {
        "old": {"allowed_params": {"old-env": ["name"]},
                "mcp_info": {"mcp_server_cost_info": {"tool_name_to_cost_per_query": {"env": 0.4}}}},
        "new": {"env": {"WHO": "${X-WHO}"}},
    }
    with Lab(folder, **servers) as started:
        wait_until(lambda: {"old-hang", "new-hang"} <= set(listed(started)), 30, "the tools")
        yield started


def listed(gateway, headers=None):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    return [t["name"] for t in gateway.post(message, "/mcp", {"x-who": "me", **(headers or {})}).json()
            ["result"]["tools"]]


# --- limits of keys ---

def test_a_keys_rate_counts_for_tools(lab):
    key = lab.new_key(rpm_limit=2)
    for _ in range(2):
        assert text(lab.tool("old-env", key, name="HOME"))
    refused = lab.tool("old-env", key, name="HOME")["error"]
    assert refused["data"]["type"] == "rate_limit_error" or "rate" in refused["message"].lower(), refused
    assert refused["data"]["retry_after_ms"] > 0


def test_a_keys_budget_counts_for_tools(lab):
    key = lab.new_key(max_budget=1.0)
    for _ in range(2):
        assert text(lab.tool("old-env", key, name="HOME"))
    refused = lab.tool("old-env", key, name="HOME")["error"]
    assert "budget" in refused["message"].lower(), refused


def test_parameters_a_call_may_not_have_are_refused(lab):
    refused = lab.tool("old-env", name="HOME", more=1)["error"]
    assert refused["code"] == -32602 and "'more'" in refused["message"]
    key = lab.new_key(object_permission={"mcp_servers": ["old"],
                                         "mcp_param_permissions": {"old": {"big": ["size"]}}})
    refused = lab.tool("old-big", key, bytes=1)["error"]
    assert refused["code"] == -32602 and "'bytes'" in refused["message"]
    assert text(lab.tool("old-big", bytes=1)) == "x"


# --- names ---

def test_names_are_cut_to_what_models_take_and_still_lead_to_their_tools(lab):
    names = [n for n in listed(lab) if n.startswith("old-a_name")]
    assert len(set(names)) == 2 and all(len(n) <= 64 for n in names)
    assert sorted(text(lab.tool(n)) for n in names) == ["ran 1", "ran 2"]
    assert text(lab.tool(LONG + "2", MASTER, {"x-mcp-servers": "old"})) == "ran 2"


# --- large results ---

@pytest.mark.parametrize("era", ["old", "new"])
@pytest.mark.parametrize("tool", ["big", "typed"])
def test_a_large_result_is_kept_and_its_link_is_its_callers(lab, era, tool):
    def ask(method, params, key):
        if era == "old":
            return lab.rpc(method, params, path="/mcp", version="2025-11-25", key=key)
        name = {"mcp-name": params["uri"]} if "uri" in params else {}
        return lab.stateless(method, params, path="/mcp", key=key, headers=name).json()

    key = lab.new_key()
    result = ask("tools/call", {"name": f"old-{tool}", "arguments": {"bytes": 5 * MIB}}, key)["result"]
    assert ("structuredContent" in result) is (tool == "typed") and result["isError"] is False
    assert len(json.dumps(result)) < 64 * 1024
    shown, link = result["content"]
    assert "over the limit" in shown["text"] and link["type"] == "resource_link"
    whole = ask("resources/read", {"uri": link["uri"]}, key)["result"]["contents"][0]
    kept = json.loads(whole["text"])
    assert whole["mimeType"] == "application/json" and link["size"] == len(whole["text"])
    found = kept["structuredContent"]["all"] if tool == "typed" else kept["content"][0]["text"]
    assert found == "x" * (5 * MIB)
    for other in (lab.new_key(), MASTER):
        assert "error" in ask("resources/read", {"uri": link["uri"]}, other)


# --- headers ---

def test_a_header_of_the_client_becomes_the_servers_environment(lab):
    for who in ("ann", "bob"):
        assert text(lab.tool("new-env", MASTER, {"x-who": who}, name="WHO")) == who
    listed(lab)


# --- cancellation ---

class Open:
    """A POST that is not waited for."""

    def __init__(self, gateway, message, headers):
        self.link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60 * slow_factor())
        self.link.request("POST", "/mcp", json.dumps(message),
                          {**ACCEPT, "content-type": "application/json",
                           "authorization": f"Bearer {MASTER}", **headers})

    def break_off(self):
        self.link.sock.shutdown(socket.SHUT_RDWR)
        self.link.close()


@pytest.mark.parametrize("server", ["old", "new"])
def test_a_stateless_client_that_goes_cancels_its_call(lab, server):
    mark = f"stateless-{server}"
    params = {"name": f"{server}-hang", "arguments": {"mark": mark}, "_meta": META}
    call = Open(lab, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
                {"mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": params["name"],
                 "x-who": "me"})
    wait_until(lambda: f"hang {mark}" in lab.saw(server), 20, "the call")
    call.break_off()
    wait_until(lambda: f"cancelled {mark}" in lab.saw(server), 20, "the cancellation")


@pytest.mark.parametrize("server", ["old", "new"])
def test_a_handshake_client_cancels_by_word_alone(lab, server):
    mark = f"handshake-{server}"
    with Session(lab) as session:
        session.headers["x-who"] = "me"
        call = Open(lab, {"jsonrpc": "2.0", "id": 77, "method": "tools/call",
                          "params": {"name": f"{server}-hang", "arguments": {"mark": mark}}}, session.headers)
        try:
            wait_until(lambda: f"hang {mark}" in lab.saw(server), 3, "the call")
        except AssertionError:
            a = call.link.getresponse(); print(a.status, a.getheaders(), a.read()); raise
        call.break_off()
        session.ask("ping")  # the break was noticed by now, or soon is: it cancels nothing
        assert f"cancelled {mark}" not in lab.saw(server)
        session.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 77}})
        wait_until(lambda: f"cancelled {mark}" in lab.saw(server), 20, "the cancellation")


# --- a break ---

@pytest.mark.parametrize("server", ["old", "new"])
def test_what_a_broken_stream_missed_is_had_by_its_last_event_id(lab, tmp_path, server):
    go, mark = tmp_path / "go", f"late-{server}"
    with Session(lab) as session:
        session.headers["x-who"] = "me"
        call = Open(lab, {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {
            "name": f"{server}-late", "arguments": {"file": str(go), "mark": mark},
            "_meta": {"progressToken": "p"}}}, session.headers)
        answer, last = call.link.getresponse(), None
        rows = []
        while b"notifications/progress" not in (row := answer.readline()):
            rows.append(row)
            assert row, rows
            if row.startswith(b"id:"):
                last = row[3:].decode().strip()
        call.break_off()
        go.touch()
        link = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60 * slow_factor())
        link.request("GET", "/mcp", headers={**session.headers, "last-event-id": last})
        rest = events(link.getresponse().read().decode())
        link.close()
        assert [m["params"]["progress"] for m in rest if "params" in m] == [2]
        assert rest[-1]["id"] == 5 and text(rest[-1]) == f"late {mark}"


# --- news ---

def test_changes_are_told_once_and_only_when_there_is_one(lab):
    def told_and_looked(session, word):
        before = lab.saw().count("tools/list")
        (lab.folder / "old.log.lists").write_text(word)  # twenty times list_changed, and none is
        wait_until(lambda: lab.saw().count("tools/list") > before, 20, "a look at the lists")
        assert text(session.tool("old-env", name="HOME"))
        assert lab.saw().count("tools/list") - before < 5
        return [m for m in session.notices if "list_changed" in m.get("method", "")]

    with Session(lab) as session:
        def all_there():  # as this caller sees them: its first look at a server is news to it
            names = {t["name"] for t in session.ask("tools/list")["result"]["tools"]}
            return {"old-hang", "new-hang"} <= names

        wait_until(all_there, 30, "the tools")
        session.listen()
        first = told_and_looked(session, "once")  # news of the start itself may be among them
        assert told_and_looked(session, "twice") == first


def test_every_worker_hears_of_a_resource_at_one_of_them(lab):
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(Session(lab)) for _ in range(8)]
        workers = {session.headers["mcp-session-id"][:8] for session in sessions}
        for session in sessions:
            session.listen()
            assert session.ask("resources/subscribe", {"uri": "memo://note"})["result"] == {}
        (lab.folder / "old.log.touch").write_text("now")
        for session in sessions:
            assert session.heard("notifications/resources/updated")[0]["params"]["uri"] == "memo://note"
        assert len(workers) >= 1


def test_a_servers_refusal_of_a_subscription_is_the_clients_answer(lab):
    with contextlib.ExitStack() as stack:
        for _ in range(8):  # at either worker: beside the server, and by way of the other one
            session = stack.enter_context(Session(lab))
            for _ in range(2):  # nothing is left of the first that would answer for the second
                error = session.ask("resources/subscribe", {"uri": "memo://secret"})["error"]
                assert error["code"] == -32017 and "nobody may watch this" in error["message"]
            assert session.ask("resources/subscribe", {"uri": "memo://note"})["result"] == {}
            assert session.ask("resources/subscribe", {"uri": "memo://note"})["result"] == {}
            assert session.ask("resources/unsubscribe", {"uri": "memo://note"})["result"] == {}


def said(session):
    return [m["params"]["data"] for m in session.notices if m.get("method") == "notifications/message"]


# Over HTTP each worker has a session there, with users of its own.
@pytest.mark.parametrize("transport, workers", [("stdio", 2), ("http", 1)])
def test_what_a_server_says_while_nobody_calls_reaches_those_who_set_a_level(tmp_path, transport, workers):
    with lab_over(transport, tmp_path, workers=workers) as lab, contextlib.ExitStack() as stack:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        other = lab.new_key()
        levels = [*["info"] * 4, "error", None]
        sessions = [stack.enter_context(Session(lab, key=key)) for key in [MASTER] * 6 + [other]]
        for session, level in zip(sessions, [*levels, "debug"]):
            session.listen()
            assert session.ask("resources/subscribe", {"uri": "memo://note"})["result"] == {}
            assert not level or session.ask("logging/setLevel", {"level": level})["result"] == {}

        def say(times):
            (lab.folder / "old.log.say").write_text(str(times))
            wait_until(lambda: lab.saw().count("said") == times, 20, "it to be said")
            (lab.folder / "old.log.touch").write_text(str(times))  # everybody hears of it, after
            for session in sessions:
                session.heard("notifications/resources/updated", times)
            return [said(session) for session in sessions]

        info, error = ["info said", "error said"], ["error said"]
        first = say(1)  # nobody has called it: it can speak of nobody's work
        assert first == [info] * 4 + [error, [], ["debug said", *info]]
        assert text(lab.tool("old-big", bytes=1)) == "x"
        second = say(2)  # it is the administrator's alone
        assert second == [info * 2] * 4 + [error * 2, [], first[-1]]
        assert text(lab.tool("old-big", other, bytes=1)) == "x"
        assert say(3) == second  # nobody can tell whose


def memory(gateway):
    rows = pathlib.Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines()
    return next(int(r.split()[1]) * 1024 for r in rows if r.startswith("VmRSS"))


def test_a_client_that_does_not_read_costs_no_memory_and_keeps_its_session(tmp_path, long):
    count = 1500 if long else 700
    with Lab(tmp_path, workers=1) as lab:
        wait_until(lambda: "old-noise" in listed(lab), 30, "the tools")
        with Session(lab) as session:
            call = Open(lab, {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {
                "name": "old-noise", "arguments": {"count": count, "bytes": 100_000}}}, session.headers)
            before = memory(lab)
            wait_until(lambda: "noise over" in lab.saw(), 60, f"{count // 10} MB of log messages")
            # A sanitizer keeps what was freed.
            assert memory(lab) - before < (48 if slow_factor() == 1 else 600) * MIB
            assert session.ask("ping")["result"] == {}  # others of its session go on
            messages = events(call.link.getresponse().read().decode())  # it reads again
            assert messages[-1]["id"] == 9 and text(messages[-1]) == "quiet"
            assert len(messages) < count - 100  # what it did not read in time was left out
            call.link.close()


def test_a_clients_progress_reaches_the_server_that_asked(lab):
    with Session(lab, capabilities={"sampling": {}}) as session:
        call = Open(lab, {"jsonrpc": "2.0", "id": 4, "method": "tools/call",
                          "params": {"name": "old-sample", "arguments": {}}}, session.headers)
        answer = call.link.getresponse()
        while b"sampling/createMessage" not in (row := answer.readline()):
            assert row, rows
        asked = json.loads(row[5:])
        token = asked["params"]["_meta"]["progressToken"]
        for known, progress in (("nothing", 7), (token, 0.25), (token, 0.5)):
            assert session.send({"jsonrpc": "2.0", "method": "notifications/progress",
                                 "params": {"progressToken": known, "progress": progress}})[0] == 202
        wait_until(lambda: "progress 0.5" in lab.saw(), 20, "word of progress")
        assert [s for s in lab.saw() if s.startswith("progress")] == ["progress 0.25", "progress 0.5"]
        session.send({"jsonrpc": "2.0", "id": asked["id"], "result": {
            "role": "assistant", "model": "m", "content": {"type": "text", "text": "hello"}}})
        assert text(events(answer.read().decode())[-1]) == "hello"
        call.link.close()


# --- parked calls ---

INVALID = "Invalid or expired requestState"


def stateless(lab, tool, n, key, /, **more):
    """A call of a client that can be asked; a retry where `more` has the answers."""
    asking = {"io.modelcontextprotocol/protocolVersion": NEW,
              "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    message = {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {
        "name": tool, "arguments": {"bytes": 1, "mark": f"m{n}"}, "_meta": asking, **more}}
    answer = lab.post(message, "/mcp", {"mcp-protocol-version": NEW, "mcp-method": "tools/call",
                                        "mcp-name": tool}, key=key)
    return json.loads(answer.events()[-1]) if b"data:" in answer.body else answer.json()


def waits(answer):
    return answer.get("result", {}).get("resultType") == "input_required"


def yes(parked):
    """What takes it up again: each question is answered with an accept."""
    return {"requestState": parked["result"]["requestState"],
            "inputResponses": {name: {"action": "accept", "content": {}}
                               for name in parked["result"]["inputRequests"]}}


def test_parked_calls_are_bounded_wherever_they_are(tmp_path):
    with Lab(tmp_path, old={"risks": {"big": "destructive"}}) as lab:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        key = lab.new_key()
        parked = [stateless(lab, "old-big", n, key) for n in range(16)]  # at two workers
        assert all(waits(p) for p in parked), parked
        assert "too many calls wait" in stateless(lab, "old-big", 16, key)["error"]["message"]
        asked = stateless(lab, "old-ask", 17, lab.new_key())  # another principal has its own share
        assert waits(asked), asked
        assert text(stateless(lab, "old-big", 0, key, **yes(parked[0]))) == "x"
        assert waits(stateless(lab, "old-big", 18, key))  # there is room again


def test_a_server_whose_call_cannot_be_parked_hears_that_it_is_cancelled(tmp_path):
    with Lab(tmp_path, workers=1, old={"risks": {"big": "destructive"}}) as lab:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        key = lab.new_key()
        asked = stateless(lab, "old-ask", 0, key)
        parked = [stateless(lab, "old-big", n, key) for n in range(1, 16)]
        assert all(waits(p) for p in [asked, *parked]), parked
        assert "too many calls wait" in stateless(lab, "old-ask", 16, key)["error"]["message"]
        wait_until(lambda: "ask cancelled m16" in lab.saw(), 20, "word of it")
        assert text(stateless(lab, "old-ask", 0, key, **yes(asked))) == "accept"
        assert [row for row in lab.saw() if "cancelled" in row] == ["ask cancelled m16"]
        assert waits(stateless(lab, "old-ask", 17, key))
        lab.stop()  # at once, though calls are parked; that is the end of them, too
        wait_until(lambda: "ask cancelled m17" in lab.saw(), 20, "word of it")


def test_a_parked_call_nobody_takes_up_ends_and_its_server_hears_of_it(tmp_path):
    with Lab(tmp_path, settings={"mcp_sessions": {"parked": "300ms"}}) as lab:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        key = lab.new_key()
        parked = [stateless(lab, "old-ask", n, key) for n in range(4)]
        assert all(waits(p) for p in parked), parked
        for n in range(4):
            wait_until(lambda n=n: f"ask cancelled m{n}" in lab.saw(), 20, "word of it")
            late = stateless(lab, "old-ask", n, key, **yes(parked[n]))
            assert late["error"] == {"code": -32602, "message": INVALID}


@pytest.mark.parametrize("server", ["old", "new"])
def test_a_question_a_client_with_a_session_does_not_answer_ends(tmp_path, server):
    with Lab(tmp_path, settings={"mcp_sessions": {"answer": "300ms"}}) as lab:
        wait_until(lambda: f"{server}-ask" in listed(lab), 30, "the tools")
        with Session(lab, capabilities={"elicitation": {}}) as session:
            answer = session.tool(f"{server}-ask")
            assert "did not answer in time" in json.dumps(answer), answer
            asked, withdrawn = session.notices
            assert asked["method"] == "elicitation/create"
            assert withdrawn["method"] == "notifications/cancelled"
            assert withdrawn["params"]["requestId"] == asked["id"]
            late = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {}}}
            assert session.send(late)[0] == 202  # an answer to nothing
            assert text(session.tool(f"{server}-big", bytes=3)) == "xxx"


def test_a_parked_call_is_taken_up_at_any_worker_by_its_own_caller_alone(tmp_path, lab):
    with Lab(tmp_path) as other:
        wait_until(lambda: "old-ask" in listed(other), 30, "the tools")
        key = other.new_key()
        for n in range(12):  # each request is on a connection of its own: two workers take them
            parked = stateless(other, "old-ask", n, key)
            assert waits(parked), parked
            for wrong in (stateless(other, "old-ask", n, other.new_key(), **yes(parked)),
                          stateless(other, "old-ask", n + 1, key, **yes(parked)),
                          stateless(other, "old-big", n, key, **yes(parked)),
                          stateless(lab, "old-ask", n, MASTER, **yes(parked))):
                assert wrong["error"] == {"code": -32602, "message": INVALID}
            assert text(stateless(other, "old-ask", n, key, **yes(parked))) == "accept"
            assert stateless(other, "old-ask", n, key, **yes(parked))["error"]["message"] == INVALID


def test_a_parked_call_whose_server_died_is_over(tmp_path):
    with Lab(tmp_path) as lab:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        key = lab.new_key()
        parked = stateless(lab, "old-ask", 1, key)
        assert waits(parked), parked
        lab.call("POST", "/kanmon/mcp/servers/old/restart")
        wait_until(lambda: stateless(lab, "old-ask", 1, key, **yes(parked))
                   .get("error", {}).get("message") == INVALID, 20, "its end")
        wait_until(lambda: waits(stateless(lab, "old-ask", 2, key)), 30, "the next one")
