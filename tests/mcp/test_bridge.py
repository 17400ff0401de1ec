# SPDX-License-Identifier: Apache-2.0
"""`kanmon mcp stdio` in front of servers made with the official SDKs: sessions, streams, questions.

They stand where the gateway stands, so that what a bridge must carry is said by somebody else.
"""

import pytest
from gateway import patient, wait_until

from lines import Fixture, Lines, text


@pytest.fixture(scope="module")
def old():
    with Fixture("v1") as server:
        yield server


@pytest.fixture(scope="module")
def new():
    with Fixture("v2") as server:
        yield server


def bridge(gateway, kanmon, url):
    return Lines([kanmon, "mcp", "stdio", "--url", url], {**gateway.env, "KANMON_KEY": "sk-any"})


@pytest.fixture
def client(gateway, kanmon, old):
    with bridge(gateway, kanmon, old.url) as lines:
        assert lines.hello()["serverInfo"]["name"] == "kanmon-fixture"
        yield lines
    assert lines.status == 0


def test_questions_reach_the_client_and_answers_the_server(client):
    assert text(client.tool("test_sampling", {"prompt": "capital?"})) == "LLM response: Paris"
    assert '"username":"u"' in text(client.tool("test_elicitation", {"message": "who?"}))
    assert text(client.tool("test_input_required_result_list_roots")) == "Roots: file:///here"
    assert [q["method"] for q in client.questions] == [
        "sampling/createMessage", "elicitation/create", "roots/list"]


def test_progress_and_log_lines_come_before_the_answer(client):
    client.tool("test_tool_with_progress", _meta={"progressToken": "p"})
    assert [n["progress"] for n in client.heard("notifications/progress", 3)] == [0, 50, 100]
    client.tool("test_tool_with_logging")
    assert len(client.heard("notifications/message", 3)) == 3


def test_what_the_server_says_by_itself_comes_on_the_get_stream(client):
    client.ask("resources/subscribe", {"uri": "test://watched-resource"})
    # The stream is opened after `initialized`; before it is there the server's word is lost.
    wait_until(lambda: client.tool("test_trigger_resource_update") and client.notices)
    assert client.heard("notifications/resources/updated")[0]["uri"] == "test://watched-resource"


def test_a_stream_that_breaks_is_gone_on_with(client):
    assert "completed" in text(client.tool("test_reconnection"))


def test_requests_are_under_way_at_the_same_time(client):
    slow = client.begin("tools/call", {"name": "test_tool_with_logging", "arguments": {}})
    quick = client.begin("ping")
    assert client.answers.get(timeout=patient(30))["id"] == quick
    assert text(client.wait(slow)["result"]) == "Logged three lines."


def test_a_session_that_is_lost_is_begun_again(gateway, kanmon):
    with Fixture("v1") as server:
        port = server.port
        with bridge(gateway, kanmon, server.url) as lines:
            lines.hello()
            assert text(lines.tool("test_simple_text"))
            server.__exit__()
            server.port = port
            server.__enter__()
            # The client knows of no sessions: its calls go on, several at a time.
            calls = [lines.begin("tools/call", {"name": "test_simple_text"}) for _ in range(5)]
            for number in calls:
                assert "result" in lines.wait(number)
            assert text(lines.tool("test_sampling", {"prompt": "x"})) == "LLM response: Paris"


def test_the_stateless_era_passes_too(gateway, kanmon, new):
    with bridge(gateway, kanmon, new.url) as lines:
        found = lines.ask("server/discover", lines.stateless("server/discover"))["result"]
        assert found["supportedVersions"] == ["2026-07-28"]
        call = {"name": "test_input_required_result_elicitation", "arguments": {}}
        asked = lines.ask("tools/call", lines.stateless("tools/call", call))["result"]
        assert asked["resultType"] == "input_required"
        call["inputResponses"] = {"user_name": {"action": "accept", "content": {"name": "Ann"}}}
        assert text(lines.ask("tools/call", lines.stateless("tools/call", call))["result"]) == "Hello, Ann!"


def test_listening_ends_when_the_client_cancels_it(gateway, kanmon, new):
    with bridge(gateway, kanmon, new.url) as lines:
        wanted = {"notifications": {"toolsListChanged": True}}
        number = lines.begin("subscriptions/listen", lines.stateless("listen", wanted))
        lines.heard("notifications/subscriptions/acknowledged")
        change = lines.stateless("tools/call", {"name": "test_trigger_tool_change"})
        assert "result" in lines.ask("tools/call", change)
        lines.heard("notifications/tools/list_changed")
        lines.notify("notifications/cancelled", {"requestId": number})
        assert "result" in lines.ask("tools/call", change)
        assert len(lines.heard("notifications/tools/list_changed")) == 1
        # And one that is open when the client goes does not keep the bridge.
        lines.begin("subscriptions/listen", lines.stateless("listen", wanted))
        lines.heard("notifications/subscriptions/acknowledged", 2)
    assert lines.status == 0
