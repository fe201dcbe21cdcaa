"""The figures as one SVG, made by hand: readable on light and on dark pages."""

import html
import math

from comparison.machine import sentence
from comparison.reads import WHAT
from comparison.shapes import SHAPES
from comparison.tables import number, times

WIDTH = 940
LEFT = 170  # where bars begin
RIGHT = 90  # left for their figures
BAR = 13
GAP = 3

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 17px; font-weight: 600; }
.panel { font-size: 14px; font-weight: 600; }
.small { font-size: 10.5px; fill: #57606a; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.one { stroke: #57606a; stroke-width: 1; stroke-dasharray: 4 3; }
.page { fill: #ffffff; }
.other { fill: #8c959f; } .git { fill: #bf8700; } .library { fill: #0969da; } .engine { fill: #8250df; } .ours { fill: #1a7f37; }
.line { fill: none; stroke-width: 2; } .line.library { stroke: #0969da; fill: none; } .line.engine { stroke: #8250df; fill: none; }
.line.ours { stroke: #1a7f37; fill: none; }
.range { stroke: #1a7f37; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .small { fill: #9198a1; } .grid { stroke: #30363d; } .one { stroke: #9198a1; } .page { fill: #0d1117; }
  .other { fill: #6e7681; } .git { fill: #d29922; } .library { fill: #4493f8; } .engine { fill: #ab7df8; } .ours { fill: #3fb950; }
  .line.library { stroke: #4493f8; } .line.engine { stroke: #ab7df8; } .line.ours { stroke: #3fb950; } .range { stroke: #3fb950; }
}
"""


def colour(way):
    """Returns the class of a way's marks."""
    if way.startswith("libgit2"):
        return "library"
    if way.startswith("engine"):
        return "engine"
    if "agent" in way:
        return "ours"
    return "git" if way in ("git", "fast-import") else "other"


class Scale:
    """A logarithmic axis from a power of ten to a power of ten."""

    def __init__(self, values, start, end):
        known = [value for value in values if value]
        self.low = math.floor(math.log10(min(known)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(known))))
        self._start, self._end = start, end

    def at(self, value):
        part = (math.log10(max(value, 10**self.low)) - self.low) / (self.high - self.low)
        return self._start + part * (self._end - self._start)

    def ticks(self):
        return [10**power for power in range(self.low, self.high + 1)]


class Canvas:
    """What was drawn, and how far down."""

    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, y, words, style="", anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{html.escape(words)}</text>')

    def line(self, x1, y1, x2, y2, style):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>')

    def bar(self, x, y, width, height, style):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height}" rx="2" class="{style}"/>')

    def dot(self, x, y, radius, style):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{style}"/>')

    def heading(self, title, note):
        self.y += 34
        self.text(20, self.y, title, "panel")
        self.text(WIDTH - 20, self.y, note, "small", "end")
        self.y += 12

    def axis(self, scale, top, bottom, show=number):
        """Draws the lines of a horizontal scale and their figures below."""
        for value in scale.ticks():
            self.line(scale.at(value), top, scale.at(value), bottom, "grid")
            self.text(scale.at(value), bottom + 12, show(value), "small", "middle")


def rows_of_bars(canvas, rows, scale, start, base):
    """Draws rows of (label, value, style, figure): bars from `base` to the value, figures at the right of both."""
    for label, value, style, figure in rows:
        canvas.text(start - 8, canvas.y + BAR - 3, label, "small", "end")
        if value:
            left, right = sorted((base, scale.at(value)))
            canvas.bar(left, canvas.y, right - left, BAR, style)
            canvas.text(right + 5, canvas.y + BAR - 3, figure, "small")
        canvas.y += BAR + GAP


def commits_panel(canvas, result):
    canvas.heading("Commits per second", "longer is better; logarithmic; in brackets: times libgit2's ordinary way")
    canvas.text(20, canvas.y + 4, "plain: no history.  git: one git commit for each change.  engine: ours without a mount; x64: "
                "64 that wait together.  floor: the mount without commits.", "small")
    canvas.y += 8
    rates = [figure["per_s"] for of_shape in result.values() for figure in of_shape.values()]
    top = canvas.y
    lowest = top
    for place, (shape, of_shape) in enumerate(result.items()):
        # Two columns; each pair of trees begins at one height.
        if place % 2 == 0:
            top = lowest
        column = 20 + place % 2 * (WIDTH - 20) / 2
        start = column + 75
        scale = Scale(rates, start, start + 270)
        canvas.y = top + 20
        canvas.text(column, canvas.y, f"{shape}: {SHAPES[shape].title}")
        canvas.y += 6
        rows = []
        for way, figure in of_shape.items():
            ratio = figure["times_libgit2"]
            rows.append((way, figure["per_s"], colour(way),
                         number(figure["per_s"]) + (f" ({times(ratio)})" if ratio and way != "libgit2" else "")))
        canvas.axis(scale, canvas.y, canvas.y + len(rows) * (BAR + GAP))
        rows_of_bars(canvas, rows, scale, start, start)
        lowest = max(lowest, canvas.y + 16)
    canvas.y = lowest


def reads_panel(canvas, result):
    for shape, of_shape in result.items():
        canvas.heading(f"Reading {SHAPES[shape].title}: the mount's time over the disk's",
                       "left of 1 x: faster; logarithmic; in brackets: the mount's time for a file")
        canvas.y += 6
        rows = [(f"{what}, {temperature}", of_shape[temperature][what]["ratio"], "ours" if temperature == "warm" else "library",
                 f"{times(of_shape[temperature][what]['ratio'])} ({number(of_shape[temperature][what]['mount_us'])} us)")
                for what in WHAT for temperature in ("cold", "warm")]
        scale = Scale([0.5, 10, *[value for _, value, _, _ in rows]], LEFT, WIDTH - RIGHT - 40)
        bottom = canvas.y + len(rows) * (BAR + GAP)
        canvas.axis(scale, canvas.y, bottom, times)
        canvas.line(scale.at(1), canvas.y, scale.at(1), bottom, "one")
        rows_of_bars(canvas, rows, scale, LEFT, scale.at(1))
        canvas.y += 16


def latency_panel(canvas, result):
    canvas.heading("Latency of a close while 16 agents save", "dots: p50, p99, the longest; microseconds, logarithmic")
    canvas.y += 6
    values = [figure[key] for figure in result.values() for key in ("p50_us", "p99_us", "max_us")]
    scale = Scale(values, LEFT, WIDTH - RIGHT)
    top = canvas.y
    canvas.axis(scale, top, top + len(result) * (BAR + GAP))
    for name, figure in result.items():
        y = canvas.y + BAR / 2
        canvas.text(LEFT - 8, y + 4, name.replace("`", ""), "small", "end")
        canvas.line(scale.at(figure["p50_us"]), y, scale.at(figure["max_us"]), y, "range")
        for key, radius in (("p50_us", 4), ("p99_us", 5), ("max_us", 3)):
            canvas.dot(scale.at(figure[key]), y, radius, "ours")
        canvas.text(scale.at(figure["max_us"]) + 8, y + 4, f"p99 {times(figure['p99_ratio'])}", "small")
        canvas.y += BAR + GAP
    canvas.y += 16


def growth_panel(canvas, result):
    canvas.heading("Microseconds of a commit as a repository grows", "lower is better; both axes logarithmic")
    top, bottom = canvas.y + 12, canvas.y + 152
    for column, (kind, unit) in enumerate((("history", "commits of history"), ("files", "files"))):
        of_size = result[kind]
        if not of_size:
            continue
        start = 70 + column * (WIDTH - 40) / 2
        end = start + (WIDTH - 40) / 2 - 140
        across = Scale([int(size) for size in of_size], start, end)
        upward = Scale([value for of_way in of_size.values() for value in of_way.values()], bottom, top)
        canvas.axis(across, top, bottom)
        for value in upward.ticks():
            canvas.line(start, upward.at(value), end, upward.at(value), "grid")
            canvas.text(start - 6, upward.at(value) + 4, number(value), "small", "end")
        canvas.text((start + end) / 2, bottom + 27, unit, "small", "middle")
        lines_of_ways(canvas, of_size, across, upward)
    canvas.y = bottom + 36


def lines_of_ways(canvas, of_size, across, upward):
    label_y = -100
    last = list(of_size.values())[-1]
    for way in sorted(last, key=lambda name: upward.at(last[name])):
        points = [(across.at(int(size)), upward.at(of_way[way])) for size, of_way in of_size.items()]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        canvas.parts.append(f'<polyline points="{joined}" class="line {colour(way)}"/>')
        for x, y in points:
            canvas.dot(x, y, 3, colour(way))
        label_y = max(points[-1][1] + 4, label_y + 13)
        canvas.text(points[-1][0] + 8, label_y, f"{way}: {number(last[way])}", "small")


def memory_panel(canvas, result):
    canvas.heading("Memory of the daemon", "resident")
    canvas.y += 14
    canvas.text(20, canvas.y, f"{number(result['most_mib'])} MiB at most, with a tree of {result['files']:,} files of which "
                f"{result['visited']:,} were looked at and read ({number(result['fresh_mib'])} MiB when just mounted)")


def draw(report):
    """Returns the SVG of what was measured."""
    canvas = Canvas()
    canvas.y = 30
    canvas.text(20, canvas.y, "ConcordFS beside other ways to keep files and their history", "title")
    canvas.y += 20
    canvas.text(20, canvas.y, sentence(report["machine"]), "small")
    canvas.y += 15
    canvas.text(20, canvas.y, f"Medians of {report['rounds']} rounds of {report['seconds']:g} s in which all took turns; 4 KiB a save where nothing else is "
                "said.", "small")
    panels = {"commits": commits_panel, "latency": latency_panel, "reads": reads_panel, "growth": growth_panel,
              "memory": memory_panel}
    for name, panel in panels.items():
        if name in report:
            panel(canvas, report[name])
    height = canvas.y + 20
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" role="img">',
        "<title>ConcordFS beside other ways to keep files and their history</title>",
        f"<style>{STYLE}</style>", f'<rect class="page" width="{WIDTH}" height="{height:.0f}"/>', *canvas.parts, "</svg>", ""])
