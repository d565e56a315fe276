"""Frames between the bridge and the speech workers."""
