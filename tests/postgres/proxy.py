# SPDX-License-Identifier: Apache-2.0
"""A wire between kanmon and PostgreSQL that can be cut, silenced and led elsewhere.

    kanmon ── Proxy.port ── Proxy.target ── PostgreSQL

What it does is set by its fields, at any time; each connection has a thread for each direction.
"""

import contextlib
import socket
import struct
import threading

from gateway import patient
from ports import free_port


class Proxy:
    def __init__(self, target):
        self.target = target  # a port; None: connections are taken and dropped
        self.cut_after = None  # bytes the server may send over one connection
        self.reset = False  # a cut is a RST, not a FIN
        self.swallow = None  # bytes of the client; what answers them is lost, and so is the rest
        self.behind = None  # bytes of the server; what it says after them is lost
        self.silent = False  # after that the connection stays open
        self.gate = threading.Event()  # while it is cleared, who comes waits for what is decided now
        self.gate.set()
        self.made = 0  # connections, cancel requests included
        self.given = 0  # bytes of the server, over the last connection
        self.links = set()
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def dsn(self, user, more=""):
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres{more}"

    def cut(self):
        """Ends every connection there is."""
        for link in list(self.links):
            link.end()

    def stop(self):
        with contextlib.suppress(OSError):  # again
            self.listener.shutdown(socket.SHUT_RDWR)  # closing alone waits for the thread
        self.listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                target = self.target or 1
                self.made += 1
                self.given = 0
                self.gate.wait(patient(60))
                try:
                    server = socket.create_connection(("127.0.0.1", target))
                except OSError:
                    client.close()
                    continue
                Link(self, client, server)


class Link:
    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.lost = False  # the server's words go nowhere
        proxy.links.add(self)
        for run in (self._from_client, self._from_server):
            threading.Thread(target=run, daemon=True).start()

    def end(self):
        self.proxy.links.discard(self)
        if self.proxy.reset:
            with contextlib.suppress(OSError):
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                if not (self.proxy.reset and end is self.client):
                    end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _from_client(self):
        with contextlib.suppress(OSError):
            while data := self.client.recv(65536):
                if self.proxy.swallow and self.proxy.swallow in data:
                    self.lost = True
                self.server.sendall(data)
        self.end()

    def _from_server(self):
        proxy = self.proxy
        with contextlib.suppress(OSError):
            while data := self.server.recv(65536):
                if self.lost and proxy.silent:
                    continue
                if self.lost:
                    break
                if proxy.behind and proxy.behind in data:
                    self.lost = True
                    self.client.sendall(data[:data.index(proxy.behind) + len(proxy.behind)])
                    if proxy.silent:
                        continue
                    break
                if proxy.cut_after is not None and proxy.given + len(data) > proxy.cut_after:
                    self.client.sendall(data[:proxy.cut_after - proxy.given])
                    break
                proxy.given += len(data)
                self.client.sendall(data)
        self.end()
