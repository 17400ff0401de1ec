# SPDX-License-Identifier: Apache-2.0
"""What must hold of a call's money, whatever ended it: check(case, books, left) says what does not.

    reported            booked as it stands, also above what was reserved, and then marked so
    an estimate         never above what was reserved, never nothing when the vendor had the request
    refused             4xx other than 408 and 499, 503 and 529, before any output: nothing
    one call, one row   and the rows, the key's spend and the sums by day are the same
    nothing stays       what a call reserved is free again when it has ended; after a crash the rest of it
                        is a hold that can be seen
"""

import world

NEAR = 1e-9
# What a probe of what is left cannot tell: a token of its bound, and its own few bytes.
PROBE_NEAR = world.PROBE + 800 * world.INPUT


def number(text):
    """What a raw JSON text says of tokens, if that can be."""
    return int(text) if text.isdigit() and len(text) < 12 else None


def reported(case, entry):
    """(in, out) as it was said, if it can be; else None."""
    plan = case.plan
    if not entry.reports or plan.reports in ("null", "absent"):
        return None
    came, went = plan.reports if isinstance(plan.reports, tuple) else (None, None)
    came = plan.prompt if came is None else number(came)
    went = plan.words if went is None else number(went)
    if came is None or went is None or came > most_input(case, entry):
        return None
    most = 2 * (case.bound or case.kind.most_output)
    return (came, went) if went <= most or not case.kind.writes else None


def most_input(case, entry):
    """What can be said to have gone in: as many tokens as bytes, and some; of a recording more."""
    return 10_000_000 if case.kind.dialect == "transcription" else len(entry.body) + 4096


def media(case):
    return case.kind.dialect in ("images", "transcription")


def expected_rows(case):
    if case.answer is None and not case.plan.entries:
        return 0
    if not case.plan.entries:
        return 0 if case.answer is None or case.answer.status is None else 1
    return 1 + (len(case.entries()) > 1 and case.kind.rows > 1)


def call_rows(case, books):
    return [r for r in books.rows(case.key) if "probe-" not in str(r["model_group"])
            and (r["call_type"] != "_arealtime_session" or r["spend"])]  # it has answers' rows beside it


def check_sums(case, rows, books):
    total = sum(r["spend"] for r in rows)
    if abs(total - books.spend(case.key)) > NEAR:
        yield f"the rows are {total:.9f}, the key's spend {books.spend(case.key):.9f}"
    if abs(total - books.daily_spend(case.key)) > NEAR:
        yield f"the rows are {total:.9f}, the day's sum {books.daily_spend(case.key):.9f}"


def check_exact(case, row, said):
    cost = case.kind.cost(*said) if case.kind.cost and case.kind.counts else (
        case.kind.cost_of(case, case.plan.entries[-1]))
    if abs(row["spend"] - cost) > NEAR:
        yield f"{cost:.9f} was reported, {row['spend']:.9f} is booked"
    if case.kind.counts and row["estimated"]:
        yield "what was reported is called an estimate"
    if case.kind.counts and case.kind.writes and (
            row["prompt_tokens"], row["completion_tokens"]) != said:
        yield f"{said} was reported, {row['prompt_tokens'], row['completion_tokens']} is booked"
    surely_less = case.kind.cost(len(case.plan.entries[-1].body) / 8, case.bound or 0) if (
        case.kind.cost and case.kind.counts) else cost
    if cost > case.kind.most(case) + NEAR and row.get("over_reserved") is not True:
        yield f"{cost:.9f} is above any reservation, and not marked over_reserved"
    if case.bound and cost < surely_less and row.get("over_reserved"):
        yield f"{cost:.9f} is marked over_reserved, and was not"


def check_estimate(case, rows, total):
    most = case.kind.most(case)
    if total <= 0:
        yield "it was sent and costs nothing"
    if total > most + NEAR:
        yield f"an estimate of {total:.9f}, of at most {most:.9f} that was reserved"
    if case.kind.counts and not any(r["estimated"] for r in rows):
        yield "an estimate that is not marked as one"
    heard = seen_tokens(case) if case.ending.client != "killed" else 0
    if case.kind.counts and heard and sum(r["completion_tokens"] for r in rows) < heard // 2:
        yield f"{heard} tokens reached the client, {rows[0]['completion_tokens']} are booked"
    if case.kind.counts and case.kind.writes and not media(case) and not any(
            r["prompt_tokens"] for r in rows):
        yield "nothing that went in is booked"


def seen_tokens(case):
    """Tokens of text that the client has: a few of the words that the vendor writes stand apart."""
    if case.answer is None or not case.answer.body or not case.stream or not case.kind.writes:
        return 0
    if case.kind.dialect in ("invoke", "converse") and case.kind.name.startswith("prefix"):
        return 0
    text = case.answer.body
    return min(text.count(b'" ') + text.count(b'": " '), *(e.written for e in case.plan.entries or []),
               case.bound or 10**9) if case.plan.entries else 0


def check_crash(case, row, total, books):
    if not (row["incomplete"] and row["estimated"]):
        yield "what a crash left open is not marked incomplete and estimated"
    for name in ("api_key", "model", "model_id") if case.kind.counts else ("api_key",):
        if not row[name]:
            yield f"what a crash left open has no {name}"
    held = books.held(case.key)
    if held is None:
        yield "there is no list of what is held"
    elif held + total > case.kind.most(case) + NEAR:
        yield f"{total:.9f} is charged and {held:.9f} held, {case.kind.most(case):.9f} was reserved"


def check_left(case, rows, books, left):
    held = books.held(case.key) or 0.0
    free = world.BUDGET - sum(r["spend"] for r in rows) - held
    if left is None:
        yield "what is left of the key could not be asked: nothing was sent"
    elif left < min(free, world.UNBOUNDED * world.PROBE) - PROBE_NEAR:
        yield f"{left:.6f} is left of the key, {free:.6f} should be"


def check(case, books, left):
    rows = call_rows(case, books)
    entries = case.plan.entries
    total = sum(r["spend"] for r in rows)
    found = list(check_sums(case, rows, books))
    least, most = (1, 1) if entries and case.kind.rows == 1 else (0, case.kind.rows)
    if not least <= len(rows) <= most:
        found.append(f"{len(rows)} rows")
    if not entries:
        if total:
            found.append(f"the vendor never saw it, it costs {total:.9f}")
        if case.ending.world != "hasty" and case.kind.dialect != "mcp":  # whose server may be down
            found.append("the vendor never saw it, so this shows nothing")
        return found + list(check_left(case, rows, books, left))
    last = entries[-1]
    if case.kind.rows > 1:
        found += check_inner(case, rows, total)
    elif last.refused:
        if total:
            found.append(f"the vendor refused it with {last.status}, it costs {total:.9f}")
    elif not rows:
        found.append("it has no row")
    elif case.ending.world in ("killed", "lost"):
        found += [*check_crash(case, rows[0], total, books), *check_estimate(case, rows, total)]
    else:
        found += check_end(case, rows, total, last)
    return found + list(check_left(case, rows, books, left))


def check_end(case, rows, total, last):
    said = reported(case, last)
    if last.outcome == "whole" and (said or not case.kind.counts):
        return check_exact(case, rows[0], said)
    may_know = said and last.known and last.outcome != "whole"
    if may_know and not rows[0]["estimated"]:
        return check_exact(case, rows[0], said)
    return check_estimate(case, rows, total)


def check_inner(case, rows, total):
    """A chat that runs tools: the sum of what its parts are billed, where all of them are known."""
    parts = case.entries()
    tools = case.inner.entries
    if all(e.outcome == "whole" for e in parts) and len(parts) == 3:
        true = sum(case.kind.cost(*e.billed) for e in case.plan.entries) + world.TOOL * len(tools)
        if abs(true - total) > NEAR:
            yield f"its parts cost {true:.9f}, {total:.9f} is booked"
        return
    if all(e.refused for e in parts):
        if total:
            yield f"the vendor refused it, it costs {total:.9f}"
        return
    if total <= 0:
        yield "it was sent and costs nothing"
    if total > case.kind.most(case) + NEAR:
        yield f"{total:.9f}, of at most {case.kind.most(case):.9f} that was reserved"
