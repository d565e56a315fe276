"""A running edge for every test of its outside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.edge_rig import EdgeRig, running_edge


@pytest.fixture
async def rig(tmp_path: Path, anyio_backend: str) -> AsyncIterator[EdgeRig]:
    assert anyio_backend == "asyncio"
    async with running_edge(tmp_path) as rig:
        yield rig
