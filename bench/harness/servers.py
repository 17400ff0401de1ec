# SPDX-License-Identifier: Apache-2.0
"""The servers under test: how each is found, configured, started and asked.

A server is a class with a row of facts and four methods.  To add one: write the class,
here or in peers.py, and name it in SERVERS of bench/run.
"""
import http.client
import json
import os
import shutil
import socket
import subprocess
import time

from harness import procs

SERVER_CORE, LOAD_CORE = 0, 1
MASTER_KEY = "sk-bench-master"
MODEL = "gpt-4o"
PRICE_IN, PRICE_OUT = "0.0000025", "0.00001"


class Unavailable(Exception):
    """Cannot be measured here; the text says why, for the table."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def ask(port, method, path, body=None, bearer=None, timeout=5):
    """(status, parsed JSON or text)."""
    headers = {"Content-Type": "application/json"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


class Server:
    name = title = ""
    note = ""               # how it was set up, for the table's foot
    ready_path = "/health/readiness"
    path = "/v1/chat/completions"
    model = MODEL
    starts = 5              # how often start to ready is measured
    slow = False            # a million requests would take too long
    ready_limit_s = 20

    def __init__(self, bench):
        self.bench = bench  # paths: .root, .build, .work; .mock: the mock's port
        self.dir = os.path.join(bench.work, self.name)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.bearer = MASTER_KEY
        self.headers = []
        self.process = self.log = None
        self.port = 0

    def prepare(self):
        """Installs or finds it and writes its configuration, or raises Unavailable."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def version(self):
        raise NotImplementedError

    def when_ready(self):
        """After every start: make keys and the like."""

    def is_ready(self):
        try:
            return ask(self.port, "GET", self.ready_path, timeout=1)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def start(self):
        """Starts it and returns the milliseconds until it said that it is ready."""
        self.port = free_port()
        self.log = open(os.path.join(self.dir, "output.log"), "ab")
        begin = time.monotonic()
        self.process = procs.start(self.command(), SERVER_CORE, self.log, self.dir,
                                   self.environment())
        ready = procs.until(lambda: self.is_ready() or self.process.poll() is not None,
                            self.ready_limit_s)
        took = time.monotonic() - begin
        if ready is None or self.process.poll() is not None:
            last = self.last_words()
            self.stop()
            raise Unavailable(f"did not get ready: {last}")
        self.when_ready()
        return took * 1000

    def last_words(self):
        with open(os.path.join(self.dir, "output.log"), encoding="utf-8", errors="replace") as f:
            lines = [line.strip() for line in f if line.strip()]
        return lines[-1][:200] if lines else "it said nothing"

    def stop(self):
        if self.process:
            procs.stop(self.process)
            self.log.close()
        self.process = None

    def pids(self):
        return procs.tree(self.process.pid)


class Nginx(Server):
    name, title = "nginx", "nginx"
    note = ("`proxy_pass`, one worker, access log with a 64k buffer, 256 kept upstream "
            "connections, no buffering of streams; it checks no key and counts nothing")
    more = ""               # directives a run adds

    def prepare(self):
        """Debian's, unpacked below build/bench where there is none: installing the package would
        start a server of its own on this machine."""
        self.binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        folder = os.path.join(self.bench.cache, "nginx")
        if not self.binary and not os.path.exists(f"{folder}/usr/sbin/nginx"):
            os.makedirs(folder, exist_ok=True)
            for command in (["apt-get", "download", "nginx"],
                            ["sh", "-c", "dpkg -x nginx_*.deb . && rm nginx_*.deb"]):
                said = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                                      check=False)
                if said.returncode:
                    raise Unavailable("nginx is not installed and could not be unpacked: "
                                      + (said.stderr.strip().splitlines() or ["no word"])[-1])
        self.binary = self.binary or f"{folder}/usr/sbin/nginx"

    def version(self):
        return output(self.binary, "-v").rpartition("/")[2]

    def command(self):
        temporary = "\n".join(f"    {kind}_temp_path {self.dir}/{kind};"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # nginx drops idle connections when fewer than a sixteenth is free: leave room.
        return [self.binary, "-p", self.dir, "-e", f"{self.dir}/error.log", "-c", write(
            f"{self.dir}/nginx.conf", f"""
worker_processes 1;{self.more}
daemon off;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log;
events {{ worker_connections 22000; }}
http {{
{temporary}
    access_log {self.dir}/access.log combined buffer=64k;
    keepalive_requests 1000000000;
    client_max_body_size 64m;
    client_body_buffer_size 64m;
    upstream mock {{
        server 127.0.0.1:{self.bench.mock};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location = /health/readiness {{ access_log off; return 200 "ok"; }}
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
""")]


class Kanmon(Server):
    name, title = "kanmon", "kanmon"
    note = ("one worker, 256 kept upstream connections; a virtual key with budget, request, "
            "token and parallel limits; eventual accounting on SQLite; one log line a call; all "
            "its threads counted")
    more = ""               # settings a run adds

    def program(self):
        return self.bench.kanmon

    def prepare(self):
        self.binary = self.program()
        if not os.access(self.binary, os.X_OK):
            raise Unavailable(f"{self.binary} is not built")

    def version(self):
        return output(self.binary, "version").splitlines()[0].replace("kanmon", "").strip()

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
general_settings:
  master_key: {MASTER_KEY}
kanmon_settings:
  state_dir: {self.dir}/state
  workers: 1{self.more}
  limits: {{connections: 20000}}
  upstream: {{max_per_origin: 20000, max_idle: 256}}
""")
        return [self.binary, "serve", "--config", config, "--host", "127.0.0.1",
                "--port", str(self.port)]

    def make_key(self):
        status, answer = ask(self.port, "POST", "/key/generate", {
            "models": [], "rpm_limit": 100000000, "tpm_limit": 1000000000000,
            "max_parallel_requests": 20000, "max_budget": 1000000.0}, MASTER_KEY)
        if status != 200 or "key" not in answer:
            raise Unavailable(f"/key/generate answered {status}: {str(answer)[:150]}")
        return answer["key"]

    def when_ready(self):
        self.bearer = self.make_key()

    def spend(self, key):
        status, answer = ask(self.port, "GET", f"/key/info?key={key}", None, MASTER_KEY)
        if status != 200:
            return None
        return float(answer.get("info", answer).get("spend") or 0)
