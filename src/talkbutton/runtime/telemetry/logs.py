"""Sets up logging for a program: one JSON object a line on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["JsonFormatter", "configure_logging"]


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON; a message that is a JSON object already stays as it is."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for one record."""
        message = record.getMessage()
        if record.name == "talkbutton.journal" and message.startswith('{"v":'):
            return message
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "program": self._program,
            "logger": record.name,
            "message": message,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def configure_logging(program: str, *, is_verbose: bool = False) -> None:
    """Send all logs of this process to standard error, as JSON lines."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(JsonFormatter(program))
    logging.basicConfig(level=logging.INFO, handlers=[out], force=True)
    logging.getLogger("talkbutton").setLevel(logging.DEBUG if is_verbose else logging.INFO)
    for noisy in ("websockets", "uvicorn.access", "httpx", "faster_whisper"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
