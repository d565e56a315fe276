"""All telephony parts at once."""

from pathlib import PurePosixPath
from typing import Literal

from talkbutton.rules.render.asterisk import render_asterisk
from talkbutton.rules.render.coturn import render_coturn
from talkbutton.rules.render.janus import render_janus
from talkbutton.rules.render.places import Places
from talkbutton.settings.model import Secrets, Settings

__all__ = ["TelephonyPart", "render_all", "start_command"]

TelephonyPart = Literal["coturn", "asterisk", "janus"]


def render_all(
    settings: Settings, secrets: Secrets, places: Places, *, with_echotest: bool = False
) -> dict[TelephonyPart, dict[PurePosixPath, str]]:
    """Return every telephony part's files by path under that part's configuration folder.

    Each part may be shown only its own files: they hold its secrets.

    Raises:
        SettingsError: If a secret can't be written to a file.
        ValueError: If an address in ``places`` is not one.
    """
    return {
        "coturn": render_coturn(settings, places),
        "asterisk": render_asterisk(settings, secrets, places),
        "janus": render_janus(settings, secrets, places, with_echotest=with_echotest),
    }


def start_command(part: TelephonyPart, places: Places) -> tuple[str, ...]:
    """Return the command that starts a part on its rendered files, in the foreground.

    It must run as written. Without its folder Janus reads the distribution's files and listens on
    every address; coturn without its file asks nobody for a credential.
    """
    match part:
        case "coturn":
            return ("/usr/bin/turnserver", "-c", str(places.config / "turnserver.conf"))
        case "asterisk":
            return ("/usr/sbin/asterisk", "-f", "-C", str(places.config / "asterisk.conf"))
        case "janus":
            return ("/usr/bin/janus", "-F", str(places.config))
