# SPDX-License-Identifier: Apache-2.0
"""After a server began anew with other tools every kind of client of the official SDKs hears of it and
is given the new list, whatever it can be asked: also by a gateway that began anew."""

import contextlib
import json
import os
import subprocess
import sys
import threading

import pytest
from gateway import MASTER, wait_until

from conftest import HERE
from served import served, until
from test_lists import Listing

TAKES_S = 28
KINDS = [[], ["elicitation"], ["sampling"], ["roots"], ["elicitation", "sampling", "roots"]]
SDKS = {"python-1": [os.environ.get("KM_PYTHON_V1"), HERE / "hearing.py", "v1"],
        "python-2": [sys.executable, HERE / "hearing.py", "legacy"],
        "typescript-1": [os.environ.get("KM_NODE"), HERE / "hearing.mjs"]}


class Hearing:
    def __init__(self, gateway, sdk, can):
        self.lists, self.name = [], f"{sdk} {can}"
        self.process = subprocess.Popen(
            [*map(str, SDKS[sdk]), f"{gateway.url}/mcp/one", MASTER, *can], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lists.append(set(json.loads(line)))

    def waits_for(self, *names):
        wait_until(lambda: self.lists and self.lists[-1] == set(names), 60,
                   f"{self.name} to be offered {names}, not {self.lists}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("sdk", SDKS)
def test_a_restart_that_changed_tools_is_heard_by_each_kind_of_client(tmp_path, sdk):
    server = Listing(tmp_path, tools=["a", "b", "c", "d"], more=["e"])
    with served(tmp_path, {"one": server.entry()}) as gateway, contextlib.ExitStack() as stack:
        until(gateway, "one", "ready")
        every = [(can, stack.enter_context(Hearing(gateway, sdk, can))) for can in KINDS]
        for can, one in every:
            one.waits_for("tell", "pid", "a", "b", "c", "d", *(["e"] if "elicitation" in can else []))
        server.says(tools=["a", "z"], more=["y"])
        done = gateway.command("mcp", "restart", "one", "--config", gateway.config)
        assert done.returncode == 0, done.stderr
        for can, one in every:
            one.waits_for("tell", "pid", "a", "z", *(["y"] if "elicitation" in can else []))


@pytest.mark.parametrize("sdk", SDKS)
def test_a_gateway_that_began_anew_gives_no_old_list(tmp_path, sdk):
    server = Listing(tmp_path, tools=["a", "b"], more=["e"])
    with served(tmp_path, {"one": server.entry()}) as gateway:
        until(gateway, "one", "ready")
        with Hearing(gateway, sdk, ["elicitation"]) as one:
            one.waits_for("tell", "pid", "a", "b", "e")
        gateway.stop()
        server.says(tools=["a", "z"], more=["y"])
        gateway.start()
        for can in KINDS[:2]:
            with Hearing(gateway, sdk, can) as one:
                one.waits_for("tell", "pid", "a", "z", *(["y"] if "elicitation" in can else []))
