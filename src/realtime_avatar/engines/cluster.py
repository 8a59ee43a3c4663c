"""Engines as Ray Serve deployments: reaching the cluster, and having them run there.

Replicas by fraction of a GPU, autoscaling, health checks and rolling updates are Ray Serve's own;
here they are only configured.
"""

import logging
import os
from collections.abc import Mapping
from threading import Event, Lock
from typing import Any, Final, cast

from realtime_avatar.config import Cluster, Replicas
from realtime_avatar.engines.deployment import EngineReplica, Plan
from realtime_avatar.engines.ports import FaceEngine
from realtime_avatar.engines.registry import Context, Kind, engine_class, load
from realtime_avatar.engines.remote import (
    RefiningRemoteVoice,
    Remote,
    RemoteChat,
    RemoteDetector,
    RemoteEndpointer,
    RemoteRecognizer,
    RemoteVoice,
)
from realtime_avatar.engines.remote_face import RemoteFace
from realtime_avatar.engines.wire import About, Failed
from realtime_avatar.errors import ConfigError
from realtime_avatar.models.store import ModelStore

_PATIENCE: Final[Mapping[Kind, float]] = {
    "detector": 2, "recognizer": 20, "endpointer": 2, "chat": 60, "voice": 10, "face": 1,
}  # fmt: skip
_DEFINING = Lock()  # Ray Serve's deployments cannot be defined in two threads at once
_LOOK_BACK: Final = 11.0  # seconds that Ray Serve looks back at least, to scale
_FINISHED: Final = 0.2  # seconds between two looks whether a replica has started or finished
_REQUESTS: Final = 10_000
"""Of one replica, at most. It counts its sessions itself: one that Ray Serve took for full would
not be asked even what its own sessions ask."""


class Engines:
    """Has engines run on a cluster. Blocking: use it in worker threads.

    Args:
        settings: Of the cluster.

    Raises:
        ConfigError: if Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(self, settings: Cluster) -> None:
        self._settings = settings
        join(settings.address)

    def load(self, kind: Kind, name: str, context: Context) -> Any:
        """Deploy an engine, if it is not there yet; return it as if it were here.

        Raises:
            AvatarError: if it cannot be loaded, and why.
        """
        engine_class(kind, name)  # a wrong name is an error here, not on another machine
        remote = deploy(kind, name, context, self._settings)
        match kind:
            case "detector":
                return RemoteDetector(remote)
            case "recognizer":
                return RemoteRecognizer(remote)
            case "endpointer":
                return RemoteEndpointer(remote)
            case "chat":
                return RemoteChat(remote)
            case "voice":
                return RefiningRemoteVoice(remote) if remote.about.refines else RemoteVoice(remote)
            case "face":
                return RemoteFace(remote, self._cover(context))

    def _cover(self, context: Context) -> FaceEngine | None:
        if not self._settings.cover:
            return None
        plain = Context(context.store, context.threads)
        return cast("FaceEngine", load("face", self._settings.cover, plain))


def join(address: str) -> None:
    """Join a cluster of Ray, or start one on this machine.

    Args:
        address: Of its head, "host:port"; empty: the one that runs here, or a new one.

    Raises:
        ConfigError: if Ray is not installed, or there is none at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
        from ray import serve
    except ImportError:
        raise ConfigError(
            "--cluster needs Ray; install it: pip install 'realtime-avatar[cluster]'"
        ) from None
    for name in ("ray", "ray._private.worker", "ray.serve"):  # a lost replica is no news to us
        logging.getLogger(name).setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    try:
        if not ray.is_initialized():
            try:
                ray.init(address=address or "auto", **quiet)
            except ConnectionError:
                if address:
                    raise
                ray.init(include_dashboard=False, **quiet)
        serve.start(proxy_location="Disabled")
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"at {address}" if address else "on this machine"
        raise ConfigError(f"there is no cluster {where}: {error}") from error


def deploy(kind: Kind, name: str, context: Context, settings: Cluster) -> Remote:
    """Have an engine run; return where, when it does.

    Raises:
        AvatarError: if it cannot be loaded, and why.
    """
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.config import RequestRouterConfig
    from ray.serve.exceptions import RayServeException

    wanted = settings.engines.get(f"{kind}.{name}") or settings.engines.get(name) or Replicas()
    threads = max(1, round(wanted.cpus)) if wanted.cpus else context.threads
    plan = Plan(
        kind, name, dict(context.options), threads, wanted.sessions, settings.frames,
        None if context.store.root == ModelStore().root else context.store.root,
        context.store.offline,
    )  # fmt: skip
    application = f"avatar-{kind}-{name}"
    others = application in serve.status().applications  # of another server, or an older version
    with _DEFINING:
        deployment = serve.deployment(
            name=f"{kind}-{name}",
            max_ongoing_requests=_REQUESTS,
            ray_actor_options={"num_cpus": wanted.cpus, "num_gpus": wanted.gpus},
            autoscaling_config=dict(scaling(wanted)),
            health_check_period_s=wanted.check_seconds,
            health_check_timeout_s=3 * wanted.check_seconds,
            graceful_shutdown_timeout_s=wanted.finish_seconds,
            graceful_shutdown_wait_loop_s=_FINISHED,
            request_router_config=RequestRouterConfig(
                request_router_class=cast("Any", "realtime_avatar.engines.affinity.Affinity")
            ),
            logging_config={
                "encoding": "TEXT", "log_level": "WARNING", "enable_access_log": False
            },
        )(EngineReplica)  # fmt: skip
        target = serve.RunTarget(deployment.bind(plan), name=application, route_prefix=None)
        [handle] = serve.run_many([target], wait_for_applications_running=False)
    try:
        about = _asked(handle, application, wanted.start_seconds)
    except (RayError, RayServeException, RuntimeError, TimeoutError) as error:
        why = str(error) or f"not within {wanted.start_seconds:g} seconds"
        about = Failed(ConfigError(f"the {kind} engine {name!r} does not start: {why}"))
    if isinstance(about, Failed):
        if not others:
            serve.delete(application)
        raise about.error
    patience = wanted.patience_seconds or _PATIENCE[kind]
    return Remote(kind, handle, about, patience, wanted.start_seconds)


def _asked(handle: Any, application: str, seconds: float) -> About | Failed:
    """Return what the first replica says of itself, when there is one.

    Raises:
        RuntimeError: if it does not start.
        TimeoutError: if it does not in time.
    """
    from ray import serve
    from ray.serve.exceptions import DeploymentUnavailableError

    for _ in range(max(1, round(seconds / _FINISHED))):
        try:
            return handle.about.remote().result(timeout_s=seconds)
        except DeploymentUnavailableError:  # it is not known yet, or never will be
            found = serve.status().applications[application]
            if found.status == "DEPLOY_FAILED":
                raise RuntimeError(found.message.strip().rpartition("\n")[2]) from None
            Event().wait(_FINISHED)
    raise TimeoutError


def scaling(wanted: Replicas) -> Mapping[str, Any]:
    """Return Ray Serve's configuration of how many replicas there are to be."""
    return {
        "min_replicas": wanted.least,
        "max_replicas": wanted.most,
        "initial_replicas": max(1, wanted.least),
        "target_ongoing_requests": max(1, round(0.8 * wanted.sessions)),
        "upscale_delay_s": 1,
        "downscale_delay_s": wanted.idle_seconds,
        "look_back_period_s": min(30.0, max(_LOOK_BACK, wanted.idle_seconds)),
    }
