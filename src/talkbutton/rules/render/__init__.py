"""Each part's configuration as text, from Settings."""

from talkbutton.rules.render.asterisk import (
    ARI_APPLICATION,
    ARI_USER,
    CONTEXT,
    SIP_IDENTITY,
    render_asterisk,
)
from talkbutton.rules.render.coturn import TURN_DATABASE, render_coturn
from talkbutton.rules.render.front import FRONTS, Front, render_front
from talkbutton.rules.render.janus import render_janus
from talkbutton.rules.render.parts import TelephonyPart, render_all, start_command
from talkbutton.rules.render.places import Places

__all__ = [
    "ARI_APPLICATION",
    "ARI_USER",
    "CONTEXT",
    "FRONTS",
    "SIP_IDENTITY",
    "TURN_DATABASE",
    "Front",
    "Places",
    "TelephonyPart",
    "render_all",
    "render_asterisk",
    "render_coturn",
    "render_front",
    "render_janus",
    "start_command",
]
