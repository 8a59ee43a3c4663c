"""How much each of many may take, by token buckets."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from anyio import current_time

_KNOWN: Final = 10_000  # whose buckets are kept; the ones not seen for longest go first


class Rates:
    """Buckets that hold a minute's worth, and fill up at that rate.

    Args:
        clock: Monotonic, seconds; the event loop's by default.
    """

    def __init__(self, clock: Callable[[], float] = current_time) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, amount: float, a_minute: float) -> float:
        """Take something out of somebody's bucket, if there is so much in it.

        What is larger than the bucket is let through when it is full, and owed.

        Args:
            who: Of them.
            amount: To take.
            a_minute: What they may take.

        Returns:
            0 if it was taken; otherwise seconds until it can be.
        """
        now, rate = self._clock(), a_minute / 60
        held, then = self._buckets.pop(who, (a_minute, now))
        held = min(a_minute, held + (now - then) * rate)
        missing = min(amount, a_minute) - held
        if missing <= 0:
            held -= amount
        self._buckets[who] = held, now
        while len(self._buckets) > _KNOWN:
            self._buckets.popitem(last=False)
        return max(0.0, missing / rate)


def neighbourhood(host: str) -> str:
    """Return what an address counts as: one household has many of IPv6."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(ip_network(f"{address}/64", strict=False))
    return host
