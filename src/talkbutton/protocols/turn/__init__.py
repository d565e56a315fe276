"""TURN credentials."""
