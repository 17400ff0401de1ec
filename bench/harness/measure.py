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
            (1.5, 1, 1, 1.2) if quick else (5, 2, 3, 3)
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
    def __init__(self, plan, load, mock):
        self.plan, self.binary, self.mock = plan, load, mock

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

    def start_again(self, server):
        server.stop()
        server.start()

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


class Run:
    """All servers through the whole plan.  One that dies, or that answers nothing where an
    answer is needed, is left out from there on and the page says so; the others go on."""

    def __init__(self, measure, plan, stream_limit, say):
        self.measure, self.plan, self.streams, self.say = measure, plan, stream_limit, say
        self.results, self.live = {}, []

    def begin(self, server):
        self.say(f"{server.title}: install and start")
        result = self.results[server.name] = self.measure.start(server)
        if server.process:
            self.live.append(server)
            procs.send(server.pids(), signal.SIGSTOP)
        else:
            self.say(f"{server.title}: not measured: {result['unavailable']}")

    def alone(self, server, words, part, *arguments):
        """One part of the plan for one server, thawed for it; None when it failed."""
        if server not in self.live:
            return None
        self.say(f"{server.title}: {words}")
        procs.send(server.pids(), signal.SIGCONT)
        value = failure = None
        try:
            value = part(server, *arguments)
        except (Unavailable, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            failure = f"{type(error).__name__}: {error}"
        if server.process is None or server.process.poll() is not None:
            failure = f"it ended by itself: {server.last_words()}"
        if failure:
            self.say(f"{server.title}: {words}: {failure}")
            self.results[server.name]["broke"] = f"{words}: {failure}"
            self.live.remove(server)
            server.stop()
            return None
        procs.send(server.pids(), signal.SIGSTOP)
        return value

    def rounds(self):
        for number in range(self.plan.rounds):
            for server in list(self.live):
                one = self.alone(server, f"round {number + 1} of {self.plan.rounds}",
                                 self.measure.round)
                if one:
                    self.results[server.name].setdefault("rounds", []).append(one)

    def rest(self, server):
        """What is measured once, after the rounds."""
        m, result = self.measure, self.results[server.name]
        result["many_requests"] = self.alone(server, f"{self.plan.requests} requests",
                                             m.many_requests)
        result["many_streams"] = self.alone(server, f"{self.streams} streams", m.many_streams,
                                            self.streams)
        if result["many_streams"] and result["many_streams"]["all_closed_s"] is None:
            # It keeps streams that nobody reads: the rest on a fresh one.
            self.alone(server, "start again", m.start_again)
        result["departures"] = self.alone(server, "departures", m.departures)
        if not server.slow:
            result["exact_count"] = self.alone(server, "count", m.exact_count)


def run(servers, measure, plan, stream_limit, say):
    """Returns {name: numbers}."""
    everything = Run(measure, plan, stream_limit, say)
    for server in servers:
        everything.begin(server)
    everything.rounds()
    for server in list(everything.live):
        everything.rest(server)
        server.stop()
    return everything.results


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
