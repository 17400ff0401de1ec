# SPDX-License-Identifier: Apache-2.0
"""The gateways we compare with, installed below build/bench from pinned versions.

    LiteLLM   tests/differential/requirements.lock     every wheel by its hash
    Portkey   bench/peers/portkey/package-lock.json   every package by its hash
    Bifrost   the version below                       checked by Go's own sum file

Each is set up as its makers say, with what it can do without a database of its own; what
it then does less than kanmon is said in its note.
"""
import glob
import json
import os
import re
import shutil
import subprocess

from harness.servers import (MASTER_KEY, MODEL, PRICE_IN, PRICE_OUT, Server, Unavailable, output,
                             write)

BIFROST = "github.com/maximhq/bifrost/transports/bifrost-http"
BIFROST_VERSION = "v1.3.9"


def say_why(text):
    """The last line of an installer's output, without addresses and paths."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = re.sub(r"https?://\S+", "(address)", lines[-1] if lines else "no output")
    return re.sub(r"(?<!\w)/[\w./-]+", "(path)", line)[:160]


def install(what, *command, cwd=None, env=None, limit_s=900):
    try:
        done = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit_s,
                              check=False)
    except FileNotFoundError as error:
        raise Unavailable(f"{error.filename} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{what} was not installed in {limit_s} s") from error
    if done.returncode:
        raise Unavailable(f"{what} could not be installed: {say_why(done.stdout)}")


def newer(lock, folder):
    """Whether a lock file has changed since what it lists was installed into a folder."""
    stamp = os.path.join(folder, "installed")
    return not os.path.exists(stamp) or os.path.getmtime(stamp) < os.path.getmtime(lock)


def locked_wheels(lock, folder, python="python3", more=()):
    """The wheels of a lock file, each by its hash, in an environment of their own."""
    if newer(lock, folder):
        install("its environment", python, "-m", "venv", folder)
        install("its locked wheels", f"{folder}/bin/pip", "install", "--quiet", *more,
                "--disable-pip-version-check", "--require-hashes", "-r", lock)
        write(os.path.join(folder, "installed"), "")


def locked_packages(source, folder):
    """The packages of a package-lock.json, each by its hash, below folder/node_modules."""
    if newer(os.path.join(source, "package-lock.json"), folder):
        os.makedirs(folder, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(source, name), folder)
        install("its locked packages", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                cwd=folder)
        write(os.path.join(folder, "installed"), "")


class LiteLLM(Server):
    name, title = "litellm", "LiteLLM"
    note = ("one worker, master key, no database: it checks one key and neither limits nor "
            "stores anything")
    starts, slow, ready_limit_s = 1, True, 120

    def prepare(self):
        venv = os.path.join(self.bench.cache, "litellm")
        lock = os.path.join(self.bench.root, "tests/differential/requirements.lock")
        self.binary = os.path.join(venv, "bin/litellm")
        locked_wheels(lock, venv)

    def version(self):
        found = glob.glob(os.path.join(self.bench.cache, "litellm/lib/*/site-packages/"
                                       "litellm-*.dist-info"))
        return os.path.basename(found[0])[len("litellm-"):-len(".dist-info")] if found else "?"

    def environment(self):
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}

    def command(self):
        config = write(f"{self.dir}/config.yaml", f"""\
model_list:
  - model_name: {MODEL}
    litellm_params:
      model: openai/{MODEL}
      api_base: http://127.0.0.1:{self.bench.mock}/v1
      api_key: sk-upstream
      input_cost_per_token: {PRICE_IN}
      output_cost_per_token: {PRICE_OUT}
litellm_settings: {{telemetry: false}}
general_settings: {{master_key: {MASTER_KEY}}}
""")
        return [self.binary, "--config", config, "--host", "127.0.0.1", "--port", str(self.port),
                "--num_workers", "1"]


class Portkey(Server):
    name, title = "portkey", "Portkey"
    note = "the open gateway: it passes the caller's key on, and neither limits nor stores anything"
    ready_path = "/"
    starts, slow, ready_limit_s = 3, True, 30

    def prepare(self):
        folder = os.path.join(self.bench.cache, "portkey")
        self.package = os.path.join(folder, "node_modules/@portkey-ai/gateway")
        locked_packages(os.path.join(self.bench.root, "bench/peers/portkey"), folder)
        self.headers = ["x-portkey-provider: openai",
                        f"x-portkey-custom-host: http://127.0.0.1:{self.bench.mock}/v1"]

    def version(self):
        with open(os.path.join(self.package, "package.json"), encoding="utf-8") as f:
            return f"{json.load(f)['version']}, Node {output('node', '--version').lstrip('v')}"

    def command(self):
        return ["node", os.path.join(self.package, "build/start-server.js"),
                f"--port={self.port}", "--headless"]


class Bifrost(Server):
    name, title = "bifrost", "Bifrost"
    note = "configured by file, no store: it neither checks keys nor limits"
    ready_path = "/health"
    model = f"openai/{MODEL}"
    ready_limit_s = 60

    def prepare(self):
        folder = os.path.join(self.bench.cache, "bifrost")
        self.binary = os.path.join(folder, "bifrost-http")
        if not os.path.exists(self.binary):
            install(f"the Go module `{BIFROST}@{BIFROST_VERSION}`", "go", "install", f"{BIFROST}@{BIFROST_VERSION}",
                    env={"GOBIN": folder})

    def version(self):
        return BIFROST_VERSION.lstrip("v")

    def command(self):
        write(f"{self.dir}/config.json", json.dumps({
            "client": {"drop_excess_requests": False, "enable_logging": False},
            "providers": {"openai": {
                "keys": [{"name": "mock", "value": "sk-upstream", "models": [], "weight": 1.0}],
                "network_config": {"base_url": f"http://127.0.0.1:{self.bench.mock}"}}},
            "config_store": {"enabled": False}}))
        return [self.binary, "-app-dir", self.dir, "-host", "127.0.0.1", "-port", str(self.port),
                "-log-level", "error"]
