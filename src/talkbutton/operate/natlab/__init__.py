"""A laboratory of networks on one machine, in network namespaces that it makes and removes."""
