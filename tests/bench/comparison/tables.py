"""Tables, as text and as Markdown."""

BEGIN = "<!-- tests/bench/compare --markdown writes this block -->\n"
END = "<!-- end of the tables -->\n"


def number(value, digits=3):
    """Returns a figure with `digits` that count, and a separator for thousands; whole numbers as they are."""
    if value is None:
        return "-"
    if isinstance(value, int) or value >= 10 ** (digits - 1) or value == 0:
        return f"{value:,.0f}"
    decimals = 0
    while value * 10**decimals < 10 ** (digits - 1) and decimals < 4:
        decimals += 1
    return f"{value:.{decimals}f}"


def times(value):
    return "-" if value is None else number(value, 2) + " x"


class Table:
    """A title, columns, rows of strings; the first column is on the left, the others are figures."""

    def __init__(self, title, columns, rows, note=""):
        self.title = title
        self.columns = columns
        self.rows = rows
        self.note = note

    def text(self):
        lines = [self.columns, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        shown = ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                           for column, (cell, width) in enumerate(zip(line, widths))) for line in lines]
        return "\n".join([self.title, "-" * len(self.title), *shown, *([self.note] if self.note else []), ""])

    def markdown(self):
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = ["| " + " | ".join(line) + " |" for line in (self.columns, rule, *self.rows)]
        return "\n".join([f"{self.title}:", "", *lines, *(["", self.note] if self.note else []), ""])


def put(file, markdown):
    """Writes Markdown to a file: to where BEGIN and END are in it, else all of the file."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    file.write_text(before + begin + markdown + end + after if end else markdown, encoding="utf-8")
