"""The public program: sessions, grants, signaling, the button's files."""
