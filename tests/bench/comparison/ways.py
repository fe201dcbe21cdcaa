"""The ways to save a change that are compared: the columns of `commits`."""

import random
import time

from comparison.samples import Sample, sample_of
from comparison.shapes import Import, Texts, checkout_of, copy_of, files_of
from comparison.workplace import Failure, children_s, processor_s, run


class Way:
    """One way to save, on one shape.

    setup() makes what it works on, a copy of `origin`; measure(seconds, number) saves for so long and returns a Sample.
    """

    def __init__(self, place, shape, origin):
        self.place = place
        self.shape = shape
        self.origin = origin

    def setup(self):
        raise NotImplementedError

    def measure(self, seconds, number):
        raise NotImplementedError

    def tear_down(self):
        """Ends what setup() started."""

    def change_options(self, paths, seed, seconds):
        return ["--paths", paths, "--size", self.shape.size, "--appended", self.shape.appended, "--seed", seed,
                "--seconds", seconds]

    def client_sample(self, commands, agents=None, daemon=None):
        return sample_of(self.place.run_clients(commands, agents, daemon), "save")


class PlainDirectory(Way):
    name = "plain"
    title = "plain directory: open, write, close; no history"

    def setup(self):
        self.directory = files_of(self.place, self.origin)
        if self.shape.own:
            (self.directory / "own").mkdir()
        self.paths = self.place.list_of(self.shape.changed(0, 1))

    def measure(self, seconds, number):
        return self.client_sample([[self.place.client("save"), "--directory", self.directory, "--warmup", 5,
                                    *self.change_options(self.paths, number, seconds)]])


class Scripted(Way):
    """A way that Python drives: what it drives is so slow that Python doesn't matter."""

    def setup(self):
        self.paths = self.shape.changed(0, 1)
        self.chooser = random.Random(3)
        self.texts = Texts(4)
        self.grown = {}

    def next_change(self):
        """Returns path, content of the whole file, and how many bytes at its end are new."""
        path = self.chooser.choice(self.paths)
        if not self.shape.appended:
            return path, self.texts.make(self.shape.size), self.shape.size
        content = self.grown.get(path, b"")
        if not content or len(content) >= 2 * self.shape.size:
            content = self.texts.make(self.shape.size)
            new = len(content)
        else:
            content += self.texts.make(self.shape.appended)
            new = self.shape.appended
        self.grown[path] = content
        return path, content, new

    def save(self, path, content, new):
        raise NotImplementedError

    def processor_now_s(self):
        return children_s()

    def measure(self, seconds, number):
        self.save(*self.next_change())
        latencies_us = []
        before = self.processor_now_s()
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            change = self.next_change()
            started = time.perf_counter()
            self.save(*change)
            latencies_us.append((time.perf_counter() - started) * 1e6)
        took_s = time.monotonic() - began
        return Sample(len(latencies_us), took_s, self.processor_now_s() - before, latencies_us, {})


class GitCommit(Scripted):
    name = "git"
    title = "plain directory and one `git commit -- PATH` for each change"

    def setup(self):
        super().setup()
        self.directory = checkout_of(self.place, self.origin)
        if self.shape.own:
            (self.directory / "own").mkdir()
            for path in self.paths:
                (self.directory / path).touch()
            run(["git", "-C", self.directory, "add", "own"])

    def save(self, path, content, new):
        whole = new == len(content)
        with open(self.directory / path, "wb" if whole else "ab") as file:
            file.write(content[-new:])
        run(["git", "commit", "--quiet", "--message=x", "--", path], cwd=self.directory)


class FastImport(Scripted):
    name = "fast-import"
    title = "`git fast-import` with a checkpoint for each commit"

    def setup(self):
        super().setup()
        self.feed = Import(self.place, copy_of(self.place, self.origin))
        self.parent = "refs/heads/main^0"

    def save(self, path, content, new):
        self.feed.begin_commit(self.parent)
        self.parent = None
        self.feed.change(path, content)
        self.feed.checkpoint()

    def processor_now_s(self):
        return processor_s(self.feed.pid)

    def tear_down(self):
        self.feed.finish()


class Library(Way):
    """Commits without a mount."""

    extra = ()

    def setup(self):
        self.repository = copy_of(self.place, self.origin)
        self.paths = self.place.list_of(self.shape.changed(0, 1))

    def measure(self, seconds, number):
        return self.client_sample([[self.place.client("commit"), *self.extra, "--repository", self.repository, "--warmup", 3,
                                    *self.change_options(self.paths, number, seconds)]])


class Libgit2(Library):
    name = "libgit2"
    title = "libgit2's ordinary way: loose objects, git_tree_create_updated, a reference transaction"
    extra = ("--way", "ordinary")


class Libgit2Sync(Library):
    name = "libgit2 sync"
    title = "the same with fsync"
    extra = ("--way", "ordinary", "--sync")


class Engine(Library):
    name = "engine"
    title = "this program's commit engine without a mount, one commit at a time"
    extra = ("--way", "engine")


class EngineSync(Library):
    name = "engine sync"
    title = "the same with --durability=power"
    extra = ("--way", "engine", "--sync")


class Engine64(Library):
    name = "engine x64"
    title = "the engine, 64 commits that wait together"
    extra = ("--way", "engine", "--batch", 64)


class Mounted(Way):
    """Saves in a mount, by one or more agents, each a process that changes files of its own."""

    agents = 1
    mount_options = ()

    def setup(self):
        self.mount = self.place.new_mount(copy_of(self.place, self.origin))
        self.mount.mount(*self.mount_options)
        if self.shape.own:
            (self.mount.path / "own").mkdir()
        self.paths = [self.place.list_of(self.shape.changed(agent, self.agents)) for agent in range(self.agents)]

    def measure(self, seconds, number):
        # Seeds differ between rounds and agents: the same bytes again would be no commit.
        commands = [[self.place.client("save"), "--directory", self.mount.path, "--warmup", 5,
                     *self.change_options(paths, number * 100 + agent, seconds)] for agent, paths in enumerate(self.paths)]
        return self.client_sample(commands, [f"agent{agent}" for agent in range(self.agents)], self.mount.pid)

    def tear_down(self):
        self.mount.unmount()


class Floor(Mounted):
    name = "floor"
    title = "this file system, one agent, and nothing is published: ignored files, all of whose requests go to the daemon"
    mount_options = ("--scratch", "/own/", "--no-passthrough")

    def setup(self):
        super().setup()
        names = self.shape.changed(0, 1)[:self.shape.own or 100]
        (self.mount.path / "own").mkdir(exist_ok=True)
        self.paths = [self.place.list_of([f"own/{name.rpartition('/')[2]}" for name in names])]

    def measure(self, seconds, number):
        before = self.mount.status()["counters"]["commits"]
        sample = super().measure(seconds, number)
        if self.mount.status()["counters"]["commits"] != before:
            raise Failure("the floor's files were published")
        return sample


class Mounted1(Mounted):
    name = "1 agent"
    title = "this file system, one agent"


class Mounted4(Mounted):
    name = "4 agents"
    title = "this file system, 4 agents at once, all together"
    agents = 4


class Mounted16(Mounted):
    name = "16 agents"
    title = "this file system, 16 agents at once, all together"
    agents = 16


WAYS = {way.name: way for way in (PlainDirectory, GitCommit, FastImport, Libgit2, Libgit2Sync, Engine, EngineSync, Engine64,
                                  Floor, Mounted1, Mounted4, Mounted16)}
