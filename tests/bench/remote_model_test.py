"""The simulation for sizing: what it must say where the answer is known."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("remote_model", str(pathlib.Path(__file__).with_name("remote_model")))
MODEL = importlib.util.module_from_spec(importlib.util.spec_from_loader("remote_model", LOADER))
LOADER.exec_module(MODEL)


def simulate(machines, agents, round_trip_ms, *arguments):
    return MODEL.World(MODEL.parse_arguments([*arguments]), machines, agents, round_trip_ms).run()


class RemoteModel(unittest.TestCase):
    def test_one_agent_waits_for_a_round_trip_and_the_servers_time(self):
        figures = simulate(1, 1, 100, "--push-ms", "15", "--commit-ms", "1", "--client-ms", "2")
        self.assertAlmostEqual(figures["per_s"], 1 / (0.100 + 0.015 + 0.001 + 0.002), delta=0.5)  # and the room that it leaves
        self.assertEqual(figures["lost"], 0)

    def test_who_pauses_waits_for_three_round_trips(self):
        figures = simulate(1, 1, 100, "--pause-ms", "60000", "--seconds", "6000")
        self.assertAlmostEqual(figures["p50_ms"], 300 + 3 + 11 + 2 + 2, delta=1)

    def test_agents_of_one_machine_share_a_push(self):
        figures = simulate(1, 16, 100)
        self.assertEqual(figures["per_push"], 16)

    def test_machines_lose_races_and_nobody_is_refused_for_another_path(self):
        figures = simulate(4, 4, 20, "--pause-ms", "1000")
        self.assertGreater(figures["lost"], 0.2)
        self.assertEqual(figures["refused_per_s"], 0)

    def test_one_path_of_all_is_refused_and_saved_again(self):
        figures = simulate(4, 4, 20, "--pause-ms", "2000", "--hot", "1")
        self.assertGreater(figures["refused_per_s"], 1)
        self.assertEqual(figures["failed_per_s"], 0)

    def test_the_same_seed_says_the_same(self):
        self.assertEqual(simulate(3, 2, 20, "--pause-ms", "500"), simulate(3, 2, 20, "--pause-ms", "500"))


if __name__ == "__main__":
    unittest.main()
