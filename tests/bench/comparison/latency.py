"""How long a close takes when 16 agents save at once, alone and beside git commands on the same repository."""

import shutil
import subprocess
import sys
import threading

from comparison.samples import latencies, median, median_ratio, percentile
from comparison.shapes import SHAPES, make_repository
from comparison.tables import Table, number, times


AGENTS = 16


def _commands(clone):
    return {
        "alone": None,
        # The control: what of a slowdown is merely one process more that wants a processor.
        "beside a busy loop": [sys.executable, "-c", "while True: pass"],
        # From the head that it finds: without one, git 2.39 looks at the refs only after it listed the objects, and calls
        # missing what was committed in between, whoever commits.
        "beside `git fsck --strict`": ["sh", "-c", 'exec git fsck --strict --no-dangling "$(git rev-parse main)"'],
        "beside `git log`": ["git", "log", "--stat", "-n", "2000", "main"],
        "beside `git clone`": ["git", "clone", "--quiet", "--bare", "--no-local", ".", clone],
        "beside `git gc`": ["git", "gc", "--quiet"],
    }


class Loop:
    """Runs a command again and again beside the saves, on a thread of its own."""

    def __init__(self, command, repository, folder):
        self._command = command
        self._repository = repository
        self._clone = folder / "clone"
        self._output = folder / "output"
        self._stop = threading.Event()
        self._process = None
        self._mutex = threading.Lock()  # guards _process
        self._thread = threading.Thread(target=self._run)
        self.succeeded = 0
        self.failures = []

    def __enter__(self):
        if self._command:
            self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        if not self._command:
            return
        # The busy loop never ends by itself; a command may take its time, for its end is what counts.
        if error[0] is not None or self._command[0] == sys.executable:
            with self._mutex:
                if self._process:
                    self._process.kill()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            shutil.rmtree(self._clone, ignore_errors=True)
            with self._mutex:
                if self._stop.is_set():
                    return
                with open(self._output, "wb") as output:
                    self._process = subprocess.Popen([str(word) for word in self._command], cwd=self._repository,
                                                     stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            if self._process.wait() == 0:
                self.succeeded += 1
            elif not (self._stop.is_set() and self._process.returncode < 0):
                said = self._output.read_text(encoding="utf-8", errors="replace").strip()
                self.failures.append(f"status {self._process.returncode}: {said[-300:]}")


def measure(place, options):
    """Returns {scenario: figures of close, runs and failures of the command}."""
    shape = SHAPES["M"]
    with place.folder("latency"):
        place.progress("latency: making the repository")
        mount = place.new_mount(make_repository(place, "origin", shape, 1_000))
        mount.mount()
        paths = [place.list_of(shape.changed(agent, AGENTS)) for agent in range(AGENTS)]
        scenarios = _commands(place.path / "clone")
        rounds = []
        for round_number in range(options.rounds):
            place.progress(f"latency: round {round_number + 1} of {options.rounds}")
            seen = {}
            for number_of_scenario, (name, command) in enumerate(scenarios.items()):
                seed = (round_number * len(scenarios) + number_of_scenario) * 100
                with Loop(command, mount.repository, place.path) as loop:
                    reports = place.run_clients(
                        [[place.client("save"), "--directory", mount.path, "--paths", paths[agent], "--size", shape.size,
                          "--seed", seed + agent, "--warmup", 3, "--seconds", options.seconds * 2]
                         for agent in range(AGENTS)], [f"agent{agent}" for agent in range(AGENTS)])
                seen[name] = (reports, loop)
            rounds.append(seen)
        mount.unmount()
    return {name: figures(name, rounds) for name in scenarios}


def closes_us(reports):
    return [value for report in reports for value in report["latencies_us"]["close"]]


def figures(name, rounds):
    of_rounds = [of_round[name] for of_round in rounds]
    refused = {}
    for reports, _ in of_rounds:
        for report in reports:
            for what, count in report["failures"].items():
                refused[what] = refused.get(what, 0) + count
    p99_pairs = [(percentile(closes_us(of_round[name][0]), 99), percentile(closes_us(of_round["alone"][0]), 99))
                 for of_round in rounds]
    return {**latencies([value for reports, _ in of_rounds for value in closes_us(reports)]),
            "per_s": median([sum(report["operations"] / report["seconds"] for report in reports) for reports, _ in of_rounds]),
            "p99_ratio": median_ratio(p99_pairs), "failed_saves": refused,
            "succeeded": sum(loop.succeeded for _, loop in of_rounds),
            "command_failures": [failure for _, loop in of_rounds for failure in loop.failures]}


def tables(result):
    rows = []
    notes = []
    for name, figure in result.items():
        command = "" if name in ("alone", "beside a busy loop") else (
            f"{figure['succeeded']} of {figure['succeeded'] + len(figure['command_failures'])}")
        rows.append([name, number(figure["per_s"]), number(figure["p50_us"]), number(figure["p99_us"]),
                     number(figure["max_us"]), times(figure["p99_ratio"]), command])
        notes += [f"{name}: {failure}" for failure in figure["command_failures"][:3]]
        if figure["failed_saves"]:
            notes.append(f"{name}: saves failed: {figure['failed_saves']}")
    yield Table(f"Latency of a close, {AGENTS} agents, us",
                ["", "saves per s", "p50", "p99", "max", "p99 / alone", "runs that succeeded"], rows, "\n".join(notes))
