"""One typed settings file; secrets apart."""

from talkbutton.settings.model import Secrets, Settings

__all__ = ["Secrets", "Settings"]
