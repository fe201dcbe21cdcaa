"""What the daemon needs for a large tree of which a part was visited."""

from comparison.growth import tree_of
from comparison.shapes import make_repository
from comparison.tables import Table, number


def measure(place, options):
    files = min(options.most or 1_000_000, 100_000 if options.quick else 1_000_000)
    visited = files // 10
    with place.folder("memory"):
        place.progress(f"memory: making {files:,} files")
        shape = tree_of(files)
        mount = place.new_mount(make_repository(place, "origin", shape))
        mount.mount()
        result = {"files": files, "visited": visited, "fresh_mib": mount.memory_kib("VmRSS") / 1024}
        # Whole directories, as somebody who works in a part of a tree.
        paths = place.list_of(shape.paths()[:visited])
        for what in ("stat", "read"):
            place.progress(f"memory: {what} of {visited:,} of them")
            place.run_clients([[place.client("read"), "--do", what, "--directory", mount.path, "--paths", paths]])
            result[f"{what}_mib"] = mount.memory_kib("VmRSS") / 1024
        result["most_mib"] = mount.memory_kib("VmHWM") / 1024
        result["nodes"] = mount.status()["counters"]["nodes"]
        mount.unmount()
    return result


def tables(result):
    yield Table(f"Memory of the daemon, {result['files']:,} files, {result['visited']:,} visited, MiB",
                ["just mounted", "after stat of the visited", "after reading them", "the most"],
                [[number(result[key]) for key in ("fresh_mib", "stat_mib", "read_mib", "most_mib")]])
