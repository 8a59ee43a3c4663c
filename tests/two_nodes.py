"""A cluster of Ray with two nodes on this machine, for tests."""

import os
import warnings
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from anyio import CancelScope, to_thread

from realtime_avatar.config import Cluster, Replicas
from realtime_avatar.engines.registry import Context, Kind


class TwoNodes:
    """The cluster.

    Attributes:
        ray: Ray's own `Cluster`, to which nodes can be added.
    """

    def __init__(self, ray: Any) -> None:
        self.ray = ray

    @asynccontextmanager
    async def engine(
        self, kind: Kind, name: str, context: Context, *, cover: str = "", **wanted: float
    ) -> AsyncGenerator[Any]:
        """Have an engine run here; `wanted`: fields of `Replicas`."""
        from realtime_avatar.engines.cluster import Engines

        replicas = Replicas.model_validate({"cpus": 0, "patience_seconds": 20} | wanted)
        settings = Cluster(address=self.ray.address, engines={name: replicas}, cover=cover)
        engines = await to_thread.run_sync(Engines, settings)
        made = await to_thread.run_sync(engines.load, kind, name, context)
        try:
            yield made
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(made.close)
                await self.gone(kind, name)

    async def gone(self, kind: Kind, name: str) -> None:
        """Have an engine run no longer."""
        from ray import serve

        await to_thread.run_sync(serve.delete, f"avatar-{kind}-{name}")


@contextmanager
def start_two_nodes() -> Generator[TwoNodes]:
    """Start one; skip the test, and say why, where that is impossible."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[serve]'")
    from ray.cluster_utils import Cluster as RayCluster

    with warnings.catch_warnings():
        # Ray's own: pipes of its processes that it leaves to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        cluster = RayCluster(
            initialize_head=True, head_node_args={"num_cpus": 4, "include_dashboard": False}
        )
        cluster.add_node(num_cpus=4)
    try:
        yield TwoNodes(cluster)
    finally:
        from ray import serve

        serve.shutdown()
        ray.shutdown()
        cluster.shutdown()
