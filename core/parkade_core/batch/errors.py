"""What core/batch raises when bytes that it must trust are not what they should be.

BatchError
|-- PlanUnreadable     the plan object is no plan of this version
`-- LogBroken          the commit log has a gap, a wrong hash, or speaks of another batch
"""


class BatchError(Exception):
    """Root of the errors of core/batch; the message is one sentence for people."""


class PlanUnreadable(BatchError):
    """The bytes are not a plan that this version can read."""


class LogBroken(BatchError):
    """A segment does not continue the log: nobody may lead or fold a log that is damaged."""
