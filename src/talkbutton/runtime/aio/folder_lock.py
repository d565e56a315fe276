"""The lock on a folder: programs that start together make its files one after the other."""

import fcntl

__all__ = ["try_lock"]


def try_lock(descriptor: int) -> bool:
    """Return whether the open folder is ours alone now; closing the descriptor lets go of it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
