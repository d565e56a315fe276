"""Each part's configuration as text, from Settings."""
