"""Keeps the SIP identity registered in Janus, so that the public edge need not hold its secret."""
