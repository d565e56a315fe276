"""The Asterisk REST Interface, without I/O."""
