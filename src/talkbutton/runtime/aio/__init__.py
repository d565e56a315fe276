"""Runs sans-I/O machines on asyncio."""
