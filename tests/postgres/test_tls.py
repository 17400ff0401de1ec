# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL that takes TLS only: what runs there is cancelled over TLS too, or not at all."""

import shutil
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from gateway import wait_until

from conftest import Server

SSL_REQUEST = struct.pack(">II", 8, 80877103)
CANCEL_REQUEST = struct.pack(">II", 16, 80877102)
FLOOD = "SELECT repeat('x', 1000) FROM generate_series(1, 7000) a, generate_series(1, 7000) b"


def certificate(folder, name, host):
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                           f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout",
                           str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


@pytest.fixture(scope="module")
def secure(postgres, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    data = postgres.folder / "data"
    certificate(folder, "server", "localhost")
    certificate(folder, "other", "localhost")
    for end in ("key", "crt"):
        shutil.copy(folder / f"server.{end}", data / f"server.{end}")
        (data / f"server.{end}").chmod(0o600)
        if postgres.user:
            shutil.chown(data / f"server.{end}", postgres.user)
    hba = data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"hostnossl all tls_ro all reject\nhostssl all tls_ro all trust\n{before}")
    postgres.psql("CREATE ROLE tls_ro LOGIN IN ROLE mcp_ro; GRANT mcp_ro TO tls_ro;")
    postgres.psql("ALTER SYSTEM SET ssl = on")
    postgres.psql("SELECT pg_reload_conf()")
    postgres.certificates = folder
    yield postgres
    hba.write_text(before)
    postgres.psql("ALTER SYSTEM RESET ssl")
    postgres.psql("SELECT pg_reload_conf(); DROP ROLE tls_ro")


class Relay:
    """Between kanmon and the server; keeps what the client said on each connection.  A connection
    from `impostor` on meets another server, with a certificate of its own."""

    def __init__(self, port, impostor=None):
        self.target, self.impostor = port, impostor
        self.said = []
        self.failed = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            kept = bytearray()
            self.said.append(kept)
            if self.impostor and len(self.said) > 1:
                threading.Thread(target=self.impersonate, args=(client, kept), daemon=True).start()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.pass_on, args=(client, server, kept), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client, None), daemon=True).start()

    def pass_on(self, source, sink, kept):
        try:
            while data := source.recv(65536):
                if kept is not None and len(kept) < 4096:
                    kept.extend(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def impersonate(self, client, kept):
        kept.extend(client.recv(8))
        client.sendall(b"S")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.impostor / "other.crt", self.impostor / "other.key")
        try:
            kept.extend(context.wrap_socket(client, server_side=True).recv(100))
        except OSError as error:
            self.failed.append(str(error))

    def close(self):
        self.listener.close()


def dsn(secure, port, mode):
    roots = "" if mode == "require" else f" sslrootcert={secure.certificates / 'server.crt'}"
    return f"host=localhost hostaddr=127.0.0.1 port={port} user=tls_ro dbname=postgres sslmode={mode}{roots}"


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_what_is_cut_is_cancelled_over_tls(secure, mode):
    relay = Relay(secure.port)
    try:
        with Server(dsn(secure, relay.port, mode), "--pool-max", 1, "--statement-timeout", "60s") as server:
            for _ in range(3):
                got = server.ok("execute_sql", sql=FLOOD, max_rows=3)
                assert got["row_count"] == 3 and got["truncated"]
                assert got["elapsed_ms"] < 40000, "not cancelled, but ended by its time-out"
                assert server.ok("execute_sql", sql="SELECT 1 AS one")["rows"] == [[1]]
        assert len(relay.said) > 3, "a connection and three cancels"
        for said in relay.said:
            assert said.startswith(SSL_REQUEST) and said[8] == 0x16, bytes(said[:32])
            assert CANCEL_REQUEST not in said
    finally:
        relay.close()


def test_nobody_else_is_told_the_secret(secure):
    relay = Relay(secure.port, impostor=secure.certificates)
    try:
        with Server(dsn(secure, relay.port, "verify-full"), "--pool-max", 1, "--statement-timeout",
                    "2s") as server:
            server.call("execute_sql", sql=FLOOD, max_rows=3)
            wait_until(lambda: relay.failed, 20, "the impostor to be refused")
        assert all(CANCEL_REQUEST not in said for said in relay.said)
    finally:
        relay.close()


def test_a_name_is_verified_though_its_address_is_found_by_us(secure):
    """libpq gets the address beside the name: the certificate is of the name."""
    named = dsn(secure, secure.port, "verify-full").replace("hostaddr=127.0.0.1 ", "")
    with Server(named, "--pool-max", 1) as server:
        assert server.ok("execute_sql", sql="SELECT 1 AS one")["rows"] == [[1]]
    with Server(named.replace("host=localhost", "host=127.0.0.1")) as server:
        error = server.error("execute_sql", sql="SELECT 1")
        assert "server certificate for" in error and "does not match" in error


def test_without_tls_it_is_not_let_in(secure):
    with Server(f"host=127.0.0.1 port={secure.port} user=tls_ro dbname=postgres sslmode=disable") as server:
        assert "rejects" in server.error("execute_sql", sql="SELECT 1")
    wrong = dsn(secure, secure.port, "verify-full").replace("server.crt", "other.crt")
    with Server(wrong) as server:
        assert "certificate" in server.error("execute_sql", sql="SELECT 1")
