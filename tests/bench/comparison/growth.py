"""What a commit costs as the history, or the tree, grows."""

import dataclasses
import pathlib

from comparison.samples import median, percentile
from comparison.shapes import SHAPES, Shape, make_repository, two_deep
from comparison.tables import Table, number, times
from comparison.ways import WAYS

MEASURED = ("libgit2", "engine", "1 agent")
WINDOWS = 10
AGENTS = 4

# Small contents: what is measured are trees and history, and a million files should fit on the disk.
HISTORY_SHAPE = dataclasses.replace(SHAPES["M"], content_size=64)


def measure(place, options):
    histories = (1_000, 100_000) if options.quick else (1_000, 100_000, 1_000_000)
    files = (100, 10_000) if options.quick else (100, 10_000, 1_000_000)
    if options.most:
        histories = tuple(size for size in histories if size <= options.most)
        files = tuple(size for size in files if size <= options.most)
    live = min(options.most or 1_000_000, 20_000 if options.quick else 1_000_000)
    return {"history": side_by_side(place, options, "commits", [(size, HISTORY_SHAPE, size) for size in histories]),
            "files": side_by_side(place, options, "files", [(size, tree_of(size), 1) for size in files]),
            "live": grow_live(place, live)}


def tree_of(files):
    return Shape(f"{files} files", f"{files:,} files", files, two_deep, content_size=64)


def side_by_side(place, options, unit, cases):
    """Returns {size: {way: median microseconds of a commit}}; all sizes and ways take turns."""
    with place.folder("growth"):
        ways = []
        for size, shape, history in cases:
            place.progress(f"growth: making {size:,} {unit}")
            origin = make_repository(place, f"origin-{size}", shape, history)
            for name in MEASURED:
                way = WAYS[name](place, shape, origin)
                way.setup()
                ways.append((size, name, way))
        place.progress(f"growth: {options.rounds} rounds of {len(ways)}")
        seen = {}
        for round_number in range(options.rounds):
            for size, name, way in ways if round_number % 2 == 0 else ways[::-1]:
                sample = way.measure(options.seconds, round_number + 1)
                seen.setdefault((size, name), []).append(percentile(sample.latencies_us, 50))
        for _, _, way in ways:
            way.tear_down()
    return {str(size): {name: median(seen[size, name]) for name in MEASURED} for size, _, _ in cases}


def grow_live(place, commits):
    """Grows one repository through a mount, with whatever the daemon does about it in the background."""
    shape = HISTORY_SHAPE
    with place.folder("growth"):
        mount = place.new_mount(make_repository(place, "origin", shape))
        mount.mount()
        paths = [place.list_of(shape.changed(agent, AGENTS)) for agent in range(AGENTS)]
        windows = []
        for window in range(WINDOWS):
            place.progress(f"growth: {commits:,} commits through a mount, {window * 100 // WINDOWS} %")
            each = commits // WINDOWS // AGENTS
            reports = place.run_clients(
                [[place.client("save"), "--directory", mount.path, "--paths", paths[agent], "--size", shape.size,
                  "--seed", window * AGENTS + agent, "--most", each, "--seconds", 3600] for agent in range(AGENTS)],
                [f"agent{agent}" for agent in range(AGENTS)])
            saves_us = [value for report in reports for value in report["latencies_us"]["save"]]
            failures = sum(sum(report["failures"].values()) for report in reports)
            if not saves_us:
                place.progress(f"growth: ended, no save succeeds any more: {reports[0]['failures']}")
                break
            windows.append({"commits": mount.status()["counters"]["commits"], "failures": failures,
                            "p50_us": percentile(saves_us, 50),
                            "p99_us": percentile(saves_us, 99),
                            "per_s": len(saves_us) / max(report["seconds"] for report in reports),
                            "rss_mib": mount.memory_kib("VmRSS") / 1024, **objects_of(mount.repository)})
        mount.unmount()
    return windows


def objects_of(repository):
    """Returns how many packs and loose objects there are, and MiB of both."""
    objects = pathlib.Path(repository) / "objects"
    packs = list((objects / "pack").glob("*"))
    loose = list(objects.glob("[0-9a-f][0-9a-f]/*"))
    size = 0
    for file in (*packs, *loose):
        try:
            size += file.stat().st_blocks * 512
        except FileNotFoundError:  # the daemon tidied it up meanwhile
            continue
    return {"packs": sum(file.suffix == ".pack" for file in packs), "loose": len(loose), "disk_mib": size / 2**20}


def tables(result):
    for kind, unit in (("history", "commits of history"), ("files", "files")):
        sizes = list(result[kind])
        if not sizes:
            continue
        rows = []
        for name in MEASURED:
            values = [result[kind][size][name] for size in sizes]
            rows.append([name, *[number(value) for value in values], times(values[-1] / values[0])])
        yield Table(f"Microseconds of a commit (medians) with so many {unit}",
                    ["way", *[f"{int(size):,}" for size in sizes], "last / first"], rows)
    yield Table(f"Grown through a mount by {AGENTS} agents",
                ["commits", "per second", "p50 us", "p99 us", "RSS MiB", "packs", "loose", "disk MiB", "failed"],
                [[f"{window['commits']:,}", *[number(window[key]) for key in
                                              ("per_s", "p50_us", "p99_us", "rss_mib", "packs", "loose", "disk_mib", "failures")]]
                 for window in result["live"]])
