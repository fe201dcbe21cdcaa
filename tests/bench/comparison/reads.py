"""Reading a tree: the same files on the disk and in the mount, warm and cold."""

import statistics
import time

from comparison.samples import median_ratio
from comparison.shapes import SHAPES, copy_of, files_of, make_repository
from comparison.tables import Table, number, times
from comparison.workplace import children_s, drop_caches, processor_s, run


class Reads:
    """What is done to a directory; each returns microseconds for one file: elapsed, and of processor time."""

    def __init__(self, place, shape, mount):
        self.place = place
        self.shape = shape
        self.mount = mount
        self.paths = place.list_of(shape.paths())

    def daemon(self, directory):
        return self.mount.pid if directory == self.mount.path else None

    def command(self, words, accepted, directory):
        daemon = self.daemon(directory)
        before_s = children_s() + (processor_s(daemon) if daemon else 0)
        began = time.perf_counter()
        run(words, accepted)
        took_s = time.perf_counter() - began
        used_s = children_s() + (processor_s(daemon) if daemon else 0) - before_s
        return took_s * 1e6 / self.shape.count, used_s * 1e6 / self.shape.count

    def client(self, what, directory):
        report, = self.place.run_clients([[self.place.client("read"), "--do", what, "--directory", directory,
                                           "--paths", self.paths]], daemon=self.daemon(directory))
        return report["latencies_us"]["operation"][0], report["processor_s"] * 1e6 / report["operations"]

    def grep(self, directory):
        return self.command(["grep", "-rF", "no such text in it", directory], (1,), directory)

    def find(self, directory):
        return self.command(["find", directory, "-size", "+1000k"], (0,), directory)

    def stat(self, directory):
        return self.client("stat", directory)

    def read(self, directory):
        return self.client("read", directory)

    def walk(self, directory):
        return self.client("walk", directory)


WHAT = {"grep": "`grep -r`", "find": "`find -size`", "stat": "stat of each path", "read": "open, read, close",
        "walk": "readdir and lstat of all, as `git status`"}


def measure(place, options):
    """Returns {shape: {"warm" | "cold": {what: figures}}}; times are microseconds for a file."""
    result = {}
    for shape_name in ("M",) if options.quick else ("M", "L"):
        with place.folder("reads"):
            place.progress(f"reads, {shape_name}: making both trees")
            result[shape_name] = measure_shape(place, options, SHAPES[shape_name])
    return result


def measure_shape(place, options, shape):
    origin = make_repository(place, "origin", shape)
    disk = files_of(place, origin)
    mount = place.new_mount(copy_of(place, origin))
    reads = Reads(place, shape, mount)

    def cold(what, directory):
        if directory == mount.path:
            mount.unmount()
        drop_caches()
        if directory == mount.path:
            mount.mount()
        return getattr(reads, what)(directory)

    def warm(what, directory):
        return getattr(reads, what)(directory)

    mount.mount()
    result = {}
    for temperature, once in (("cold", cold), ("warm", warm)):
        place.progress(f"reads, {shape.name}: {temperature}")
        result[temperature] = {}
        for what in WHAT:
            rounds = []
            if temperature == "warm":
                for directory in (disk, mount.path):
                    once(what, directory)
            for number_of_round in range(options.rounds):
                pair = (disk, mount.path) if number_of_round % 2 == 0 else (mount.path, disk)
                rounds.append({directory: once(what, directory) for directory in pair})
            result[temperature][what] = figures([of_round[disk] for of_round in rounds],
                                                [of_round[mount.path] for of_round in rounds])
    mount.unmount()
    return result


def figures(of_disk, of_mount):
    """Makes the figures of the rounds' (elapsed, processor) pairs."""
    return {"disk_us": statistics.median(took for took, _ in of_disk),
            "mount_us": statistics.median(took for took, _ in of_mount),
            "ratio": median_ratio([(mount[0], disk[0]) for mount, disk in zip(of_mount, of_disk)]),
            "cpu_ratio": median_ratio([(mount[1], disk[1]) for mount, disk in zip(of_mount, of_disk)])}


def tables(result):
    for shape_name, of_shape in result.items():
        rows = []
        for what, title in WHAT.items():
            cold, warm = of_shape["cold"][what], of_shape["warm"][what]
            rows.append([title, *[cell for figure in (cold, warm) for cell in
                                  (number(figure["disk_us"]), number(figure["mount_us"]), times(figure["ratio"]),
                                   times(figure["cpu_ratio"]))]])
        yield Table(f"Reading {SHAPES[shape_name].title}, us for each file",
                    ["", "cold: disk", "mount", "ratio", "processor", "warm: disk", "mount", "ratio", "processor"], rows,
                    "ratio: elapsed time, mount over disk; processor: the same of processor time, the daemon's included")
