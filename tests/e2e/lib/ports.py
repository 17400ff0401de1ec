# SPDX-License-Identifier: Apache-2.0
"""Ports that are free now."""

import socket


def free_port(host="127.0.0.1"):
    """The kernel's choice.  Another program may take it before the caller does; the
    kernel hands ephemeral ports out in turn, so in practice it does not."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
