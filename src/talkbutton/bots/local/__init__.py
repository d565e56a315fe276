"""The bot in the box: offline, from the owner's knowledge files."""
