"""Commits a second through a git server: this file system's mounts with --remote, and stock git that pushes each commit."""

import contextlib
import random
import selectors
import socket
import subprocess
import threading
import time

from comparison.samples import Sample, median_ratio, sample_of, summary
from comparison.shapes import SHAPES, Texts, checkout_of, copy_of, make_repository
from comparison.tables import Table, number, times
from comparison.workplace import Failure, run

AGENTS = (1, 16)
MACHINES = (1, 2, 4)
MACHINES_AGENTS = 4  # on each
WAIT_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`git daemon` on loopback, which takes pushes to a copy of a repository."""

    def __init__(self, place, origin):
        self.repository = copy_of(place, origin)
        # As docs/sizing.md advises.
        run(["git", "-C", self.repository, "config", "receive.autogc", "false"])
        run(["git", "-C", self.repository, "config", "receive.unpackLimit", "20"])
        self.port = free_port()
        place.start(["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={self.port}", "--max-connections=0",
                     f"--base-path={place.path}", "--export-all", "--enable=receive-pack", place.path],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            if time.monotonic() > deadline:
                raise Failure(f"git daemon: not there after {WAIT_S} s")
            time.sleep(0.02)

    def url(self, port):
        return f"git://127.0.0.1:{port}/{self.repository.name}"


class _Pipe:
    """What goes one way: bytes with the time at which they are due."""

    def __init__(self, source, target):
        self.source = source
        self.target = target
        self.waiting = []
        self.ended = False


class DelayProxy:
    """A relay in front of a server that holds up all that passes for half of a round trip each way.

    A connect costs a round trip, too: what a client says first is held up for one more, for its connect was answered here at once.
    """

    def __init__(self, server_port, round_trip_s):
        self._server_port = server_port
        self._delay_s = round_trip_s / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._pipes = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._stop.set()
        self._thread.join()
        self._listener.close()
        for pipe in self._pipes:
            pipe.source.close()

    def _run(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stop.is_set():
                due = min((pipe.waiting[0][0] for pipe in self._pipes if pipe.waiting), default=time.monotonic() + 0.1)
                for key, _ in selector.select(max(0, due - time.monotonic())):
                    if key.data is None:
                        self._accept(selector)
                    else:
                        self._take(selector, key.data)
                now = time.monotonic()
                for pipe in list(self._pipes):
                    self._deliver(pipe, now)

    def _accept(self, selector):
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._server_port))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up, down = _Pipe(client, server), _Pipe(server, client)
        up.waiting.append((time.monotonic() + 2 * self._delay_s, None))  # the connect
        for pipe in (up, down):
            self._pipes.append(pipe)
            selector.register(pipe.source, selectors.EVENT_READ, pipe)

    def _take(self, selector, pipe):
        try:
            piece = pipe.source.recv(1 << 16)
        except OSError:
            piece = b""
        first = pipe.waiting[-1][0] if pipe.waiting and pipe.waiting[-1][1] is None else 0
        pipe.waiting.append((max(time.monotonic(), first) + self._delay_s, piece))
        if not piece:
            selector.unregister(pipe.source)

    def _deliver(self, pipe, now):
        while pipe.waiting and pipe.waiting[0][0] <= now:
            _, piece = pipe.waiting.pop(0)
            with contextlib.suppress(OSError):
                if piece:
                    pipe.target.sendall(piece)
                elif piece is not None:
                    pipe.ended = True
                    pipe.target.shutdown(socket.SHUT_WR)
            if pipe.ended:
                self._forget(pipe)
                return

    def _forget(self, pipe):
        self._pipes.remove(pipe)
        if not any(other.source is pipe.target for other in self._pipes):
            pipe.source.close()
            pipe.target.close()


class StockGit:
    """A clone; each change is `git commit` and `git push`. One at a time: of several, all but one push would be refused."""

    name = "git"
    title = "stock git: a commit and a push for each change, one clone"

    def __init__(self, place, shape, origin, server, port):
        self._directory = checkout_of(place, origin)
        run(["git", "-C", self._directory, "remote", "add", "server", server.url(port)])
        self._paths = shape.changed(0, 1)
        self._chooser = random.Random(3)
        self._texts = Texts(4)
        self._size = shape.size

    def measure(self, seconds, _):
        self._save()
        latencies_us = []
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            started = time.perf_counter()
            self._save()
            latencies_us.append((time.perf_counter() - started) * 1e6)
        return Sample(len(latencies_us), time.monotonic() - began, 0, latencies_us, {})

    def _save(self):
        path = self._chooser.choice(self._paths)
        (self._directory / path).write_bytes(self._texts.make(self._size))
        run(["git", "commit", "--quiet", "--message=x", "--", path], cwd=self._directory)
        run(["git", "push", "--quiet", "server", "HEAD:refs/heads/main"], cwd=self._directory)


class Mounted:
    """Mounts whose branch is the server's, each a machine with some agents, who are processes that change files of their own."""

    def __init__(self, place, shape, server, port, agents, machines=1):
        self.name = f"{agents} agents" if agents > 1 else "1 agent"
        self._place = place
        self._shape = shape
        self._mounts = [place.new_mount(place.unique("clone")) for _ in range(machines)]
        for mount in self._mounts:
            mount.mount("--remote", server.url(port))
        self._paths = [place.list_of(shape.changed(agent, agents * machines)) for agent in range(agents * machines)]

    def measure(self, seconds, round_number):
        before = self._counts()
        commands = [[self._place.client("save"), "--directory", self._mounts[agent % len(self._mounts)].path, "--warmup", 1, "--paths",
                     paths, "--size", self._shape.size, "--seed", round_number * 100 + agent, "--seconds", seconds]
                    for agent, paths in enumerate(self._paths)]
        sample = sample_of(self._place.run_clients(commands, [f"agent{agent}" for agent in range(len(self._paths))]), "save")
        commits, pushes, lost = (after - at_first for after, at_first in zip(self._counts(), before))
        sample.per_push = commits / pushes if pushes else None
        sample.lost = lost / (lost + pushes) if lost + pushes else None
        return sample

    def _counts(self):
        states = [mount.status() for mount in self._mounts]
        return (sum(state["counters"]["commits"] for state in states), sum(state["remote"]["pushes"] for state in states),
                sum(state["remote"]["refused"] for state in states))

    def tear_down(self):
        for mount in self._mounts:
            mount.unmount()


def measure(place, options):
    """Returns {"ways": {"<round trip> ms": {way: figures}}, "machines": {"<number>": figures}, and what these are of}."""
    shape = SHAPES["S"]
    ways = {}
    for round_trip_ms in options.round_trips:
        with place.folder("remote"):
            place.progress(f"remote: {round_trip_ms} ms of added round trip")
            ways[f"{round_trip_ms} ms"] = _measure_ways(place, options, shape, round_trip_ms)
    machines = {}
    for number_of_machines in MACHINES:
        with place.folder("remote"):
            place.progress(f"remote: {number_of_machines} machines")
            machines[str(number_of_machines)] = _measure_machines(place, options, shape, number_of_machines, options.round_trips[-1])
    return {"ways": ways, "machines": machines, "agents_each": MACHINES_AGENTS, "machines_round_trip_ms": options.round_trips[-1]}


def _way_to(place, server, round_trip_ms):
    """Returns the port to connect to."""
    if not round_trip_ms:
        return server.port
    proxy = DelayProxy(server.port, round_trip_ms / 1000)
    place.at_end(proxy.close)
    return proxy.port


def _seconds(options, round_trip_ms):
    # A push takes up to three round trips: each way gets time for several pushes.
    return options.seconds * (1 + round_trip_ms / 20)


def _measure_ways(place, options, shape, round_trip_ms):
    origin = make_repository(place, "origin", shape)
    ways = []
    # A server's repository for each way: they don't wait for each other, and none has to fetch what another one pushed.
    for agents in (None, *AGENTS):
        server = Server(place, origin)
        port = _way_to(place, server, round_trip_ms)
        ways.append(Mounted(place, shape, server, port, agents) if agents else StockGit(place, shape, origin, server, port))
    rounds = []
    for round_number in range(options.rounds):
        order = ways if round_number % 2 == 0 else ways[::-1]
        rounds.append({way.name: way.measure(_seconds(options, round_trip_ms), round_number + 1) for way in order})
    for way in ways[1:]:
        way.tear_down()
    return {way.name: _figures(way.name, rounds) for way in ways}


def _measure_machines(place, options, shape, machines, round_trip_ms):
    server = Server(place, make_repository(place, "origin", shape))
    way = Mounted(place, shape, server, _way_to(place, server, round_trip_ms), MACHINES_AGENTS, machines)
    samples = [way.measure(_seconds(options, round_trip_ms), round_number + 1) for round_number in range(options.rounds)]
    way.tear_down()
    lost = [sample.lost for sample in samples if sample.lost is not None]
    return {**summary(samples), "lost": sum(lost) / len(lost) if lost else None}


def _figures(name, rounds):
    samples = [of_round[name] for of_round in rounds]
    per_push = [sample.per_push for sample in samples if getattr(sample, "per_push", None)]
    return {**summary(samples),
            "per_push": sum(per_push) / len(per_push) if per_push else None,
            "times_git": median_ratio([(of_round[name].rate, of_round[StockGit.name].rate) for of_round in rounds])}


def tables(result):
    ways = result["ways"]
    names = list(next(iter(ways.values())))
    columns = [f"+{round_trip}" for round_trip in ways]

    def table(title, show, note=""):
        return Table(title, ["way", *columns], [[name, *[show(of[name]) for of in ways.values()]] for name in names], note)

    failed = {name: failures for of in ways.values() for name, figure in of.items() if (failures := figure["failures"])}
    yield table("Commits per second through `git daemon`, by added round trip (medians)", lambda figure: number(figure["per_s"]),
                "The round trips are added by a relay on the same machine."
                + (f" Saves that failed: {failed}" if failed else ""))
    yield table("Times stock git with a push for each commit (medians of the rounds' ratios)",
                lambda figure: times(figure["times_git"]))
    yield table("Commits in a push", lambda figure: number(figure["per_push"]))
    yield table("Latency of a save, p50 / p99, ms",
                lambda figure: f"{number(figure['p50_us'] / 1000)} / {number(figure['p99_us'] / 1000)}" if figure["p50_us"] else "-")
    yield Table(f"Machines with {result['agents_each']} agents each that never pause, +{result['machines_round_trip_ms']} ms",
                ["machines", "commits per s", "pushes that lost", "p50 / p99, ms", "saves that failed"],
                [[machines, number(figure["per_s"]), "-" if figure["lost"] is None else f"{figure['lost']:.0%}",
                  f"{number(figure['p50_us'] / 1000)} / {number(figure['p99_us'] / 1000)}" if figure["p50_us"] else "-",
                  str(sum(figure["failures"].values()))] for machines, figure in result["machines"].items()])
