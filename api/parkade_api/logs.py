"""The shape of every process's log: one JSON object a line on stderr, so that all of them can be read together."""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor


def configure_logs(process: str) -> None:
    """Every log line of this process names it, its level and the time in UTC; libraries speak from WARNING on."""

    def name(_logger: object, _method: str, line: EventDict) -> EventDict:
        return {"process": process, **line}

    shared: list[Processor] = [
        name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    render: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name], processors=render
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
