"""What to do where a check does not hold, told beside it."""

from telemetry.tables import BY_NAME

_AGAIN = "Then hold it again: `headwater job quality --tables {name}`."
_BY_LAYER = {
    "bronze": "Bronze is what came in, and is never changed: look at what wrote the rows named here"
    " (`headwater logs streams`). Silver sets aside what cannot be read.",
    "silver": "Compare its days with what bronze makes of them: `headwater job replay --from DAY"
    " --to DAY`; with `--in-place` it is mended. A key that is there twice: `headwater job dedup`.",
    "gold": "Make its days again from silver: `headwater job rebuild-gold --from DAY --to DAY`.",
    "dim": "It follows the registry: look at `headwater logs registry` and `headwater status`.",
    "ops": "Run the job again that makes it: its asset's page names it.",
}
CONSERVED = (
    "Each line names an hour and what is missing or too much in it. Compare that day with what"
    " bronze makes of it: `headwater job replay --from DAY --to DAY`; with `--in-place` silver is"
    " mended. Then prove it again: `headwater job conservation`."
)


def of_table(name: str) -> str:
    """Return what to do where a table's suite does not hold."""
    return f"{_BY_LAYER[BY_NAME[name].layer]} {_AGAIN.format(name=name)}"
