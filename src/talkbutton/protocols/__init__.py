"""One machine or codec per protocol. Pure."""
