# SPDX-License-Identifier: Apache-2.0
"""A name server on loopback, and what makes a program ask it instead of the machine's."""

import socket
import struct
import threading

ADDRESS = "127.0.0.77"


class NameServer:
    """`names`: a name to its addresses; what is not there does not exist.  `held` names are not
    answered until release()."""

    def __init__(self, names):
        self.names = names
        self.held = set()
        self.kept = []
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESS, 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def under(self, folder):
        """The words that run a command with this server in its resolv.conf; needs to be root."""
        conf = folder / "resolv.conf"
        conf.write_text(f"nameserver {ADDRESS}\n")
        return ["unshare", "--mount", "sh", "-c",
                f"mount --bind '{conf}' /etc/resolv.conf && exec \"$0\" \"$@\""]

    def release(self):
        self.held.clear()
        for data, peer in self.kept:
            self._answer(data, peer)
        self.kept.clear()

    def stop(self):
        self.socket.sendto(b"", (ADDRESS, 53))
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            data, peer = self.socket.recvfrom(1024)
            if not data:
                return
            self._answer(data, peer)

    def _answer(self, data, peer):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        name, end = ".".join(labels).lower(), at + 5
        self.asked.append(name)
        if name in self.held:
            self.kept.append((data, peer))
            return
        is_a = data[at + 1:at + 3] == b"\0\1"
        addresses = self.names.get(name, []) if is_a else []
        records = b"".join(struct.pack(">HHHIH4s", 0xC00C, 1, 1, 1, 4, socket.inet_aton(a))
                           for a in addresses)
        code = 0x8180 if name in self.names else 0x8183
        head = data[:2] + struct.pack(">HHHHH", code, 1, len(addresses), 0, 0)
        self.socket.sendto(head + data[12:end] + records, peer)
