# SPDX-License-Identifier: Apache-2.0
"""Ports that are free now, and stay so until their caller takes them (ports.mjs does the same).

A port the kernel picks is one that it gives to the next connection as well, of any test that runs
beside.  So they are below those, by chance, and of programs at work there is none that has them.
"""

import random
import socket
from pathlib import Path


def free_port(host="127.0.0.1"):
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        with socket.socket() as probe:
            try:
                probe.bind((host, random.randrange(first // 2, first)))
            except OSError:
                continue
            return probe.getsockname()[1]
