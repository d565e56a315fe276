"""RTP (RFC 3550), without I/O."""
