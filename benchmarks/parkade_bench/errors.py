"""What can go wrong with a benchmark.

BenchError
+-- UnavailableError   a contender cannot be installed or started here; the run goes on without it and says so
"""


class BenchError(Exception):
    """A benchmark cannot go on; the sentence says why."""


class UnavailableError(BenchError):
    """A contender cannot be installed or started here; the run goes on without it and says so."""
