# SPDX-License-Identifier: Apache-2.0
"""A gateway in front of the vendor, and what its books say."""

import asyncio
import hashlib
import itertools
import json
import os
import signal
import sqlite3
import time
from datetime import datetime, timedelta, timezone

from client import call, manage
from gateway import Gateway, patient, wait_until

INPUT, OUTPUT = 0.000002, 0.0001    # USD a token of what is asked for by the models below
REQUEST = 0.03                      # a pass-through call
TOOL = 0.05
CHARACTER, IMAGE_OUTPUT = 0.00001, 0.00004
BATCH = 0.5                         # of the price, in a batch
PROBE = 0.001
SERVERS = 24                        # MCP servers: one that fails does not stop the others
BUDGET = 100.0
TEAM = "money"                      # of all keys that have a budget
LATE = 5                            # seconds after which a row that is not there is missing
FEW = 32                            # keys that are asked for by name
UNBOUNDED = 131072                  # what is reserved for an answer without a bound

REALTIME = "realtime"               # instead of a base: where its sessions are
# name: the provider and how its models begin; its api_base below the vendor's address; more
MODELS = {
    "oa": ("openai/", "/v1", ""),
    "an": ("anthropic/", "", ""),
    "ge": ("gemini/", "/v1beta", ""),
    "be": ("bedrock/", None, ""),
    "bc": ("bedrock/anthropic.claude-", None, ""),
    "rt": ("openai/gpt-realtime-", REALTIME, ""),
    "ol": ("ollama/", "", ""),
    "tx": ("text-completion-openai/", "/v1", ""),
    "im": ("openai/", "/v1", f"output_cost_per_image_token: {IMAGE_OUTPUT:.7f}"),
    "sp": ("openai/", "/v1", f"input_cost_per_character: {CHARACTER:.7f}"),
    "probe": ("openai/", "/v1", f"output_cost_per_token: {PROBE}"),
    "cents": ("openai/", "/v1", "input_cost_per_token: 0.000001, output_cost_per_token: 0.000004"),
    "centsan": ("anthropic/", "", "input_cost_per_token: 0.000001, output_cost_per_token: 0.000004"),
}


def entry(name, vendor):
    provider, base, more = MODELS[name]
    url = vendor.url
    if base is REALTIME:
        url, base = vendor.realtime.url, "/v1"
    where = f'api_base: "{url}{base}", api_key: sk-vendor' if base is not None else (
        f'aws_bedrock_runtime_endpoint: "{url}", aws_access_key_id: a, aws_secret_access_key: b, '
        "aws_region_name: us-east-1")
    prices = {"input_cost_per_token": f"{INPUT:.7f}", "output_cost_per_token": f"{OUTPUT:.7f}"}
    if name == "sp":
        prices = {}
    prices.update(pair.split(": ") for pair in more.split(", ") if pair)
    text = ", ".join(f"{name}: {value}" for name, value in prices.items())
    return f"""  - model_name: {name}-*
    litellm_params: {{model: {provider}*, {where}, {text}}}
"""


def config(vendor, state, more="", timeout=600, models=""):
    servers = json.dumps({f"v{i}": {
        "transport": "http", "url": f"{vendor.url}/mcp/{i}", "mcp_info": {"mcp_server_cost_info": {
            "tool_name_to_cost_per_query": {"work": TOOL}}}} for i in range(SERVERS)})
    return f"""
model_list:
{"".join(entry(name, vendor) for name in MODELS)}{models}
general_settings:
  master_key: sk-e2e-master
  pass_through_endpoints:
    - {{path: /pass, target: "{vendor.url}/raw", cost_per_request: {REQUEST}}}
litellm_settings: {{request_timeout: {timeout}, num_retries: 0}}
mcp_servers: {servers}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
  prefix_models: any
  response_bytes: 1MiB
  batch_poll: 0
  mcp_safety: {{pin: off}}
  performance: {{circuit_breaker_failures: 1000000}}
  teams: [{{team_id: {TEAM}, max_budget: 1000000, budget_limits: [{{budget_duration: 1d, max_budget: 1000000}}]}}]
{more}"""


class Books:
    """What the gateway booked: rows and key by key."""

    def __init__(self, rows, keys, daily, holds):
        self._rows, self._keys, self.daily, self.holds = {}, keys, daily, holds
        for row in rows:
            self._rows.setdefault(row["api_key"], []).append(row)

    def rows(self, key):
        return self._rows.get(hash_of(key), [])

    def spend(self, key):
        return self._keys[key]["spend"]

    def daily_spend(self, key):
        return self.daily.get(hash_of(key), 0.0)

    def held(self, key):
        """USD that a crash has left to be held; None: this gateway has no list of it."""
        if self.holds is None:
            return None
        return sum(float(h["amount"]) for h in self.holds if h["api_key"] == hash_of(key))


def hash_of(key):
    return hashlib.sha256(key.encode()).hexdigest()


class World:
    """A gateway of its own and ways to ask it, as coroutines of the vendor's loop."""

    def __init__(self, vendor, folder, text=None, **settings):
        self.vendor, self.folder = vendor, folder
        self.gateway = Gateway(folder, text or config(vendor, folder / "state", **settings))
        self.loop = vendor.loop
        self.numbers = itertools.count(1)

    def start(self):
        self.gateway.start()
        self.loop.run(self.tools())
        return self

    def stop(self):
        self.gateway.stop()

    def kill(self):
        """SIGKILL, and another one is started; what waited to be written has been, but for the last
        commit_time: who asks for the books hands it over first."""
        self.gateway.kill()
        self.gateway.start()

    def command(self, *words):
        ran = self.gateway.command(*words, "--config", self.gateway.config)
        assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
        return ran.stdout

    @property
    def port(self):
        return self.gateway.port

    async def tools(self):
        """Until the vendor's MCP servers are there."""
        deadline = time.monotonic() + patient(30)
        while time.monotonic() < deadline:
            answer = await call(self.port, "GET", "/mcp-rest/tools/list")
            if answer.status == 200 and len(answer.json().get("tools") or []) >= SERVERS:
                return
            await asyncio.sleep(0.05)  # between two looks
        raise AssertionError("the MCP servers are not there")

    async def key(self, **settings):
        settings = {"max_budget": BUDGET, **settings}
        if settings["max_budget"] is not None:
            settings.setdefault("team_id", TEAM)
        return (await manage(self.port, "POST", "/key/generate", settings))["key"]

    async def key_info(self, key):
        return (await manage(self.port, "GET", f"/key/info?key={key}"))["info"]

    async def rows(self, **query):
        rows, size = [], 5000
        more = "".join(f"&{name}={value}" for name, value in query.items())
        while True:
            page = await manage(self.port, "GET",
                                f"/spend/logs?limit={size}&offset={len(rows)}{more}")
            rows += page
            if len(page) < size:
                return rows

    async def rows_of(self, keys):
        """The rows of these; of many keys those of all are read."""
        if len(keys) > FEW:
            return await self.rows()
        pages = await asyncio.gather(*(self.rows(api_key=key) for key in keys))
        return [row for page in pages for row in page]

    async def daily(self):
        """USD by key's hash, of the roll-ups by day."""
        now = datetime.now(timezone.utc)
        days = [(now + timedelta(days=n)).strftime("%Y-%m-%d") for n in (-1, 1)]
        found = {}
        for day in await manage(self.port, "GET", f"/spend/logs?start_date={days[0]}&end_date={days[1]}"):
            for name, value in day.items():
                if len(name) == 64:
                    found[name] = found.get(name, 0.0) + value
        return found

    async def holds(self):
        answer = await call(self.port, "GET", "/kanmon/spend/holds")
        return answer.json()["holds"] if answer.status == 200 else None

    def check_team(self):
        """Whatever a purse of the team has spent is what the days say its calls cost, and those of
        the keys: of one commit, so at any moment."""
        with sqlite3.connect(next(self.folder.rglob("kanmon.db")), timeout=10) as db:
            db.execute("BEGIN")
            purses = dict(db.execute(
                "SELECT u.name, sum(s.spend) FROM purses u JOIN purse_spend s ON s.purse = u.id"
                " GROUP BY u.id"))
            days = dict(db.execute(
                "SELECT u.name, sum(d.cost) FROM purses u JOIN payer_purses p ON p.purse = u.id"
                " JOIN daily d ON d.key = p.payer GROUP BY u.id HAVING sum(d.cost) > 0"))
            keys = db.execute("SELECT coalesce(sum(s.cost), 0) FROM spend s JOIN payers p"
                              " ON p.id = s.key").fetchone()[0]
        assert purses == days, (purses, days)
        assert all(spent == keys for spent in purses.values()), (purses, keys)

    async def books(self, keys):
        self.check_team()
        infos = {key: await self.key_info(key) for key in keys}
        return Books(await self.rows_of(keys), infos, await self.daily(), await self.holds())

    async def settled(self, keys, enough):
        """The books once every key has as many rows as `enough(key)` says."""
        deadline = time.monotonic() + patient(LATE)
        while True:
            rows = await self.rows_of(keys)
            count = {}
            for row in rows:
                count[row["api_key"]] = count.get(row["api_key"], 0) + bool(row["call_type"])
            late = [key for key in keys if count.get(hash_of(key), 0) < enough(key)]
            if not late or time.monotonic() > deadline:
                return await self.books(keys)
            await asyncio.sleep(0.1)  # between two looks

    async def left(self, key):
        """USD that the key may still spend: what it is lent for an answer without a bound, which
        the vendor then refuses."""
        plan = self.vendor.plan(status=422)
        answer = await call(self.port, "POST", "/v1/chat/completions", {
            "model": f"probe-{plan.id}", "messages": [{"role": "user", "content": "a"}]}, key)
        if not plan.entries:
            return 0.0 if answer.status == 429 else None
        body = plan.entries[0].json()
        bound = body.get("max_completion_tokens", body.get("max_tokens", UNBOUNDED))
        return bound * PROBE


class Daemon(World):
    """One under `kanmon start`, that another process may take over from."""

    def start(self):
        self.command("start", "--port", self.port)
        self.gateway.wait_ready()
        self.loop.run(self.tools())
        return self

    def pid(self):
        return json.loads(self.command("status", "--json"))["pid"]

    def restart(self):
        self.command("restart")

    def kill(self):
        """Its supervisor starts another."""
        old = self.pid()
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: self.gateway.is_ready() and self.pid() != old, 60, "the next process")

    def lose(self):
        """Another process takes over, and this one is killed while its calls go on."""
        old = self.pid()
        self.restart()
        os.kill(old, signal.SIGKILL)

    def stop(self):
        self.command("stop")
