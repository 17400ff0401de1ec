# SPDX-License-Identifier: Apache-2.0
"""`sandbox` of stdio servers: a real child tries what it may not, and what it must be able to."""

import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest
from gateway import MASTER, binary, patient, slow_factor

from conftest import McpGateway
from sessions import Session, text

FORBIDDEN = pathlib.Path(__file__).resolve().parent / "forbidden.py"
MODES = ["required", "on",
         pytest.param("bubblewrap", marks=pytest.mark.skipif(
             not shutil.which("bwrap"), reason="bubblewrap is not installed"))]
REFUSED = {"EPERM", "EACCES", "ENOENT", "EROFS", "ESRCH", "ENOSYS"}


@contextlib.contextmanager
def boxes(folder, **settings):
    """A gateway with one server a mode of the sandbox; beside it a file, and HOME with a key."""
    (folder / "home" / ".ssh").mkdir(parents=True)
    (folder / "home" / ".ssh" / "id_test").write_text("secret")
    (folder / "outside").mkdir()
    (folder / "outside" / "file").write_text("there")
    (folder / "given").mkdir()
    (folder / "shown").mkdir()
    (folder / "shown" / "file").write_text("there")
    servers = {mode: {"transport": "stdio", "command": sys.executable, "args": [str(FORBIDDEN)],
                      "sandbox": mode, "env": {"HOME": str(folder / "home")},
                      "sandbox_write": [str(folder / "given")],
                      "sandbox_read": [str(folder / "shown")],
                      **(settings if mode != "off" else {})}
               for mode in ["off", "on", "required"] + ["bubblewrap"] * bool(shutil.which("bwrap"))}
    config = {"mcp_servers": servers, "general_settings": {"master_key": MASTER},
              "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 1,
                                  "mcp_sessions": {"first_list": f"{min(10 * slow_factor(), 60)}s"}}}
    with McpGateway(folder, json.dumps(config)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def boxed(tmp_path_factory):
    with boxes(tmp_path_factory.mktemp("boxed")) as gateway:
        yield gateway


def attempt(gateway, mode, what, **more):
    with Session(gateway, f"/mcp/{mode}") as session:
        return text(session.tool("attempt", what=what, **more))


CALLS = ["ptrace", "mount", "unshare", "chroot", "keyctl", "bpf", "io_uring", "perf", "raw socket",
         "packet socket", "capabilities"]


@pytest.mark.parametrize("what", CALLS)
def test_system_calls_are_refused(boxed, what):
    for mode in ["on", "required"] + ["bubblewrap"] * bool(shutil.which("bwrap")):
        assert attempt(boxed, mode, what) in REFUSED, mode


def test_without_a_sandbox_they_are_not(boxed):
    """Else the tests above would say something of the machine."""
    done = [what for what in CALLS if attempt(boxed, "off", what) == "done"]
    assert "io_uring" in done or "ptrace" in done, done


@pytest.mark.parametrize("mode", MODES)
def test_files_that_were_not_given_are_out_of_reach(boxed, mode):
    folder = boxed.folder
    for what, path in [("read", folder / "home" / ".ssh" / "id_test"),
                       ("list", folder / "home" / ".ssh"), ("read", folder / "outside" / "file"),
                       ("write", folder / "outside" / "new"), ("remove", folder / "outside" / "file"),
                       ("make folder", folder / "home" / "new"), ("write", folder / "shown" / "file"),
                       ("read", boxed.config), ("read", next((folder / "state").glob("*.db"))),
                       ("read", f"/proc/{boxed.process.pid}/environ")]:
        assert attempt(boxed, mode, what, path=str(path)) in REFUSED, (what, path)
    assert (folder / "outside" / "file").read_text() == "there"
    assert attempt(boxed, "off", "read", path=str(folder / "home" / ".ssh" / "id_test")) == "done"


@pytest.mark.parametrize("mode", MODES)
def test_what_was_given_works(boxed, mode):
    folder = boxed.folder
    assert attempt(boxed, mode, "own file") == "done"
    assert (folder / "state" / "mcp" / f"{mode}.d" / "mine").read_text() == "x"
    assert attempt(boxed, mode, "temporary file") == "done"
    assert attempt(boxed, mode, "write", path=str(folder / "given" / mode)) == "done"
    assert (folder / "given" / mode).read_text() == "x"
    assert attempt(boxed, mode, "read", path=str(folder / "shown" / "file")) == "done"
    assert attempt(boxed, mode, "run", path="/bin/true") == "done"
    assert attempt(boxed, mode, "thread") == "done"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert attempt(boxed, mode, "tcp", port=listening.getsockname()[1]) == "done"


def sandbox_line(gateway, name):
    shown = gateway.command("mcp", "status", name, "--config", gateway.config).stdout
    return next(line for line in shown.splitlines() if "sandbox" in line)


@pytest.mark.parametrize("mode", MODES)
def test_the_gateways_own_socket_is_out_of_reach(boxed, mode):
    """By it anybody of the same user is the administrator."""
    control = next((boxed.folder / "state").rglob("*.sock"))
    assert attempt(boxed, "off", "unix socket", path=str(control)) == "done"
    assert attempt(boxed, mode, "unix socket", path=str(control)) in REFUSED
    kept = attempt(boxed, mode, "signal", pid=boxed.process.pid) in REFUSED
    assert kept != ("not signals" in sandbox_line(boxed, mode)) # Landlock before Linux 6.12


def test_status_says_what_is_active(boxed):
    line = sandbox_line(boxed, "required")
    assert "Landlock" in line and "seccomp" in line and "no capabilities" in line
    assert "sandbox    off" in boxed.command("mcp", "status", "off", "--config", boxed.config).stdout


def test_without_a_network_there_is_none(tmp_path):
    with boxes(tmp_path, sandbox_network=False) as gateway, \
            socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert attempt(gateway, "required", "tcp", port=port) in REFUSED
        assert attempt(gateway, "off", "tcp", port=port) == "done"


@pytest.mark.parametrize("entry, said", [
    ({"sandbox": "jail"}, "expected one of"),
    ({"sandbox": "required", "sandbox_read": ["notes"]}, "not absolute"),
    ({"sandbox": "bubblewrap"}, "bubblewrap is not installed"),
    ({"sandbox_network": False}, "`sandbox` is off"),
])
def test_what_cannot_be_honoured_refuses_to_load(tmp_path, monkeypatch, entry, said):
    programs = tmp_path / "programs"  # a PATH without bubblewrap
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    config = {"mcp_servers": {"one": {"transport": "stdio", "command": sys.executable, **entry}},
              "kanmon_settings": {"state_dir": str(tmp_path / "state")}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    ran = subprocess.run([binary(), "serve", "--config", tmp_path / "config.yaml"], text=True,
                         capture_output=True, timeout=patient(60), check=False)
    assert ran.returncode != 0
    assert said in ran.stderr and "mcp_servers" in ran.stderr
