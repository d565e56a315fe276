"""Installs the telephony programs, starts every part, knows when they are ready."""
