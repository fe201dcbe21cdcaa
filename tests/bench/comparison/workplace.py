"""Where everything is measured: a temporary directory, the programs, and what must be ended and unmounted again."""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

# Nothing of this user's or this machine's configuration is measured.
GIT_ENVIRONMENT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "LC_ALL": "C",
                   "GIT_AUTHOR_NAME": "bench", "GIT_AUTHOR_EMAIL": "bench@localhost",
                   "GIT_COMMITTER_NAME": "bench", "GIT_COMMITTER_EMAIL": "bench@localhost"}


class Failure(Exception):
    """What kept us from measuring, in one sentence."""


def run(command, accepted=(0,), **options):
    """Runs a command and returns its standard output. Statuses that aren't in `accepted` are failures."""
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, **options)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from error
    if done.returncode not in accepted:
        said = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n{said}")
    return done.stdout.decode(errors="replace")


def processor_s(pid):
    """Returns the processor time of a process that lives, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_s():
    """Returns the processor time of all children that ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def drop_caches():
    """Empties the caches of the whole machine: pages, names and inodes."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3", encoding="utf-8")


class Mount:
    """A mount of a repository; mounted and unmounted as often as one likes."""

    def __init__(self, place, repository, mountpoint):
        self.place = place
        self.repository = repository
        self.path = mountpoint
        self.pid = None

    def mount(self, *mount_options):
        self.path.mkdir(exist_ok=True)
        run([self.place.concordfs, "mount", *mount_options, self.repository, self.path])
        self.pid = self.status()["pid"]

    def unmount(self):
        self.pid = None
        run([self.place.concordfs, "umount", self.path])

    def status(self):
        return json.loads(run([self.place.concordfs, "status", "--json", self.path]))

    def memory_kib(self, field):
        """Returns VmRSS (now) or VmHWM (the most so far) of the daemon."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise Failure(f"/proc/{self.pid}/status: no {field}")

    def give_up(self):
        """Unmounts if it is mounted, whatever state it is in."""
        if os.path.ismount(self.path):
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
            done = subprocess.run([self.place.concordfs, "umount", self.path], **quiet)
            if done.returncode != 0:
                subprocess.run(["umount", "--lazy", self.path], **quiet)


class Workplace:
    """The temporary directory and what runs in it. A context manager: nothing is left of it, however it ends."""

    def __init__(self, options):
        self.options = options
        self.concordfs = options.program
        self._stack = contextlib.ExitStack()
        self._count = 0
        self.path = None

    def __enter__(self):
        os.environ.update(GIT_ENVIRONMENT)
        os.environ.pop("CONCORDFS_AGENT", None)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="concordfs-compare.", dir=self.options.directory)).resolve()
        self._stack.callback(shutil.rmtree, self.path, ignore_errors=True)
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    @contextlib.contextmanager
    def folder(self, name):
        """A folder for one part of the comparison, removed after it; what was started in it is ended first."""
        outer, outer_stack = self.path, self._stack
        with contextlib.ExitStack() as stack:
            self.path = outer / name
            self.path.mkdir()
            stack.callback(shutil.rmtree, self.path, ignore_errors=True)
            self._stack = stack
            try:
                yield self.path
            finally:
                # Before the mounts and the folder go, as the stack has it.
                self.path, self._stack = outer, outer_stack

    def unique(self, stem):
        self._count += 1
        return self.path / f"{stem}-{self._count}"

    def new_mount(self, repository):
        mount = Mount(self, repository, self.unique("mount"))
        self._stack.callback(mount.give_up)
        return mount

    def at_end(self, action):
        """Has `action` called with no arguments before this folder is removed."""
        self._stack.callback(action)

    def start(self, command, **options):
        """Starts a process that is ended with this folder at the latest."""
        try:
            process = subprocess.Popen([str(word) for word in command], **options)
        except OSError as error:
            raise Failure(f"{command[0]}: {error.strerror}") from error
        self._stack.callback(end, process)
        return process

    def list_of(self, paths):
        """Writes paths to a file that the clients read."""
        file = self.unique("paths")
        file.write_text("".join(path + "\n" for path in paths), encoding="utf-8")
        return file

    def client(self, name):
        return self.options.clients / f"concordfs_{name}_client"

    def progress(self, text):
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)

    def run_clients(self, commands, agents=None, daemon=None):
        """Runs clients, one for each command, that begin together. Returns their reports.

        `agents`: what CONCORDFS_AGENT each has. `daemon`: a process whose time is added to the first one's processor_s.
        """
        processes = []
        try:
            for number, command in enumerate(commands):
                environment = dict(os.environ, CONCORDFS_AGENT=agents[number]) if agents else None
                processes.append(subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                                  stdout=subprocess.PIPE, env=environment))
            for process in processes:
                process.stdout.readline()  # ready
            before_s = processor_s(daemon) if daemon else 0
            for process in processes:
                with contextlib.suppress(BrokenPipeError):  # who failed already says so below
                    process.stdin.write(b"\n")
                    process.stdin.flush()
            reports = []
            for process, command in zip(processes, commands):
                said = process.stdout.read()
                if process.wait() != 0:
                    raise Failure(f"{' '.join(map(str, command))}: status {process.returncode}")
                reports.append(json.loads(said))
            reports[0]["processor_s"] += (processor_s(daemon) if daemon else 0) - before_s
            return reports
        finally:
            for process in processes:
                end(process)


def end(process):
    """Ends a process that we started, if it lives: by a word first, so that it ends what it started itself."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()
