"""The Janus API, without I/O."""
