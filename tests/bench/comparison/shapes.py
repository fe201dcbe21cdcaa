"""The trees that are measured, and the repositories that have them."""

import dataclasses
import random
import subprocess
import typing

from comparison.workplace import Failure, run

LETTERS = "the file that agents write and read again while others change it, line by line\n"
BRANCH = "refs/heads/main"


def two_deep(number):
    return f"d{number // 10_000}/e{number // 100}/file{number}"


@dataclasses.dataclass(frozen=True)
class Shape:
    """A tree, and what a change does to it."""

    name: str
    title: str
    count: int  # files
    path: typing.Callable[[int], str]
    size: int = 4096  # bytes of a file that a change writes
    appended: int = 0  # bytes of a change, if it appends: from size to twice that, and again
    own: int = 0  # if not 0: each agent changes so many files of its own, which are not of the tree
    content_size: int = 4096  # bytes of a file of the tree

    def paths(self):
        return [self.path(number) for number in range(self.count)]

    def changed(self, agent, agents):
        """Returns the files that agent number `agent` of `agents` changes: nobody else does."""
        if self.own:
            return [f"own/{self.name}-{agent}-{number}" for number in range(self.own)]
        return self.paths()[agent::agents]


def _small(number):
    return f"d{number // 10}/file{number}"


def _medium(number):
    return f"d{number // 100}/file{number}"


SHAPES = {shape.name: shape for shape in (
    Shape("S", "100 files", 100, _small),
    Shape("M", "10,000 files", 10_000, _medium),
    Shape("L", "100,000 files", 100_000, two_deep),
    Shape("wide", "a directory of 10,000 files", 10_000, lambda number: f"wide/file{number}"),
    Shape("append", "1 KiB appended to a file of 256 to 512 KiB", 100, _small, size=256 << 10, appended=1024, own=1),
    Shape("1MiB", "files of 1 MiB", 100, _small, size=1 << 20, own=8),
)}


class Texts:
    """Contents that deflate to half, as program text does, and that are never alike."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._pool = "".join(self._random.choices(LETTERS, k=3 << 20)).encode()
        self._count = 0
        self._seed = seed

    def make(self, size):
        self._count += 1
        head = f"{self._seed} {self._count}\n".encode()[:size]
        start = self._random.randrange(len(self._pool) - size)
        return head + self._pool[start:start + size - len(head)]


class Import:
    """A `git fast-import` into a repository."""

    def __init__(self, place, repository):
        self._process = place.start(["git", "-C", repository, "-c", "pack.compression=1", "fast-import", "--quiet"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid

    def say(self, words):
        try:
            self._process.stdin.write(words)
        except BrokenPipeError as error:
            raise Failure("git fast-import ended") from error

    def begin_commit(self, parent=None):
        self.say(f"commit {BRANCH}\ncommitter bench <bench@localhost> 1700000000 +0000\ndata 2\nx\n".encode())
        if parent:
            self.say(f"from {parent}\n".encode())

    def change(self, path, content):
        self.say(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")

    def checkpoint(self):
        """Returns when all that was said is in the repository."""
        self.say(b"checkpoint\nprogress done\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != b"progress done\n":
            raise Failure("git fast-import ended")

    def finish(self):
        self._process.stdin.close()
        if self._process.wait() != 0:
            raise Failure(f"git fast-import: status {self._process.returncode}")


def make_repository(place, name, shape, history=1):
    """Makes a bare repository with the shape's tree and `history` commits, one change each after the first."""
    repository = place.path / name
    run(["git", "init", "--quiet", "--bare", "--initial-branch=main", repository])
    run(["git", "-C", repository, "config", "gc.auto", "0"])  # ours has it, too; nobody's gc is measured by accident
    texts = Texts(1)
    feed = Import(place, repository)
    feed.begin_commit()
    paths = shape.paths()
    for path in paths:
        feed.change(path, texts.make(shape.content_size))
    chooser = random.Random(2)
    for number in range(1, history):
        feed.begin_commit()
        feed.change(chooser.choice(paths), f"version {number}\n".encode())
    feed.finish()
    return repository


def copy_of(place, repository):
    """Returns a bare repository like it, which shares its packs on the disk."""
    copy = place.unique(repository.name)
    run(["git", "clone", "--quiet", "--bare", "--local", repository, copy])
    run(["git", "-C", copy, "config", "gc.auto", "0"])
    return copy


def checkout_of(place, repository):
    """Returns a repository like it with a working tree."""
    copy = place.unique("checkout")
    run(["git", "clone", "--quiet", "--local", repository, copy])
    run(["git", "-C", copy, "config", "gc.auto", "0"])
    return copy


def files_of(place, repository):
    """Returns a plain directory with its files."""
    directory = place.unique("plain")
    directory.mkdir()
    run(["git", f"--git-dir={repository}", f"--work-tree={directory}", "checkout", "--quiet", "--force", "main", "--", "."])
    (repository / "index").unlink(missing_ok=True)
    return directory
