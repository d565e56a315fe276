"""What cheap bots forget: headers that every browser sends with a page's own request.

A signal is no proof. It never turns anybody away; it makes the session cost more work, which a
browser does unasked. A person whose browser hides its headers waits some hundredths of a second.

Source: W3C Fetch Metadata Request Headers, RFC 9110 (User-Agent, Accept-Language), UA Client Hints.
"""

from collections.abc import Mapping
from typing import Literal

__all__ = ["SIGNAL_WEIGHTS", "Signal", "bot_signals", "signal_weight"]

Signal = Literal[
    "user_agent_missing",
    "user_agent_foreign",
    "headless",
    "language_missing",
    "fetch_metadata_missing",
    "fetch_metadata_wrong",
    "client_hints_missing",
]

SIGNAL_WEIGHTS: dict[Signal, float] = {
    "user_agent_missing": 1.0,
    "user_agent_foreign": 1.0,  # does not even pretend to be a browser
    "headless": 1.0,
    "language_missing": 0.4,
    "fetch_metadata_missing": 0.8,
    "fetch_metadata_wrong": 1.0,
    "client_hints_missing": 0.4,
}
"""What each adds to the strain, in which 1 is what calls for work.

What takes time to see (work done or a call started faster than any browser can) is noted as
pressure instead."""

_HEADLESS_MARKS = ("headless", "phantomjs", "electron/", "selenium", "puppeteer", "playwright")
_SENDS_FETCH_METADATA = ("chrome/", "firefox/", "edg/")
_FETCH_METADATA = {
    "sec-fetch-mode": frozenset({"cors"}),
    "sec-fetch-dest": frozenset({"empty"}),
    "sec-fetch-site": frozenset({"same-origin", "same-site", "cross-site"}),
}


def bot_signals(headers: Mapping[str, str], *, is_secure: bool) -> tuple[Signal, ...]:
    """Return what is odd about a session request.

    Args:
        headers: The request's, by names in lower case.
        is_secure: Whether browsers reach the edge by https or on their own machine; elsewhere they
            leave out fetch metadata and client hints.
    """
    agent = headers.get("user-agent", "").lower()
    found: list[Signal] = []
    if not agent:
        found.append("user_agent_missing")
    elif not agent.startswith("mozilla/"):
        found.append("user_agent_foreign")
    brands = headers.get("sec-ch-ua", "").lower()
    if any(mark in agent or mark in brands for mark in _HEADLESS_MARKS):
        found.append("headless")
    if not headers.get("accept-language"):
        found.append("language_missing")
    sent = {name: headers[name] for name in _FETCH_METADATA if name in headers}
    if any(text not in _FETCH_METADATA[name] for name, text in sent.items()):
        found.append("fetch_metadata_wrong")
    if is_secure and any(name in agent for name in _SENDS_FETCH_METADATA):
        if len(sent) < len(_FETCH_METADATA):
            found.append("fetch_metadata_missing")
        if "chrome/" in agent and not brands:
            found.append("client_hints_missing")
    return tuple(found)


def signal_weight(signals: tuple[Signal, ...]) -> float:
    """Return what the signals add to the strain."""
    return sum(SIGNAL_WEIGHTS[signal] for signal in signals)
