"""Where Ray Serve sends a request: to the replica that holds the session."""

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from realtime_avatar.engines.link import AVOID


class Affinity(RequestRouter):
    """Sends a request to the replica that its `session_id` names.

    If that is gone, or none is named, the least busy of all gets it: a replica that does not know
    a session says so, and the session is opened anew.
    """

    @property
    def supports_rejection_protocol(self) -> bool:
        """Replicas count their sessions themselves: nobody need ask twice."""
        return False

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Return those of which Serve is to take the least busy."""
        wish = pending_request.metadata.session_id if pending_request else ""
        if wish.startswith(AVOID):
            bad = wish.removeprefix(AVOID)
            chosen = [one for one in candidate_replicas if one.replica_id.unique_id != bad]
        else:
            chosen = [one for one in candidate_replicas if one.replica_id.unique_id == wish]
        chosen = chosen or list(candidate_replicas)
        return [chosen] if chosen else []
