# SPDX-License-Identifier: Apache-2.0
"""Beside a stdio server: it starts late, and what it is sent is noted.

    python3 noting.py FILE SECONDS SERVER.py [ARG...]

The server is loaded, then SECONDS pass, and only then its input is read.
"""
import os
import runpy
import subprocess
import sys
import time

path, seconds, server, *words = sys.argv[1:]
import mcp.server.mcpserver  # noqa: E402,F401  what takes long in most of them

time.sleep(float(seconds))
noted = subprocess.Popen(["tee", "-a", path], stdout=subprocess.PIPE)
os.dup2(noted.stdout.fileno(), 0)
sys.argv = [server, *words]
sys.path.insert(0, os.path.dirname(server))
runpy.run_path(server, run_name="__main__")
