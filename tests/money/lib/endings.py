# SPDX-License-Identifier: Apache-2.0
"""The ways a call can end: a row each.  How the vendor behaves (a plan, of which the place is drawn),
and what its client and its gateway do.

world: `live`    the gateway goes on
       `hasty`   the same, with short time-outs
       `killed`  SIGKILL when all calls of it hang
       `handed`  another process takes over while they do, and they go on
       `lost`    the same, and the process that has them is killed
"""

from dataclasses import dataclass


@dataclass
class Ending:
    name: str
    plan: dict
    client: str = "stays"   # stays | leaves (when the vendor is silent) | blocked (its key then is)
    world: str = "live"
    place: object = None    # drawn for each case: "any" of the answer's body; None: as the plan says
    only: object = None     # for which (kind, stream)
    bound: object = "drawn"  # of its output
    exhaustive: bool = False  # in the long form at every byte


def streams(kind, stream):
    return stream


def wholes(kind, stream):
    return not stream


def counted(kind, stream):
    return kind.counts and kind.dialect != "invoke" and kind.rows == 1


def writing(kind, stream):
    return counted(kind, stream) and kind.writes and kind.dialect not in ("images", "transcription")


def by_http(kind, stream):
    return kind.dialect != "realtime"


def refusals():
    for status in (400, 404, 408, 413, 422, 429, 499, 500, 502, 503, 504, 529):
        yield Ending(f"status-{status}", {"status": status}, only=by_http)


def nonsense():
    """What is said to have come out, then what is said to have gone in."""
    texts = {"null": "null", "minus": "-5", "1e300": "1e300", "huge": "99999999999999999999",
             "text": '"7"', "fraction": "1.5", "true": "true", "left-out": "left out"}
    for name, text in texts.items():
        yield Ending(f"went-{name}", {"reports": (None, text)}, only=writing)
    for name, text in texts.items():
        if name not in ("null", "left-out"):  # a last report of a stream need not repeat it
            yield Ending(f"came-{name}", {"reports": (text, None)}, only=counted)
    yield Ending("usage-null", {"reports": "null"}, only=counted)
    yield Ending("usage-absent", {"reports": "absent"}, only=counted)
    yield Ending("went-twice-the-bound", {"reports": (None, "901")}, only=writing, bound=300)
    yield Ending("came-more-than-bytes", {"reports": ("5000000", None)}, only=counted)


def floods():
    for ends in ("endless", "gzip", "deep"):
        yield Ending(ends, {"ends": ends}, bound=100,
                     only=lambda kind, stream: kind.dialect not in ("mcp", "speech", "realtime"))


ENDINGS = [
    Ending("answer", {}),
    Ending("answer-in-bytes", {"pieces_of": 7}, only=by_http),
    # More than was reserved, and it can be.
    Ending("over-reserved", {"reports": (None, "590")}, only=writing, bound=300),
    *refusals(),
    Ending("closed-before-head", {"ends": "cut", "at": -1}),
    Ending("reset-before-head", {"ends": "reset", "at": -1}),
    Ending("cut", {"ends": "cut"}, place="any", exhaustive=True),
    Ending("reset", {"ends": "reset"}, place="any"),
    Ending("gone-before-head", {"ends": "hang", "at": -1}, client="leaves"),
    Ending("gone", {"ends": "hang"}, client="leaves", place="any", exhaustive=True),
    Ending("blocked", {"ends": "hang"}, client="blocked", place="any",
           only=lambda kind, stream: kind.dialect != "mcp"),
    Ending("late-head", {"ends": "hang", "at": -1}, world="hasty", only=by_http),
    Ending("frozen", {"ends": "hang"}, world="hasty", place="any", only=by_http),
    *nonsense(),
    *floods(),
    Ending("killed-before-head", {"ends": "hang", "at": -1}, client="killed", world="killed"),
    Ending("killed", {"ends": "hang"}, client="killed", place="any", world="killed"),
    Ending("handed-over-before-head", {"ends": "hang", "at": -1}, client="goes on", world="handed"),
    Ending("handed-over", {"ends": "hang"}, client="goes on", place="any", world="handed"),
    Ending("lost-before-head", {"ends": "hang", "at": -1}, client="killed", world="lost"),
    Ending("lost", {"ends": "hang"}, client="killed", place="any", world="lost"),
]
BY_NAME = {ending.name: ending for ending in ENDINGS}
