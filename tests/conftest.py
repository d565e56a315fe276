"""Rules for every test: a category marker, and asyncio as the backend."""

import pytest
from hypothesis import settings

# No test passes or fails by its time; a busy machine is not a bug.
settings.register_profile("talkbutton", deadline=None)
settings.load_profile("talkbutton")

CATEGORIES = frozenset(
    {"core", "shell", "edge", "cli", "golden", "live", "netns", "security", "e2e"}
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not CATEGORIES.intersection(mark.name for mark in item.iter_markers()):
            raise pytest.UsageError(
                f"{item.path.name} has no category: add `pytestmark = pytest.mark.core` "
                f"or another of {', '.join(sorted(CATEGORIES))}"
            )
