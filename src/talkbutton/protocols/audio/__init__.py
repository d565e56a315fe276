"""Frames, companding and resampling."""
