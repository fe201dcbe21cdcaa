"""On which machine was it measured, and can it be measured here at all?"""

import os
import pathlib
import platform
import time

from comparison.workplace import Failure, run

IDLE = 0.5  # a load up to this is no other work


def mount_entry(path):
    """Returns the line of /proc/self/mountinfo for the file system that `path` is on, as fields; None if there is none."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        if line.split()[2] == wanted:
            return line.split()[2], line.partition(" - ")[2].split()
    return None


def file_system(path):
    """Returns (type, has a journal) of the file system that `path` is on; None instead of a bool where we can't know."""
    found = mount_entry(path)
    if found is None:
        return "unknown", None
    number, (kind, *_) = found
    if kind != "ext4":
        return kind, None
    device = pathlib.Path(f"/sys/dev/block/{number}").resolve().name
    return kind, any(entry.name.startswith(f"{device}-") for entry in pathlib.Path("/proc/fs/jbd2").glob("*"))


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe(options):
    kind, journal = file_system(options.directory)
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": os.uname().release,
        "file_system": kind + {True: " with a journal", False: " without a journal", None: ""}[journal],
        "load_before": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d"),
        "concordfs": run([options.program, "--version"]).strip(),
        "git": run(["git", "--version"]).strip(),
    }


def sentence(machine):
    busy = f"; busy with other things, too (load {machine['load_before']:.0f})" if machine["load_before"] > IDLE else ""
    return (f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; Linux {machine['kernel']}; "
            f"{machine['file_system']}; {machine['concordfs']}, {machine['git']}; {machine['date']}{busy}")


def check(options):
    """Raises Failure if something is missing here; returns warnings."""
    if not os.access(options.program, os.X_OK):
        raise Failure(f"{options.program}: no such program; cmake --preset release && "
                      "cmake --build --preset release --target concordfs_compare")
    for name in ("save", "read", "commit"):
        client = options.clients / f"concordfs_{name}_client"
        if not os.access(client, os.X_OK):
            raise Failure(f"{client}: no such program; cmake --build --preset release --target concordfs_compare")
    if os.geteuid() != 0:
        raise Failure("needs root: to mount, and to empty the machine's caches for the cold reads")
    if not os.path.exists("/dev/fuse"):
        raise Failure("/dev/fuse: not there; modprobe fuse, or give the container the device")
    if not options.directory.is_dir():
        raise Failure(f"{options.directory}: no such directory")
    warnings = []
    kind, journal = file_system(options.directory)
    if journal is False:
        warnings.append(f"{options.directory} is on an {kind} without a journal, where creating files crawls after many were "
                        "deleted; choose another with --directory")
    if kind in ("tmpfs", "ramfs"):
        warnings.append(f"{options.directory} is in memory: no disk is measured")
    if os.getloadavg()[0] > IDLE:
        warnings.append(f"the machine has other things to do (load {os.getloadavg()[0]:.1f}): trust ratios and processor times")
    return warnings
