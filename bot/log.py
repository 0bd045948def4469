"""Logging: one line of JSON an event on standard error, so that a supervisor or a container keeps it."""

import logging
import sys

import structlog


def set_up_logging() -> None:
    """Send every log line, ours and the libraries', to standard error. Called once by each process."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def get_log(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a module."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return log
