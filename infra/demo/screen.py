"""The demo's live table."""

from rich.table import Table

from infra.demo.figures import GOLD, Figures

STAGES = (
    ("in bronze", "bronze.messages", "records, as they came"),
    ("in silver", "silver.readings", "readings, each message once"),
    ("late", "silver.late", "readings that took longer than their product allows"),
    ("duplicates", "silver.duplicates", "messages, with the first copy's coordinates"),
    ("conflicts", "silver.conflicts", "messages: same key, other content"),
)


def screen(figures: Figures, *, elapsed_s: float, starting: bool = False) -> Table:
    """Draw one look at the flow."""
    rest = "; Trino and Dagster are starting" if starting else ""
    table = Table(title=f"Headwater, live for {elapsed_s:.0f} s{rest}", title_justify="left")
    table.add_column("stage")
    table.add_column("rows", justify="right")
    table.add_column("what")
    table.add_row("sent", f"{figures.sent:,}", f"messages; {figures.acknowledged:,} acknowledged")
    for title, name, meaning in STAGES:
        table.add_row(title, f"{figures.rows[name]:,}", meaning)
    table.add_row("rejected", f"{figures.rows['silver.rejected']:,}", _reasons(figures))
    windows = sum(figures.rows[name] for name in GOLD)
    table.add_row("gold windows", f"{windows:,}", f"in {len(GOLD)} tables, by device and by zone")
    age = "-" if figures.age_s is None else f"{figures.age_s:.1f} s"
    table.add_row("age", age, f"of the newest row; {figures.lag or 0:,} records still to land")
    return table


def _reasons(figures: Figures) -> str:
    return ", ".join(f"{rule} {count:,}" for rule, count in figures.rejected.items()) or "-"
