"""The only sockets, clocks, tasks and files below the programs."""
