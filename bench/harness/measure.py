# SPDX-License-Identifier: Apache-2.0
"""The plan of a run: what is measured of whom, in which order.

    1  each server is started several times: start to ready, then memory at rest
    2  rounds: each server in turn, the others frozen (SIGSTOP), so that a drift of the
       machine meets all of them and none disturbs another
    3  many requests, then memory
    4  many open streams, memory with them, all closed again
    5  clients that leave
    6  a count to the last request, against the mock's own

Nothing here computes what the table shows: this makes numbers, report.py reads them.
"""
import json
import signal
import subprocess

from harness import procs
from harness.servers import LOAD_CORE, PRICE_IN, PRICE_OUT, SERVER_CORE, Unavailable, ask

RATES = (100, 5000)


class Plan:
    """How long and how often."""

    def __init__(self, quick=False, smoke=False):
        self.rounds = 5
        self.closed_s, self.single_s, self.open_s, self.events_s = \
            (2, 1, 1.5, 1.5) if quick else (5, 2, 3, 3)
        self.requests = 200_000 if quick else 1_000_000
        self.slow_limit_s = 20 if quick else 60
        self.departures = 50 if quick else 200
        self.slow_departures = 20
        self.streams_wanted = 10_000
        self.event_streams = 128
        self.counted = 20_000
        if smoke:
            self.rounds = 1
            self.closed_s = self.single_s = self.open_s = self.events_s = 0.3
            self.requests = self.counted = 2000
            self.departures, self.streams_wanted = 10, 200


class Mock:
    def __init__(self, binary, log):
        self.process = procs.start([binary], LOAD_CORE, log, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])

    def stats(self):
        return ask(self.port, "GET", "/__stats")[1]

    def stop(self):
        procs.stop(self.process)


def load_command(binary, mode, server, mock, **options):
    command = ["taskset", "-c", str(LOAD_CORE), binary, mode, "--target",
               f"127.0.0.1:{server.port}", "--mock", f"127.0.0.1:{mock.port}",
               "--path", server.path, "--bearer", server.bearer, "--model", server.model,
               "--core", str(SERVER_CORE), "--pids", ",".join(map(str, server.pids()))]
    for header in server.headers:
        command += ["--header", header]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    return command


class Measure:
    def __init__(self, plan, load, mock, say):
        self.plan, self.binary, self.mock, self.say = plan, load, mock, say

    def load(self, mode, server, **options):
        """One run of the load generator; {"failed": why} when it measured nothing."""
        try:
            done = subprocess.run(load_command(self.binary, mode, server, self.mock, **options),
                                  capture_output=True, text=True, timeout=600, check=False)
        except subprocess.TimeoutExpired:
            return {"failed": "the load generator did not end"}
        lines = done.stdout.strip().splitlines()
        if not lines:
            return {"failed": (done.stderr.strip().splitlines() or ["no output"])[-1]}
        result = json.loads(lines[-1])
        if done.returncode:
            result["failed"] = result.get("wrong_body") or "nothing was measured"
        return result

    def round(self, server):
        """One round of one server."""
        plan = self.plan
        # A slow server answers 64 connections in waves: its window must hold many.
        stretch = {"seconds": plan.closed_s * 2, "warmup": 3} if server.slow else \
            {"seconds": plan.closed_s}
        out = {"closed64": self.load("closed", server, connections=64, **stretch),
               "closed1": self.load("closed", server, connections=1, seconds=plan.single_s)}
        reached = out["closed64"].get("completed", 0) / stretch["seconds"]
        for rate in RATES:
            if reached >= rate:
                out[f"open{rate}"] = self.load("open", server, rate=rate, connections=64,
                                               seconds=plan.open_s, warmup=0.3)
        out["events"] = self.load("events", server, connections=plan.event_streams,
                                  seconds=plan.events_s)
        # What it still has to do for streams that were left is not the next one's work.
        procs.until(lambda: self.mock.stats()["open_streams"] == 0, 15, 0.1)
        return out

    def many_requests(self, server):
        options = {"requests": self.plan.requests, "connections": 64}
        if server.slow:
            options["seconds"] = self.plan.slow_limit_s
        result = self.load("closed", server, **options)
        procs.until(lambda: False, 1.0, 0.1)
        return {"requests": result.get("completed", 0), "load": result,
                **procs.memory(server.process.pid)}

    def many_streams(self, server, count):
        """Opens `count` streams, reads the memory, closes them, waits until the mock is rid
        of them all."""
        before = procs.memory(server.process.pid)
        others = self.mock.stats()["open_streams"]
        load = subprocess.Popen(
            load_command(self.binary, "hold", server, self.mock, connections=count),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        opened = json.loads(load.stdout.readline() or "{}")
        procs.until(lambda: False, 5.0, 0.5)
        after = procs.memory(server.process.pid)
        load.stdin.close()
        done = json.loads(load.stdout.readline() or "{}")
        load.wait(60)
        gone = procs.until(lambda: self.mock.stats()["open_streams"] <= others, 20, 0.2)
        result = {"wanted": count, "open": opened.get("open", 0), "still_open": done.get("open", 0),
                  "events": done.get("events", 0), "before": before, **after,
                  "all_closed_s": gone, "wrong": done.get("wrong_body", "")}
        if result["open"]:
            result["private_per_stream"] = (after["private"] - before["private"]) / result["open"]
        return result

    def departures(self, server):
        count = self.plan.slow_departures if server.slow else self.plan.departures
        return {"stream": self.load("depart", server, connections=count),
                "unary": self.load("depart", server, connections=count // 2, unary=1)}

    def exact_count(self, server):
        """The same number of requests at the client, the mock and (where it can be asked)
        in the server's own account."""
        key = getattr(server, "make_key", lambda: None)()
        usual = server.bearer
        server.bearer = key or usual
        before = self.mock.stats()["requests"]
        result = self.load("closed", server, connections=64, requests=self.plan.counted)
        server.bearer = usual
        seen = self.mock.stats()
        out = {"sent": result.get("sent", 0), "answered": result.get("answered", 0),
               "upstream": seen["requests"] - before}
        if key:
            each = (seen["prompt_tokens_each"] * float(PRICE_IN)
                    + seen["completion_tokens_each"] * float(PRICE_OUT))
            out["expected_usd"] = out["upstream"] * each

            def settled():
                out["spend_usd"] = server.spend(key)
                return out["spend_usd"] is not None and \
                    abs(out["spend_usd"] - out["expected_usd"]) < each / 1000
            out["settled_s"] = procs.until(settled, 5, 0.05)
        return out

    def start(self, server):
        """Prepares, starts and starts again; leaves the last one running."""
        result = {"title": server.title, "note": server.note}
        try:
            server.prepare()
            times = []
            for _ in range(server.starts):
                server.stop()
                times.append(server.start())
            result.update(version=server.version(), ready_ms=times)
        except Unavailable as why:
            result["unavailable"] = str(why)
            return result
        procs.until(lambda: False, 1.0, 0.1)
        result["idle"] = procs.memory(server.process.pid)
        return result


def run(servers, measure, plan, stream_limit):
    """All of it.  Returns {name: numbers}."""
    say, results, live = measure.say, {}, []
    for server in servers:
        say(f"{server.title}: install and start")
        results[server.name] = measure.start(server)
        if server.process:
            live.append(server)
            procs.send(server.pids(), signal.SIGSTOP)
        else:
            say(f"{server.title}: not measured: {results[server.name]['unavailable']}")

    def alone(server, part, *arguments):
        procs.send(server.pids(), signal.SIGCONT)
        try:
            return part(server, *arguments)
        finally:
            procs.send(server.pids(), signal.SIGSTOP)

    for number in range(plan.rounds):
        for server in live:
            say(f"{server.title}: round {number + 1} of {plan.rounds}")
            results[server.name].setdefault("rounds", []).append(alone(server, measure.round))
    for server in live:
        for part, arguments, words in (
                ("many_requests", (), f"{plan.requests} requests"),
                ("many_streams", (stream_limit,), f"{stream_limit} streams"),
                ("departures", (), "departures"), ("exact_count", (), "count")):
            if part == "exact_count" and server.slow:
                continue
            say(f"{server.title}: {words}")
            results[server.name][part] = alone(server, getattr(measure, part), *arguments)
            if part == "many_streams" and results[server.name][part]["all_closed_s"] is None:
                server.stop()  # it keeps streams nobody reads: the rest on a fresh one
                server.start()
    for server in live:
        server.stop()
    return results


def spin(server, measure, seconds, say):
    """For work on the server itself: load at 64 connections, a line a second, and its
    process number for a profiler."""
    server.prepare()
    server.start()
    pids = ",".join(map(str, server.pids()))
    say(f"{server.title} is {pids}; for example:  perf record -e cpu-clock -g -p {pids} sleep 5")
    for _ in range(seconds):
        r = measure.load("closed", server, connections=64, seconds=1, warmup=0)
        if not r.get("completed"):
            say(f"nothing was answered: {r.get('failed')}")
            continue
        watch = r["watch"]
        say(f"{watch['server_cpu_us'] / r['completed']:6.2f} µs a request, "
            f"{r['completed'] / watch['seconds']:7.0f} a second, p99 {r['latency']['p99_us']:.0f} µs, "
            f"{watch['server_share']:.0%} of its core, {r['wrong'] + r['broken']} failed")
