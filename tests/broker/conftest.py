"""Clusters of each kind, for the contract that every broker is held to."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.broker.clusters import ClusterInTest, MemoryInTest


@pytest_asyncio.fixture(params=["memory"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[ClusterInTest]:
    """An empty cluster, to which brokers can be opened."""
    made: Any = MemoryInTest()
    yield made
    await made.close()
