# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's releases that npm's packages bring, each started like the distribution's own."""

import json
import pathlib
import shutil
import tempfile

from conftest import Postgres

HERE = pathlib.Path(__file__).resolve().parent
RELEASES = sorted(json.loads((HERE / "package.json").read_text())["dependencies"])


class Release(Postgres):
    """One of them, from a copy: the user who runs it need not be able to read this tree.  The
    links between its libraries are in a list, because packages of npm have none."""

    def __init__(self, name):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-pg-bin-"))
        self.home.chmod(0o755)
        package = HERE / "node_modules" / name
        shutil.copytree(package / "native", self.home / "native")
        for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
            target = self.home / link["target"]
            if not target.exists():
                target.symlink_to((self.home / link["source"]).name)
        for program in (self.home / "native" / "bin").iterdir():
            program.chmod(0o755)
        super().__init__(self.home / "native" / "bin")
        self.release = int(name.rpartition("-")[2])

    def stop(self):
        super().stop()
        shutil.rmtree(self.home, ignore_errors=True)
