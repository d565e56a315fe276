"""Turns coturn's log into events of the calls it is about."""
