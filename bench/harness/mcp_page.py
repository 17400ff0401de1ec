# SPDX-License-Identifier: Apache-2.0
"""The page of the MCP benchmark: a section of docs/benchmarks.md, and what was to be reached.

Added latency is the difference to the direct way within a round; CPU a call is all that the
gateway's threads and processes used for it.  How many lists one core serves is told by the CPU a
list takes: a generator on the other core that reads 4 KB a list is slower than that.
"""
import statistics

from harness.mcp import RATES
from harness.translation import section_of

BEGIN, END = "<!-- mcp: begin -->", "<!-- mcp: end -->"
CALL_US, ADDED_MS, LISTS, SESSIONS, SESSIONS_MB = 15.0, 0.1, 40_000, 10_000, 100.0


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def cpu(r):
    return r["watch"]["server_cpu_us"] / r["completed"] if r.get("completed") else None


def faults(result):
    """What makes the numbers of kanmon worthless, however fast."""
    results = result["servers"]
    for name in ("kanmon", "kanmon-trained", "kanmon-stdio"):
        if "failed" in results.get(name, {}):
            yield f"{name}: {results[name]['failed']}"
        for r in results.get(name, {}).get("rounds", []):
            sent = 0
            for part, one in r.items():
                if part == "seen":
                    continue
                if one.get("failed") or one.get("wrong") or one.get("broken"):
                    yield (f"{name} {part}: {one.get('failed') or ''} {one.get('wrong')} wrong, "
                           f"{one.get('broken')} broken: {one.get('wrong_body')}")
                if not part.startswith("list"):
                    sent += one.get("answered", 0)
            if name == "kanmon" and sent != r["seen"]:
                yield f"{name}: {sent} calls were answered, the upstream saw {r['seen']}"
        if "sessions_failed" in results.get(name, {}):
            yield f"{name}: idle sessions: {results[name]['sessions_failed']}"
        held = results.get(name, {}).get("sessions")
        if held and held["streams"] != (held["sessions"] + 1) // 2:
            yield f"{name}: {held['streams']} streams of {held['sessions']} sessions opened"


def rounds_of(result, name):
    return result["servers"].get(name, {}).get("rounds", [])


def added(result, name, part, key):
    return median([r[part]["latency"][key] - d[part]["latency"][key]
                   for r, d in zip(rounds_of(result, name), rounds_of(result, "direct"))
                   if r.get(part, {}).get("completed") and d.get(part, {}).get("completed")])


def beyond_relay(result, name, part):
    """CPU a call that is not the kernel's price of standing in between."""
    return median([cpu(r[part]) - cpu(base[part])
                   for r, base in zip(rounds_of(result, name), rounds_of(result, "relay"))
                   if r.get(part, {}).get("completed") and base.get(part, {}).get("completed")])


def value(result, name, part, of):
    return median([of(r[part]) for r in rounds_of(result, name) if r.get(part, {}).get("completed")])


def table(result):
    """Rows: a title, its unit, and the value of a server."""
    rates = [(f"calls{rate}", f"{rate:,} a second") for rate in RATES]
    if result["common"]:
        rates.insert(0, ("common", f"{result['common']:,} a second"))
    for part, words in rates:
        yield f"CPU a call, {words}", "µs", lambda n, p=part: value(result, n, p, cpu)
        yield (f"CPU a call beyond the bare relay's, {words}", "µs",
               lambda n, p=part: beyond_relay(result, n, p))
        for key, which in (("p50_us", "p50"), ("p99_us", "p99")):
            yield (f"Added latency {which}, {words}", "µs",
                   lambda n, p=part, k=key: added(result, n, p, k))
    yield "Calls a second, 32 connections", "", lambda n: value(
        result, n, "closed", lambda r: r["completed"] / r["watch"]["seconds"])
    yield "CPU a call, 32 connections", "µs", lambda n: value(result, n, "closed", cpu)
    for tools in (10, 500):
        yield (f"CPU a list of {tools} tools", "µs",
               lambda n, t=tools: value(result, n, f"list{t}", cpu))
        yield (f"Lists of {tools} tools a second, one core full", "",
               lambda n, t=tools: value(result, n, f"list{t}", lambda r: 1e6 / cpu(r)))


def number(v):
    return "" if v is None else f"{v:,.0f}" if abs(v) >= 100 else f"{v:.1f}"


def verdicts(result):
    """[what, measured or None, words of the bound, reached]."""
    call = value(result, "kanmon", "calls5000", cpu)
    late = added(result, "kanmon", "calls1000", "p50_us")
    lists = value(result, "kanmon", "list10", lambda r: 1e6 / cpu(r))
    held = result["servers"].get("kanmon", {}).get("sessions")
    mb = held["after"]["private"] / 1e6 if held else None
    rows = (("CPU a call to an HTTP upstream, 5,000 a second, µs", call, f"at most {CALL_US:.0f}",
             lambda v: v <= CALL_US),
            ("Added latency p50, 1,000 a second, ms", late and late / 1000, f"below {ADDED_MS}",
             lambda v: v < ADDED_MS),
            ("Cached lists of ten tools a second on one core", lists, f"at least {LISTS:,}",
             lambda v: v >= LISTS),
            (f"Private memory with {held['sessions'] if held else SESSIONS:,} idle sessions, MB", mb,
             f"at most {SESSIONS_MB:.0f}", lambda v: v <= SESSIONS_MB))
    return [(what, v, bound, v is not None and ok(v)) for what, v, bound, ok in rows]


def markdown(result, facts):
    results = result["servers"]
    names = [n for n in results if "failed" not in results[n]]
    lines = [BEGIN, "## What a call of an MCP tool costs", "",
             f"Made by `bench/run --mcp` on {facts['date']} at commit {facts['commit']}; "
             f"{result['rounds']} interleaved rounds, medians. The upstream is an echo server in C "
             "with ten tools and with 500; it and the load generator have one core, the gateway "
             "the other. Calls carry 220 bytes and get them back. “Added” is the "
             "difference to no gateway at all in the same rounds; the bare relay passes bytes on "
             "unread, so that what it takes is the kernel's and what is beyond it the gateway's own.",
             "",
             "| | " + " | ".join(results[n]["title"] for n in names) + " |",
             "|---|" + "---:|" * len(names)]
    for title, unit, of in table(result):
        cells = ["" if n == "direct" and (title.startswith("Added") or "CPU" in title or
                                          "one core full" in title) else number(of(n))
                 for n in names]
        lines.append(f"| {title}{', ' + unit if unit else ''} | " + " | ".join(cells) + " |")
    for name in names:
        held = results[name].get("sessions")
        if held:
            more = held["after"]["private"] - held["before"]["private"]
            lines += ["", f"{held['sessions']:,} idle sessions of {results[name]['title']}, "
                      f"{held['streams']:,} with an open GET stream: "
                      f"{held['after']['private'] / 1e6:.1f} MB of private memory in all, "
                      f"{more / held['sessions'] / 1000:.1f} KB a session."]
    lines += ["", "| | measured | | |", "|---|---:|---|---|"]
    for what, measured, bound, ok in verdicts(result):
        figure = "–" if measured is None else f"{measured:,.{0 if measured >= 100 else 2}f}"
        word = "not measured" if measured is None else "reached" if ok else "**not reached**"
        lines.append(f"| {what} | {figure} | {bound} | {word} |")
    lines.append("")
    for name in results:
        one = results[name]
        title = f"{one['title']} {one.get('version', '')}".strip()
        lines.append(f"- **{title}**: {one.get('failed') or one['note']}")
    return "\n".join([*lines, "", END, ""])


def kept(page):
    """The section as it stands on a page, or nothing."""
    return section_of(page, BEGIN, END)


def put(page, section):
    """The page with this section in place of the one that it had."""
    old = kept(page)
    return page.replace(old, section) if old else page.rstrip("\n") + "\n\n" + section
