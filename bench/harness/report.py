# SPDX-License-Identifier: Apache-2.0
"""From the numbers of a run to docs/benchmarks.md.

A figure is the median of the rounds in which it is valid.  CPU: the measured core at least
95 % busy, and the server itself at least 90 % of the window on it.  Latency and rate: at
most 10 % of the core taken by anyone else.  Where no round was valid, all count and the
figure is marked.  A ratio to nginx is the median of the ratios of the
same round, so that a slow minute of the machine does not become anyone's merit.
"""
import statistics

BUSY, SHARE, FOREIGN = 0.95, 0.90, 0.10
KIB, MIB = 1024.0, 1024.0 * 1024.0


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


class Figure:
    """A value per round (None where there is none) and whether the round was valid."""

    def __init__(self, values, valid=None, mark="†"):
        self.values, self.mark = values, mark
        self.valid = valid or [True] * len(values)
        good = [v for v, ok in zip(values, self.valid) if ok and v is not None]
        self.marked = not good
        self.value = median(good or values)

    def ratio(self, base):
        both = [(a / b, x and y) for a, b, x, y in
                zip(self.values, base.values, self.valid, base.valid) if a is not None and b]
        good = [r for r, ok in both if ok]
        return median(good or [r for r, _ in both])


def one(value):
    return Figure([value])


def rounds(result, part):
    return [r.get(part) or {} for r in result.get("rounds", [])]


def cpu_per(result, part, count):
    values, valid = [], []
    for r in rounds(result, part):
        watch, n = r.get("watch"), r.get(count)
        ok = bool(watch and n and "failed" not in r)
        values.append(watch["server_cpu_us"] / n if ok else None)
        valid.append(ok and watch["core_busy"] >= BUSY and watch["server_share"] >= SHARE)
    return Figure(values, valid)


def quiet(r):
    watch = r.get("watch")
    return bool(watch) and watch["core_busy"] - watch["server_share"] <= FOREIGN


def per_second(result):
    found = rounds(result, "closed64")
    return Figure([r["completed"] / r["watch"]["seconds"] if r.get("completed") else None
                   for r in found], [quiet(r) for r in found], "‡")


def latency(result, part, percentile):
    found = rounds(result, part)
    return Figure([r.get("latency", {}).get(percentile) if r.get("completed") else None
                   for r in found], [quiet(r) for r in found], "‡")


def at(result, *path):
    for name in path:
        if not isinstance(result, dict) or result.get(name) is None:
            return None
        result = result[name]
    return result


def memory(result, part, kind):
    value = at(result, part, kind)
    return one(value / MIB if value else None)


def per_stream(result):
    value = at(result, "many_streams", "private_per_stream")
    return one(value / KIB if value else None)


def departure(result, kind, percentile):
    found = at(result, "departures", kind) or {}
    return one(found["latency"][percentile] if found.get("noticed") else None)


def rows():
    """(title, unit, function of a result)."""
    yield "CPU a request, 64 connections", "µs", lambda r: cpu_per(r, "closed64", "completed")
    yield "Requests a second, 64 connections", "", per_second
    for part, words in (("closed1", "1 connection"), ("closed64", "64 connections"),
                        ("open100", "open loop, 100 a second"),
                        ("open5000", "open loop, 5,000 a second")):
        for name, key in (("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us")):
            yield (f"Latency {name}, {words}", "µs",
                   lambda r, part=part, key=key: latency(r, part, key))
    yield "CPU a streamed event, 128 streams", "µs", lambda r: cpu_per(r, "events", "events")
    yield "Start to ready", "ms", lambda r: Figure(r.get("ready_ms", []))
    for part, words in (("idle", "at rest"), ("many_requests", "after many requests"),
                        ("many_streams", "with many open streams")):
        for kind, name in (("rss", "RSS"), ("private", "Private memory")):
            yield f"{name} {words}", "MiB", lambda r, p=part, k=kind: memory(r, p, k)
    yield "Private memory an open stream", "KiB", per_stream
    for kind, words in (("stream", "of a stream"), ("unary", "awaiting an answer")):
        for name, key in (("p50", "p50_us"), ("p99", "p99_us")):
            yield (f"Client {words} leaves to upstream closed, {name}", "µs",
                   lambda r, k=kind, p=key: departure(r, k, p))


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def short(ratio):
    return number(ratio) if ratio >= 100 else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def cell(figure, base):
    if figure.value is None:
        return "–"
    text = number(figure.value) + (figure.mark if figure.marked else "")
    ratio = figure.ratio(base) if base and base is not figure else None
    return f"{text} ({short(ratio)}×)" if ratio else text


def table(results):
    names = [n for n, r in results.items() if "unavailable" not in r]
    lines = ["| | " + " | ".join(results[n]["title"] for n in names) + " |",
             "|---|" + "---:|" * len(names)]
    for title, unit, figure in rows():
        figures = {n: figure(results[n]) for n in names}
        if all(f.value is None for f in figures.values()):
            continue
        base = figures.get("nginx")
        lines.append(f"| {title}{', ' + unit if unit else ''} | "
                     + " | ".join(cell(figures[n], base) for n in names) + " |")
    return lines


def faults(result):
    """What must not be in kanmon's result, whatever its speed."""
    if "unavailable" in result:
        yield f"not measured: {result['unavailable']}"
        return
    if "broke" in result:
        yield result["broke"]
    for part in ("closed64", "closed1", "open100", "open5000", "events"):
        for r in rounds(result, part):
            if "failed" in r or r.get("wrong") or r.get("broken"):
                yield (f"{part}: {r.get('wrong', 0)} wrong and {r.get('broken', 0)} broken answers "
                       f"{r.get('failed') or r.get('wrong_body', '')}".rstrip())
    streams = at(result, "many_streams") or {}
    if streams and (streams["still_open"] < streams["wanted"] or streams["all_closed_s"] is None):
        yield (f"streams: {streams['still_open']} of {streams['wanted']} were open to the end; all "
               f"closed upstream: {streams['all_closed_s'] is not None}")
    for kind in ("stream", "unary"):
        left = at(result, "departures", kind) or {}
        if left.get("noticed", 0) < left.get("left", 0):
            yield f"departures ({kind}): {left['noticed']} of {left['left']} reached the upstream"
    count = at(result, "exact_count") or {}
    if count and not count["sent"] == count["answered"] == count["upstream"]:
        yield (f"count: {count['sent']} sent, {count['answered']} answered, {count['upstream']} "
               "seen by the upstream")
    if "expected_usd" in count and count.get("settled_s") is None:
        yield f"spend: {count['spend_usd']} USD where {count['expected_usd']:.6f} are due"


def goals(results):
    """The lines kanmon is to reach: (words, measured, upper limit, mark when not valid)."""
    k, n = results.get("kanmon"), results.get("nginx")
    if not k or "unavailable" in k or not n or "unavailable" in n:
        return
    def times(part, count, words, limit):
        ours, theirs = cpu_per(k, part, count), cpu_per(n, part, count)
        mark = "†" if ours.marked or theirs.marked else ""
        return f"{words}, times nginx's", ours.ratio(theirs), limit, mark

    requests = f"{at(k, 'many_requests', 'requests') or 0:,} requests"
    streams = f"{at(k, 'many_streams', 'open') or 0:,} streams"
    yield times("closed64", "completed", "CPU a request", 1.0)
    yield times("events", "events", "CPU a streamed event", 1.2)
    yield f"RSS after {requests}, MB", (at(k, "many_requests", "rss") or 0) / 1e6, 25, ""
    yield f"Private after {requests}, MB", (at(k, "many_requests", "private") or 0) / 1e6, 10, ""
    yield (f"Private a stream with {streams}, KB",
           (at(k, "many_streams", "private_per_stream") or 0) / 1e3, 15, "")
    yield "Start to ready, ms", median(k["ready_ms"]), 50, ""
    litellm = results.get("litellm", {"unavailable": 1})
    if "unavailable" not in litellm:
        ours, theirs = (cpu_per(r, "closed64", "completed") for r in (k, litellm))
        yield ("CPU a request, as a part of LiteLLM's", ours.ratio(theirs), 0.02,
               "†" if ours.marked or theirs.marked else "")


def goal_table(results):
    lines = [f"| {words} | {number(value) if value >= 1 else f'{value:.3g}'}{mark} | at most {limit:g} "
             f"| {'reached' if value <= limit else '**not reached**'} |"
             for words, value, limit, mark in goals(results) if value]
    head = ["## What kanmon is to reach", "", "| | measured | | |", "|---|---:|---|---|"]
    return head + lines + [""] if lines else []


def remarks(results, facts):
    for result in results.values():
        if "unavailable" in result:
            yield f"- **{result['title']}** was not measured: {result['unavailable']}"
            continue
        streams, count = at(result, "many_streams") or {}, at(result, "exact_count") or {}
        text = f"- **{result['title']} {result['version']}**: {result['note']}. "
        if "broke" in result:
            text += f"**It did not come through**: {result['broke']}. "
        text += f"“Many requests”: {at(result, 'many_requests', 'requests') or 0:,}. "
        text += f"“Many open streams”: {streams.get('open', 0):,} of {streams.get('wanted', 0):,}"
        text += "." if streams.get("all_closed_s") is not None else \
            ", not all of them closed upstream 20 s after the clients had left."
        for kind, words in (("stream", "streams"), ("unary", "awaited answers")):
            left = at(result, "departures", kind) or {}
            if left.get("left") and left.get("noticed", 0) < left["left"]:
                text += (f" Of {left['left']} departures from {words} the upstream saw "
                         f"{left.get('noticed', 0)} within 5 s.")
        for rate in (100, 5000):
            done = result.get("rounds", [])
            if done and not any(f"open{rate}" in r for r in done):
                text += f" It did not reach {rate:,} requests a second here."
        wrong = sum(r.get("wrong", 0) + r.get("broken", 0) for part in ("closed64", "closed1")
                    for r in rounds(result, part))
        if wrong:
            text += f" {wrong:,} answers were wrong or broken."
        if count:
            text += (f" Exact count: {count['sent']:,} requests sent, {count['answered']:,} answered,"
                     f" {count['upstream']:,} seen by the upstream")
            if "expected_usd" in count:
                text += (f"; spend {count['spend_usd']} USD of {count['expected_usd']:.6f} expected")
            text += "."
        yield text
    if facts["streams"] < facts["streams_wanted"]:
        yield (f"- Streams: {facts['streams']:,}, because a process may have "
               f"{facts['descriptors']:,} descriptors here and a proxied stream takes two.")


def markdown(results, facts):
    lines = [
        "# Benchmarks", "",
        f"Made by `{facts['command']}` on {facts['date']} at commit {facts['commit']}; do not edit.",
        "",
        f"Machine: {facts['cpu']}, {facts['cores']} cores, {facts['memory']}, Linux "
        f"{facts['kernel']}. The server under test has core 0 to itself, the mock upstream and "
        "the load generator (both in C, `bench/`) share core 1; all traffic is on the loopback "
        f"interface. {facts['rounds']} interleaved rounds, the other servers frozen; a figure is "
        "the median, the number in brackets its ratio to nginx in the same rounds.", "",
        "The request is a chat completion of 1 KB, the answer 400 bytes; both are checked. CPU is "
        "that of all threads and processes of the server, counted as valid only where its core "
        "was at least 95 % busy and the server had 90 % of it (`†`: no round was). Latency and rate "
        "count where nobody else had more than 10 % of that core (`‡`: no round).", ""]
    if any(cpu_per(r, "closed64", "completed").marked for r in results.values()
           if "unavailable" not in r):
        lines += ["**The machine was shared while this was measured: the marked figures say little, "
                  "and the memory and counts are what to read here. Run it again on two quiet "
                  "cores.**", ""]
    lines += table(results) + [""] + goal_table(results)
    lines += ["## How each was set up", ""] + list(remarks(results, facts)) + [""]
    return "\n".join(lines)
