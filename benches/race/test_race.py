"""The arithmetic and the refusals of a race: `python -m unittest discover -s benches/race`, no package needed."""

import argparse
import decimal
import os
import pathlib
import tempfile
import unittest

import answers
import machine
import race
import report


def run(cpu_seconds, peak_mb=100.0):
    return {"cpu_seconds": cpu_seconds, "wall_seconds": 1.0, "other_cores": 0.0, "peak_mb": peak_mb, "idle_mb": 50.0}


def raced(query, **races):
    return [{"query": query, "races": [race.summary(peer, pairs) for peer, pairs in races.items()]}]


class Answers(unittest.TestCase):
    def test_order_of_rows_and_kind_of_number_do_not_matter(self):
        one = [("purchase", 2, decimal.Decimal("10.50"), None), ("login", 1, 0, None)]
        other = [("login", "1", "0", None), ("purchase", 2.0, 10.5, None)]
        self.assertEqual(answers.checksum(one), answers.checksum(other))

    def test_one_user_more_is_another_answer(self):
        self.assertNotEqual(answers.checksum([(4, 8539)]), answers.checksum([(4, 8540)]))

    def test_an_unknown_is_not_zero(self):
        self.assertNotEqual(answers.checksum([(None,)]), answers.checksum([(0,)]))


class Figures(unittest.TestCase):
    def test_the_figure_is_the_median_of_the_ratios_of_the_pairs(self):
        ours, theirs = [1.0, 1.2, 0.8, 5.0, 0.9], [2.0, 2.0, 2.0, 2.0, 1.0]
        figure = race.summary("duckdb", [{"ours": run(a), "peer": run(b)} for a, b in zip(ours, theirs)])
        self.assertAlmostEqual(figure["cpu_ratio"], 0.6)
        self.assertEqual(figure["cpu_ratio_range"], [0.4, 2.5])

    def test_a_target_is_judged_against_the_fastest_peer(self):
        setting = {"layout": "flat", "events": 20_000_000, "threads": 2}
        slow, fast = [{"ours": run(0.95), "peer": run(9.0)}], [{"ours": run(0.85), "peer": run(1.0)}]
        [verdict] = race.judged(raced("Q2", polars=slow, clickhouse=fast), setting)
        self.assertEqual(verdict["peer"], "clickhouse")
        self.assertTrue(verdict["met"], "0.85 is within a tenth of 0.8")

    def test_more_memory_than_the_peer_misses_the_target(self):
        setting = {"layout": "flat", "events": 20_000_000, "threads": 2}
        [verdict] = race.judged(raced("Q2", duckdb=[{"ours": run(0.5, 101.0), "peer": run(1.0)}]), setting)
        self.assertFalse(verdict["met"])

    def test_a_peer_with_a_table_of_its_own_is_judged_by_its_own_target_alone(self):
        setting = {"layout": "clustered", "events": 20_000_000, "threads": 2}
        pairs = {"clickhouse-sorted": [{"ours": run(0.9), "peer": run(0.5)}],
                 "duckdb": [{"ours": run(0.9), "peer": run(9.0)}]}
        verdicts = {verdict["peer"]: verdict["met"] for verdict in race.judged(raced("Q2", **pairs), setting)}
        self.assertEqual(verdicts, {"duckdb": True, "clickhouse-sorted": False})

    def test_memory_above_idle_is_judged_where_a_target_names_it(self):
        setting = {"layout": "clustered", "events": 20_000_000, "threads": 2}
        heavy = [{"ours": run(0.1, 50.0 + 151.0), "peer": run(9.0, 1000.0)}]
        [verdict] = race.judged(raced("Q2", duckdb=heavy), setting)
        self.assertFalse(verdict["met"])

    def test_another_lake_has_no_target(self):
        setting = {"layout": "flat", "events": 2_000_000, "threads": 2}
        self.assertEqual(race.judged(raced("Q2", duckdb=[{"ours": run(9.0), "peer": run(1.0)}]), setting), [])


class Machine(unittest.TestCase):
    def test_the_cost_of_this_process_is_what_its_own_clock_says(self):
        _, cost = machine.measured(os.getpid(), lambda: sum(range(2_000_000)))
        self.assertGreater(cost.cpu_seconds, 0.0)
        self.assertLess(cost.cpu_seconds, cost.wall_seconds * 1.5)

    def test_the_most_a_process_held_is_at_least_what_it_holds(self):
        self.assertGreaterEqual(machine.memory_mb(os.getpid(), "VmHWM"), machine.memory_mb(os.getpid(), "VmRSS"))

    def test_a_machine_makes_a_file_name(self):
        box = {"cpu": "Intel(R) Xeon(R) CPU @ 2.20GHz", "cores": 2, "memory_gb": 23.5}
        self.assertEqual(machine.slug(box), "intel-xeon-2c-24g")


class Refusals(unittest.TestCase):
    def test_a_folder_without_events_is_no_lake(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(race.CannotRace, "make_lake.py --out"):
            race.checked_lake(argparse.Namespace(lake=folder))

    def test_a_busy_machine_is_refused_unless_forced(self):
        quiet, race.QUIET_LOAD = race.QUIET_LOAD, -1.0
        self.addCleanup(setattr, race, "QUIET_LOAD", quiet)
        with self.assertRaisesRegex(race.CannotRace, "load average"):
            race.quiet_load(force=False)

    def test_every_query_has_a_peer_query(self):
        for path in pathlib.Path(race.HERE, "queries").glob("*.sql"):
            self.assertIn(race.peer_query(path.stem), race.peers.QUERIES)


class Report(unittest.TestCase):
    def test_answers_that_differ_are_in_the_table_and_are_not_timed(self):
        result = {"queries": [{"query": "Q2", "answers_equal": False, "races": [],
                               "checksums": {"tributary": "aa", "duckdb": "bb"}}], "targets": [], "forced": False}
        self.assertIn("Q2: answers differ, so nothing was timed: tributary aa, duckdb bb.", report.table(result))


if __name__ == "__main__":
    unittest.main()
