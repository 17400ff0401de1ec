# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL and prisma's query engine, for the LiteLLM that is recorded.

prisma downloads its native engine from a host of its own, which a machine with
package registries only does not reach.  The same engine as WebAssembly is part of
npm's @prisma/client; engine/query-engine.cjs puts it behind the program's HTTP.
The tables come from the migrations in PyPI's litellm-proxy-extras.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from ports import free_port

HERE = pathlib.Path(__file__).resolve().parent
ENGINE = HERE / "engine"


def bin_folder():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Postgres:
    """initdb in a temporary folder, a port of the kernel's choice, as a non-root user."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-postgres-"))
        self.port = free_port()
        self.bin = bin_folder()
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)

    def _run(self, *words, **kwargs):
        return subprocess.run([str(self.bin / words[0]), *map(str, words[1:])], check=True,
                              user=self.user, cwd=self.folder, capture_output=True, text=True,
                              **kwargs)

    def start(self):
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-A", "trust", "-U", "litellm", "-E", "UTF8", "--no-sync")
        self._run("pg_ctl", "-D", data, "-w", "-l", self.folder / "log", "-o",
                  f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off",
                  "start")
        return self

    @property
    def url(self):
        return f"postgresql://litellm@127.0.0.1:{self.port}/postgres"

    def migrate(self, folder):
        for path in sorted(folder.glob("*/migration.sql")):
            self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port,
                      "-U", "litellm", "postgres", input=path.read_text())

    def stop(self):
        try:
            self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def generate_client(venv, work):
    """prisma's Python client from LiteLLM's schema, into the environment of LiteLLM."""
    packages = next((venv / "lib").glob("python3*/site-packages"))
    stamp = packages / "prisma" / "client.py"
    if stamp.exists():
        return
    if not (ENGINE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=ENGINE,
                       check=True, stdout=subprocess.DEVNULL)
    work.mkdir(parents=True, exist_ok=True)
    schema = work / "schema.prisma"
    text = (packages / "litellm" / "proxy" / "schema.prisma").read_text()
    schema.write_text("".join(line for line in text.splitlines(True)
                              if "binaryTargets" not in line))
    unused = work / "unused.node"
    unused.touch()
    env = {**os.environ, "PRISMA_QUERY_ENGINE_LIBRARY": str(unused),
           "PRISMA_SCHEMA_ENGINE_BINARY": str(ENGINE / "query-engine.cjs"),
           "PRISMA_QUERY_ENGINE_BINARY": str(ENGINE / "query-engine.cjs"),
           "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["node", str(ENGINE / "node_modules/prisma/build/index.js"), "generate",
                    "--schema", str(schema)], env=env, check=True, stdout=subprocess.DEVNULL)


def environment(postgres):
    """What LiteLLM needs in its environment to use it."""
    return {"DATABASE_URL": postgres.url, "DISABLE_SCHEMA_UPDATE": "true",
            "PRISMA_QUERY_ENGINE_BINARY": str(ENGINE / "query-engine.cjs"),
            "PROXY_BATCH_WRITE_AT": "1"}
