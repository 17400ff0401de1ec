# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server that tries what a sandboxed server has no business with.

Its one tool, `attempt` {what, path?, port?}, does one thing and answers "done" or the name of the
error.  With a sandbox each is to be refused, without one most succeed (as root all do), so that a
test which passes says something of the sandbox and not of the machine.
"""

import ctypes
import errno
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NUMBERS = {"x86_64": {"ptrace": 101, "mount": 165, "unshare": 272, "keyctl": 250, "bpf": 321,
                      "io_uring_setup": 425, "chroot": 161, "perf_event_open": 298,
                      "process_vm_readv": 310, "userfaultfd": 323, "clone": 56, "setns": 308},
           "aarch64": {"ptrace": 117, "mount": 40, "unshare": 97, "keyctl": 219, "bpf": 280,
                       "io_uring_setup": 425, "chroot": 51, "perf_event_open": 241,
                       "process_vm_readv": 270, "userfaultfd": 282, "clone": 220, "setns": 268}}
CLONE_NEWUSER = 0x10000000


def call(name, *words):
    if libc.syscall(NUMBERS[os.uname().machine][name], *words) < 0:
        raise OSError(ctypes.get_errno(), name)


def traced(number):
    """In a child, so that this process is not left traced."""
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.syscall(number, 0, 0, 0, 0) == 0 else ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "ptrace")


def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "in a child")


def space(name):
    """A path for mount: any string that stays alive."""
    return ctypes.create_string_buffer(name.encode())


def connect(family, where):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.connect(where)


ATTEMPTS = {
    "ptrace": lambda _: traced(NUMBERS[os.uname().machine]["ptrace"]),
    "mount": lambda _: in_child(lambda: (call("unshare", 0x20000), call(
        "mount", space("none"), space("/mnt"), space("tmpfs"), 0, 0))),
    "unshare": lambda _: in_child(lambda: call("unshare", CLONE_NEWUSER)),
    "chroot": lambda _: in_child(lambda: call("chroot", space("/usr"))),
    "keyctl": lambda _: call("keyctl", 0, -3, 1),
    "bpf": lambda _: call("bpf", 0, space("\2" + "\0" * 127), 128) or None,
    "io_uring": lambda _: call("io_uring_setup", 1, ctypes.create_string_buffer(120)),
    "perf": lambda _: call("perf_event_open", ctypes.create_string_buffer(
        struct.pack("IIQ", 1, 112, 0) + bytes(96)), 0, -1, -1, 0),
    "raw socket": lambda _: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
    "packet socket": lambda _: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close(),
    "unix socket": lambda a: connect(socket.AF_UNIX, a["path"]),
    "tcp": lambda a: connect(socket.AF_INET, ("127.0.0.1", a["port"])),
    "read": lambda a: pathlib.Path(a["path"]).read_bytes(),
    "list": lambda a: os.listdir(a["path"]),
    "write": lambda a: pathlib.Path(a["path"]).write_text("x"),
    "remove": lambda a: os.unlink(a["path"]),
    "make folder": lambda a: os.mkdir(a["path"]),
    "own file": lambda _: pathlib.Path("mine").write_text("x"),
    "temporary file": lambda _: tempfile.NamedTemporaryFile().close(),
    "run": lambda a: subprocess.run([a["path"]], check=True, stdout=subprocess.DEVNULL),
    "signal": lambda a: os.kill(a["pid"], 0),
    "dump": lambda _: pathlib.Path("/proc/1/environ").read_bytes(),
    "capabilities": lambda _: print(file=sys.stderr) if int(next(
        line.split()[1] for line in open("/proc/self/status", encoding="ascii")
        if line.startswith("CapEff")), 16) else (_ for _ in ()).throw(
            OSError(errno.EPERM, "none")),
    "thread": lambda _: __import__("threading").Thread(target=print, kwargs={
        "file": sys.stderr}).start(),
}


def attempt(arguments):
    try:
        ATTEMPTS[arguments["what"]](arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except subprocess.CalledProcessError as error:
        return f"status {error.returncode}"
    return "done"


def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "forbidden", "version": "1"}}
    if method == "tools/list":
        return {"tools": [{"name": "attempt", "description": "Tries it",
                           "inputSchema": {"type": "object"},
                           "annotations": {"readOnlyHint": True}}]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": attempt(params["arguments"])}]}
    return {} if method == "ping" else None


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request or "method" not in request:
        continue
    result = answer(request["method"], request.get("params") or {})
    message = {"jsonrpc": "2.0", "id": request["id"]}
    if result is None:
        message["error"] = {"code": -32601, "message": "Method not found"}
    else:
        message["result"] = result
    print(json.dumps(message), flush=True)
