"""Figures: what a round measured, medians of rounds, ratios."""

import dataclasses
import statistics


@dataclasses.dataclass
class Sample:
    """What one round of one way measured."""

    operations: int
    seconds: float
    cpu_s: float
    latencies_us: list
    failures: dict

    @property
    def rate(self):
        return self.operations / self.seconds


def sample_of(reports, kind):
    """Makes a sample of the reports of clients that ran together; `kind` is the latency to keep."""
    failures = {}
    for report in reports:
        for what, count in report["failures"].items():
            failures[what] = failures.get(what, 0) + count
    return Sample(sum(report["operations"] for report in reports), max(report["seconds"] for report in reports),
                  sum(report["processor_s"] for report in reports),
                  [value for report in reports for value in report["latencies_us"][kind]], failures)


def percentile(values, percent):
    """Returns the smallest value that `percent` of all values don't exceed; None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


def latencies(values):
    return {"p50_us": percentile(values, 50), "p99_us": percentile(values, 99), "max_us": max(values, default=None)}


def median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def median_ratio(pairs):
    """Returns the median of a / b of the pairs that have both: a round's ratio is of what ran side by side."""
    return median([a / b for a, b in pairs if a is not None and b])


def summary(samples):
    """Returns the figures of one way's rounds."""
    operations = sum(sample.operations for sample in samples)
    failures = {}
    for sample in samples:
        for what, count in sample.failures.items():
            failures[what] = failures.get(what, 0) + count
    return {"per_s": median([sample.rate for sample in samples]),
            "cpu_us": sum(sample.cpu_s for sample in samples) / operations * 1e6 if operations else None,
            "operations": operations, "failures": failures,
            **latencies([value for sample in samples for value in sample.latencies_us])}
