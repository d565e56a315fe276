"""One whole stack for all end-to-end tests of a run, started as a user starts it."""

from collections.abc import Iterator

import pytest

from support.stack import Stack

BASE_PORT = 18_000


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.make(tmp_path_factory.mktemp("stack"), BASE_PORT)
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """The running stack, ready, with nothing left of earlier calls."""
    running_stack.wait_until_ready()
    running_stack.wait_for_nothing_left()
    return running_stack
