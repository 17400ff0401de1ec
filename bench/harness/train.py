# SPDX-License-Identifier: Apache-2.0
"""The loads that scripts/train trains on: what a gateway does all day, each for some seconds.

    chat      passed on and translated, whole answers and streams, with a virtual key's limits
    mcp       calls and lists of ten and of 500 tools, of servers over HTTP and over stdio

Each is run full and open: a call that comes alone takes other ways through the event loop than one
of many.  Nothing is measured, but an answer that is wrong ends the training.
"""
import os

from harness import mcp, measure
from harness.servers import Kanmon, Unavailable
from harness.translation import UPSTREAMS, Translating

SECONDS = 2
RATE = 1000


def good(what, result):
    """Trained on errors it would be built for errors."""
    if result.get("failed") or result.get("wrong") or not result.get("completed"):
        raise Unavailable(f"training on {what}: {str(result)[:300]}")


def chat(server, one):
    server.prepare()
    server.start()
    for model in UPSTREAMS if isinstance(server, Translating) else [server.model]:
        server.model = model
        for name, options in (("closed", {}), ("open", {"rate": RATE}),
                              ("closed", {"stream": 1, "script": "events=40", "min_answer": 50})):
            good(f"{name}, {model}", one.load(name, server, connections=32, seconds=SECONDS,
                                              **options))


def tools(server, one):
    server.begin()
    good("calls", one.call_load("closed", server, connections=32, seconds=SECONDS))
    good("calls", one.call_load("open", server, connections=32, seconds=SECONDS, rate=RATE))
    for count in (10, 500):
        good("lists", one.list_load(server, count))


def main(place, say):
    """0, or raises."""
    load = os.path.join(place.build, "bench/bench_load")
    with open(os.path.join(place.work, "train.log"), "ab") as log:
        mock = measure.Mock(os.path.join(place.build, "bench/bench_mock"), log)
        echo = mcp.Echo(place.build, log)
        loads = [(Kanmon, chat, mock.port, measure.Measure(None, load, mock)),
                 (Translating, chat, mock.port, measure.Measure(None, load, mock)),
                 (mcp.McpKanmon, tools, echo.port, mcp.McpMeasure(load, SECONDS, 1)),
                 (mcp.McpKanmonStdio, tools, echo.port, mcp.McpMeasure(load, SECONDS, 1))]
        try:
            for kind, run, place.mock, one in loads:
                server = kind(place)
                say(f"training: {server.title}, {run.__name__}")
                try:
                    run(server, one)
                finally:
                    server.stop()
        finally:
            mock.stop()
            echo.stop()
    return 0
