"""What talks with the visitor."""
