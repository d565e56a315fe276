"""Logs: one JSON object a line."""

from talkbutton.runtime.telemetry.logs import configure_logging

__all__ = ["configure_logging"]
