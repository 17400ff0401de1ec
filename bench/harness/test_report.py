# SPDX-License-Identifier: Apache-2.0
"""The page says what the numbers say: medians, marks, ratios, goals."""
import unittest

from harness import mcp_page, postgres, report
from harness.servers import Unavailable


def server(title, cpu_us, busy=0.99, share=0.98, **more):
    """A result of three rounds with this much CPU a request."""
    rounds = [{"closed64": {"completed": 1000, "latency": {"p50_us": 5.0}, "watch": {
        "seconds": 1.0, "server_cpu_us": us * 1000, "core_busy": busy, "server_share": share}}}
        for us in cpu_us]
    return {"title": title, "note": "n", "version": "1", "ready_ms": [10.0, 30.0, 20.0],
            "rounds": rounds, **more}


FACTS = {"command": "bench/run", "date": "2026-01-01", "commit": "abc", "cpu": "c", "cores": 2,
         "memory": "1 GiB", "kernel": "6", "rounds": 3, "streams": 100, "streams_wanted": 100,
         "descriptors": 1000}


def cpu(result):
    return report.cpu_per(result, "closed64", "completed")


class TheReport(unittest.TestCase):
    def test_a_figure_is_the_median_of_its_valid_rounds(self):
        result = server("x", [10, 50, 12])
        result["rounds"][1]["closed64"]["watch"]["server_share"] = 0.5
        self.assertEqual(cpu(result).value, 11)
        self.assertFalse(cpu(result).marked)

    def test_a_figure_without_a_valid_round_is_marked(self):
        self.assertTrue(cpu(server("x", [10, 50, 12], busy=0.9)).marked)
        self.assertIn("12.0†", report.cell(cpu(server("x", [10, 50, 12], share=0.8)), None))

    def test_latency_with_others_on_the_core_is_marked(self):
        self.assertFalse(report.latency(server("x", [10]), "closed64", "p50_us").marked)
        busy = report.latency(server("x", [10], share=0.3), "closed64", "p50_us")
        self.assertIn("5.00‡", report.cell(busy, None))

    def test_a_ratio_is_taken_within_a_round(self):
        # The machine halves its speed in the second round; the ratio does not move.
        nginx, kanmon = server("n", [10, 20, 10]), server("k", [9, 18, 9])
        self.assertAlmostEqual(cpu(kanmon).ratio(cpu(nginx)), 0.9)

    def test_a_failed_round_counts_for_nothing(self):
        result = server("x", [10, 11, 12])
        result["rounds"][0]["closed64"] = {"failed": "no answer"}
        self.assertEqual(cpu(result).value, 11.5)

    def test_goals_say_reached_or_not(self):
        results = {"nginx": server("nginx", [10, 10, 10]), "kanmon": server("kanmon", [9, 9, 9])}
        self.assertIn("| CPU a request, times nginx's | 0.9 | at most 1 | reached |",
                      report.goal_table(results))
        results["kanmon"] = server("kanmon", [12, 12, 12])
        self.assertTrue(any("1.20" in line and "**not reached**" in line
                            for line in report.goal_table(results)))

    def test_what_was_not_measured_is_said(self):
        page = report.markdown({"nginx": server("nginx", [10]), "bifrost": {
            "title": "Bifrost", "note": "", "unavailable": "it is not there"}}, FACTS)
        self.assertIn("**Bifrost** was not measured: it is not there", page)
        self.assertNotIn("Bifrost |", page)

    def test_a_lost_request_is_a_fault(self):
        count = {"sent": 10, "answered": 10, "upstream": 10}
        self.assertEqual(list(report.faults(server("k", [1], exact_count=count))), [])
        count["upstream"] = 11
        self.assertEqual(len(list(report.faults(server("k", [1], exact_count=count)))), 1)

    def test_money_that_is_not_there_is_a_fault(self):
        count = {"sent": 1, "answered": 1, "upstream": 1, "expected_usd": 1.0, "spend_usd": 0.9,
                 "settled_s": None}
        self.assertEqual(len(list(report.faults(server("k", [1], exact_count=count)))), 1)

    def test_one_that_died_on_the_way_still_has_a_page(self):
        page = report.markdown({"kanmon": server("kanmon", [], broke="round 1: it ended")}, FACTS)
        self.assertIn("**It did not come through**: round 1: it ended", page)


def mcp_round(call_us, p50_us, list_us):
    def one(us, p50=10.0):
        return {"completed": 100, "latency": {"p50_us": p50, "p99_us": 50.0},
                "watch": {"seconds": 1.0, "server_cpu_us": us * 100}}
    return {"calls1000": one(call_us, p50_us), "calls5000": one(call_us, p50_us),
            "closed": one(call_us), "list10": one(list_us), "list500": one(list_us * 9)}


def mcp_result(**kanmon):
    servers = {"direct": [mcp_round(0, 50.0, 0)], "relay": [mcp_round(9, 90.0, 5)],
               "kanmon": [mcp_round(kanmon["call"], kanmon["p50"], kanmon["list"])]}
    return {"servers": {name: {"title": name, "note": "", "rounds": rounds}
                        for name, rounds in servers.items()}, "rounds": 1, "common": 0}


class TheSectionOfMcp(unittest.TestCase):
    def test_each_bound_has_its_line(self):
        result = mcp_result(call=16, p50=120.0, list=20)
        text = mcp_page.markdown(result, FACTS)
        self.assertIn("| 16.00 | at most 15 | **not reached** |", text)
        self.assertIn("| 0.07 | below 0.1 | reached |", text)
        self.assertIn("| 50,000 | at least 40,000 | reached |", text)
        self.assertIn("| Private memory with 10,000 idle sessions, MB | – | at most 100 | "
                      "not measured |", text)

    def test_what_is_beyond_the_bare_relay_is_the_gateways_own(self):
        result = mcp_result(call=16, p50=120.0, list=20)
        self.assertEqual(mcp_page.beyond_relay(result, "kanmon", "calls5000"), 7)
        del result["servers"]["relay"]
        self.assertIsNone(mcp_page.beyond_relay(result, "kanmon", "calls5000"))


LOG = """\
LOG:  execute kb: BEGIN READ ONLY
LOG:  execute ka: SELECT a.*, CASE WHEN a.s = $3 THEN 0 END FROM (SELECT $1, $2) AS a
DETAIL:  parameters: $1 = '30000', $2 = 'it''s', $3 = '1 2'
LOG:  duration: 0.1 ms
LOG:  execute <unnamed>: SELECT abalance FROM pgbench_accounts WHERE aid = 4711
LOG:  execute kr: ROLLBACK
"""
LEASE = """\
-- Said by the server.
\\startpipeline
BEGIN READ ONLY;
@ANCHOR@;
\\endpipeline
@QUERY@;
ROLLBACK;
"""


class TheSectionOfPostgres(unittest.TestCase):
    def test_a_log_is_read_as_statements_with_their_values(self):
        said = postgres.statements(LOG)
        self.assertEqual([s[0] for s in said], ["kb", "ka", "<unnamed>", "kr"])
        self.assertEqual(said[1][2], ["30000", "it's", "1 2"])

    def test_the_lease_is_the_one_that_the_server_was_told(self):
        text = postgres.script(LEASE, postgres.statements(LOG))
        self.assertIn("SELECT :statement_ms, :lock_ms;", text)
        more = LOG + "LOG:  execute <unnamed>: SELECT pg_sleep(1)\n"
        with self.assertRaises(Unavailable):
            postgres.script(LEASE, postgres.statements(more))

    def test_bounds_are_of_ratios_within_a_round(self):
        def rates(title, *values):
            return {"title": title, "note": "n", "rates": list(values)}

        result = {"rounds": 3, "new": {300: 1.2, 1000: 240.0}, "servers": {
            "kanmon": rates("kanmon", 90, 45, 80), "lease": rates("lease", 100, 50, 100),
            "select": rates("select", 200, 100, 200), "postgres-mcp": rates("postgres-mcp", 1, 1, 1),
            "toolbox": {"title": "toolbox", "note": "n", "rates": [], "failed": "it is away"}}}
        page = postgres.markdown(result, {"uncached": 25.0, "cached": 6.0}, FACTS)
        self.assertIn("| Of the lease by pgbench | 0.90 | at least 0.8 | reached |", page)
        self.assertIn("| Times MCP Toolbox | – | above 1 | not measured |", page)
        self.assertIn("| Guard of a cached one, µs | 6.00 | at most 5 | **not reached** |", page)
        self.assertIn("| A statement not asked before, 300 tables, ms | 1.20 | at most 2 | reached |", page)
        self.assertIn("| A statement not asked before, 1000 tables, ms | 240.00 | at most 2 | "
                      "**not reached** |", page)
        self.assertIn("not measured: it is away", page)
        self.assertEqual(postgres.put("# Page\n", page), postgres.put(postgres.put("# Page\n", page), page))


if __name__ == "__main__":
    unittest.main()
