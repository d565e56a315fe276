"""Every exception talkbutton raises on purpose.

    TalkbuttonError
    ├── SettingsError      the operator must change a setting or a file
    ├── StackError         a part of the stack cannot be installed or started
    ├── BotError           the bot cannot work; says what to do
    ├── RemoteError        a server we depend on said no
    │   ├── JanusError       code, reason
    │   └── AriError         status, reason
    ├── ConnectionLost     a server we depend on went away; retrying may help
    └── ProtocolError      a peer sent what its protocol does not allow

Two things are never exceptions: a bad packet from the network (counted and
dropped) and a refused caller (a ``Refused`` value with a reason).
"""

from typing import ClassVar

__all__ = [
    "AriError",
    "BotError",
    "ConnectionLost",
    "JanusError",
    "ProtocolError",
    "RemoteError",
    "SettingsError",
    "StackError",
    "TalkbuttonError",
]


class TalkbuttonError(Exception):
    """Base class. ``code`` is stable and safe to match on; messages are not."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False


class SettingsError(TalkbuttonError):
    """A setting, or a file it names, is missing or makes no sense.

    Attributes:
        path: Dotted path in ``talkbutton.toml``, such as ``turn.port``, or a file's name.
        problem: What is wrong, phrased to follow the path.
        hint: The one action that fixes it.
    """

    code = "settings"

    def __init__(self, path: str, problem: str, *, hint: str) -> None:
        super().__init__(path, problem, hint)
        self.path = path
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.path} {self.problem}; {self.hint}"


class StackError(TalkbuttonError):
    """A part of the stack cannot be installed or started.

    Attributes:
        part: The part, such as ``asterisk``.
        problem: What happened, phrased to follow the part's name.
        hint: The one action to take.
    """

    code = "stack"

    def __init__(self, part: str, problem: str, *, hint: str) -> None:
        super().__init__(part, problem, hint)
        self.part = part
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.part}: {self.problem}; {self.hint}"


class BotError(TalkbuttonError):
    """The bot, or a model it needs, cannot work; the message says what to do."""

    code = "bot"


class RemoteError(TalkbuttonError):
    """A server we depend on answered with a refusal."""

    code = "remote"


class JanusError(RemoteError):
    """Janus refused a request.

    Attributes:
        janus_code: Janus's error number, such as 458.
        reason: Janus's words.
    """

    code = "janus"

    def __init__(self, janus_code: int, reason: str) -> None:
        super().__init__(f"Janus refused the request: {reason} ({janus_code})")
        self.janus_code = janus_code
        self.reason = reason


class AriError(RemoteError):
    """Asterisk's REST interface refused a request.

    Attributes:
        status: HTTP status code.
        reason: Asterisk's words.
    """

    code = "ari"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"Asterisk refused the request: {reason} ({status})")
        self.status = status
        self.reason = reason


class ConnectionLost(TalkbuttonError):
    """A server we depend on went away, or did not answer in time."""

    code = "connection_lost"
    retryable = True


class ProtocolError(TalkbuttonError):
    """A peer sent what its protocol does not allow."""

    code = "protocol"
