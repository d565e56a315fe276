"""What is decided, and how it is written down. Pure."""
