"""Figures of a running gateway, as Prometheus reads them."""

from collections import Counter

Labels = tuple[tuple[str, str], ...]

_MEANINGS = {
    "accepted": "Records acknowledged: durable, or left out by a rule; by protocol",
    "rejected": "Records refused, by reason",
    "filtered": "Messages that a rule's condition left out: acknowledged, and not published",
    "connects": "Sessions opened, by protocol",
    "connect_refusals": "Logins refused, by reason, and connections for another (a will, say)",
    "downlinks": "Messages handed to devices, by channel, or what became of them instead",
    "retained_dropped": "Retained messages let go, since a device or all have too many bytes",
    "bridged": "Messages that a broker handed to the bridge, by QoS",
    "bridged_again": "Those of them that it had handed over before",
    "bridge_acknowledged": "Messages acknowledged to the broker",
    "bridge_dropped": "Messages of QoS 0 let go, since nothing may keep them at the broker",
    "bridge_held": "Times that the store took nothing, and messages were held",
    "bridge_connects": "Connections to the broker that were subscribed",
    "bridge_losses": "Connections to the broker that failed or ended",
    "spool_failures": "Times that the spool's disk took nothing, because it is full or broken",
    "protocol_errors": "Connections closed for breaking their protocol",
}


class Tally:
    """One count, at hand for those who count each record."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Counters:
    """Counts by name and labels."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._tallies: dict[tuple[str, Labels], Tally] = {}
        self.gauges: dict[str, float] = {}

    def add(self, name: str, count: int = 1, /, **labels: str) -> None:
        """Count up."""
        self._counts[name, tuple(sorted(labels.items()))] += count

    def tally(self, name: str, /, **labels: str) -> Tally:
        """Return a count to be counted up by whoever holds it."""
        return self._tallies.setdefault((name, tuple(sorted(labels.items()))), Tally())

    def value(self, name: str, **labels: str) -> int:
        """Return one count."""
        return self._all()[name, tuple(sorted(labels.items()))]

    def _all(self) -> Counter[tuple[str, Labels]]:
        return self._counts + Counter({key: each.count for key, each in self._tallies.items()})

    def exposition(self) -> str:
        """Return all figures in Prometheus' text form."""
        lines: list[str] = []
        counts = self._all()
        for name, meaning in _MEANINGS.items():
            lines += [
                f"# HELP headwater_gateway_{name}_total {meaning}.",
                f"# TYPE headwater_gateway_{name}_total counter",
            ]
            found = sorted(item for item in counts.items() if item[0][0] == name)
            lines += [f"headwater_gateway_{name}_total{_text(k[1])} {n}" for k, n in found]
        for name, figure in sorted(self.gauges.items()):
            lines += [
                f"# TYPE headwater_gateway_{name} gauge",
                f"headwater_gateway_{name} {figure}",
            ]
        return "\n".join(lines) + "\n"


def _text(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}"
