"""Messages between the visitor's browser and the edge, without I/O."""
