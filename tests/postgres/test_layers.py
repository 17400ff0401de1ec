# SPDX-License-Identifier: Apache-2.0
"""Which layer holds: every hostile line with each layer left out in turn, as a role that may only
SELECT.  Whatever is left out, nothing of the database may change; the table says who stopped what."""

import collections
import json
import subprocess

from gateway import binary, slow_factor

from conftest import lines_of, sanitizers

LAYERS = ["none", "guard", "lookup", "read_only", "rollback"]
# Nothing can interrupt these, nor the lines that say so: the one would keep a processor busy for
# hours without the guard, the other is cut after six seconds, as test_gates.py sees.
NEVER = ("gen_salt('bf',31)", "'%1000000000s'")


def run(postgres, layer, statements):
    tool = binary().parent / "tests" / "postgres" / "pg_layers"
    ran = subprocess.run([str(tool), postgres.dsn(), layer], text=True, capture_output=True,
                         input="".join(json.dumps(s) + "\n" for s in statements),
                         timeout=120 * slow_factor(), env=sanitizers())
    assert ran.returncode == 0, ran.stderr
    answers = [line.split()[0] for line in ran.stdout.splitlines()]
    assert len(answers) == len(statements)
    return answers


def test_each_layer_left_out_in_turn(postgres, capsys):
    lines = [(sql, why) for name in ("hostile.tsv", "hostile-more.tsv")
             for sql, why in lines_of(name) if not any(word in sql for word in NEVER)
             and not why.startswith(("[L1 uninterruptible", "[L1 XPath"))]
    before = postgres.state()
    table = {}
    for layer in LAYERS:
        if layer == "lookup":  # what only time and size stop is the same from here on
            lines = [(sql, why) for sql, why in lines if not why.startswith("[L6")]
        answers = run(postgres, layer, [sql for sql, _ in lines])
        table[layer] = collections.Counter(answers)
        assert postgres.state() == before, f"without {layer} something changed"
        if layer != "guard":
            for answer, (sql, why) in zip(answers, lines):
                assert answer == "guard" or not why.startswith("[L1"), (layer, sql, answer)
        if layer == "none":
            for answer, (sql, why) in zip(answers, lines):
                assert answer != "ran" or not why.startswith("[L2"), sql
    # Without the guard some do run: that is why it is there.
    assert table["guard"]["ran"] > 0 and table["none"]["guard"] > 250
    kinds = ["guard", "lookup", "server", "client", "cut", "ran"]
    with capsys.disabled():
        print("\nhostile lines, stopped by:")
        print(f"{'left out':<10}" + "".join(f"{kind:>8}" for kind in kinds))
        for layer, count in table.items():
            print(f"{layer:<10}" + "".join(f"{count[kind]:>8}" for kind in kinds))
