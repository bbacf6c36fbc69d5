"""The shape of every process's log: one JSON object a line on stderr, so that all of them can be read together."""

import logging
import sys

import structlog


def configure_logs(process: str) -> None:
    """Every log line of this process names it, its level and the time in UTC; other libraries speak from WARNING on."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=f"{process} %(name)s %(message)s")
    structlog.contextvars.bind_contextvars(process=process)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
