"""Commits a second: all ways of saving on all shapes, in turns."""

from comparison.peers import Rclone
from comparison.samples import median_ratio, summary
from comparison.shapes import SHAPES, make_repository
from comparison.tables import Table, number, times
from comparison.ways import WAYS as OURS

WAYS = {**OURS, Rclone.name: Rclone}
REFERENCE = "libgit2"
SYNC = ("libgit2 sync", "engine sync")


def measure(place, options):
    """Returns {shape: {way: figures}}."""
    result = {}
    names = options.ways or [name for name in WAYS if not (options.quick and name in SYNC)]
    if Rclone.name in names and not Rclone.installed():
        place.progress("commits, rclone: not installed")
        names = [name for name in names if name != Rclone.name]
    for shape_name in options.shapes or SHAPES:
        shape = SHAPES[shape_name]
        with place.folder("commits"):
            place.progress(f"commits, {shape_name}: making the repository")
            origin = make_repository(place, "origin", shape)
            ways = [WAYS[name](place, shape, origin) for name in names]
            for way in ways:
                way.setup()
            place.progress(f"commits, {shape_name}: {options.rounds} rounds of {len(ways)} ways")
            rounds = []
            for round_number in range(options.rounds):
                # Who goes first changes, for all pay for what the one before left to be written.
                order = ways if round_number % 2 == 0 else ways[::-1]
                rounds.append({way.name: way.measure(options.seconds, round_number + 1) for way in order})
            for way in ways:
                way.tear_down()
        result[shape_name] = figures(rounds, names)
    return result


def figures(rounds, names):
    result = {}
    for name in names:
        result[name] = summary([of_round[name] for of_round in rounds])
        result[name]["times_libgit2"] = median_ratio(
            [(of_round[name].rate, of_round[REFERENCE].rate) for of_round in rounds if REFERENCE in of_round])
    return result


def tables(result):
    shapes = list(result)
    names = list(next(iter(result.values())))

    def table(title, show, note=""):
        return Table(title, ["way", *shapes], [[name, *[show(result[shape][name]) for shape in shapes]] for name in names], note)

    failed = {name: failures for of_shape in result.values() for name, figure in of_shape.items()
              if (failures := figure["failures"])}
    yield table("Commits per second (medians)", lambda figure: number(figure["per_s"]),
                f"Saves that failed: {failed}" if failed else "")
    if REFERENCE in names:
        yield table("Times libgit2's ordinary way (medians of the rounds' ratios)",
                    lambda figure: times(figure["times_libgit2"]))
    yield table("Processor time of a commit, all processes, us", lambda figure: number(figure["cpu_us"]))
    yield table("Latency of a save, p50 / p99, us", lambda figure: f"{number(figure['p50_us'])} / {number(figure['p99_us'])}")
