"""The bot in the box: offline, from the owner's knowledge files."""

from talkbutton.bots.local.bot import LocalBot
from talkbutton.bots.local.knowledge import SAMPLE_KNOWLEDGE_DIR, load_knowledge

__all__ = ["SAMPLE_KNOWLEDGE_DIR", "LocalBot", "load_knowledge"]
