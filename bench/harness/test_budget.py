# SPDX-License-Identifier: Apache-2.0
"""What is judged of counted instructions, and what of a profile is counted."""
import os
import tempfile
import unittest

from harness import budget

PROFILE = """\
events: Ir

ob=(1) /x/build/release/kanmon
fl=(1) call/account.c
fn=(1) km_call_new
12 100
+3 20
cob=(2) /usr/lib/x86_64-linux-gnu/libcrypto.so.3
cfi=(2) ???
cfn=(2) SHA256
calls=1 0
* 5000

ob=(2)
fn=(2)
0 5000

ob=(3) /usr/lib/x86_64-linux-gnu/libc.so.6
fn=(3) malloc
0 7

totals: 5127
"""


class Budget(unittest.TestCase):
    def test_what_is_spent_is_counted_once_and_without_libcrypto(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "callgrind.out.1")
            with open(path, "w", encoding="utf-8") as f:
                f.write(PROFILE)
            self.assertEqual(budget.own_instructions(path), 127)

    def test_within_the_slack_nothing_is_said(self):
        self.assertEqual(list(budget.judge({"chat": 1000}, {"chat": 1029})), [])
        self.assertEqual(list(budget.judge({"chat": 1000}, {"chat": 971})), [])

    def test_more_fails_and_less_lowers_the_line(self):
        self.assertIn("raise the line", *budget.judge({"chat": 1000}, {"chat": 1031}))
        self.assertIn("lower the budget", *budget.judge({"chat": 1000}, {"chat": 969}))

    def test_a_path_without_a_line_and_a_line_without_a_path_fail(self):
        self.assertEqual(len(list(budget.judge({"old": 1}, {"new": 1}))), 2)


if __name__ == "__main__":
    unittest.main()
