"""The first page of the results: a row a suite, readable without a network.

The index that Great Expectations writes is filled by scripts from the internet; its pages of
single results are made plain HTML, and linked from here.
"""

import html
import json
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Headwater: data quality</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; color: #222 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .35rem .8rem; border-bottom: 1px solid #ddd }}
td.number {{ text-align: right }} .holds {{ color: #176f2c }} .fails {{ color: #b3261e }}
</style></head><body><h1>Data quality</h1>
<p>The newest result of each suite; those that do not hold first.</p>
<table>
<tr><th>suite</th><th>verdict</th><th>expectations</th><th>that fail</th><th>held at</th></tr>
{rows}
</table></body></html>
"""
ROW = (
    '<tr><td><a href="{link}">{suite}</a></td><td class="{verdict}">{verdict}</td>'
    '<td class="number">{evaluated}</td><td class="number">{failed}</td><td>{at}</td></tr>'
)


def write_overview(results: Path, pages: Path) -> Path:
    """Write `overview.html` beside the pages and return it."""
    found = [_row(path, results, pages) for path in results.rglob("*.json")]
    rows = "\n".join(row for _, _, row in sorted(found))
    path = pages / "overview.html"
    path.write_text(PAGE.format(rows=rows), "utf-8")
    return path


def _row(path: Path, results: Path, pages: Path) -> tuple[bool, str, str]:
    said = json.loads(path.read_text("utf-8"))
    page = pages / "validations" / path.relative_to(results).with_suffix(".html")
    statistics = said["statistics"]
    row = ROW.format(
        link=html.escape(str(page.relative_to(pages))),
        suite=html.escape(said["suite_name"]),
        verdict="holds" if said["success"] else "fails",
        evaluated=statistics["evaluated_expectations"],
        failed=statistics["unsuccessful_expectations"],
        at=html.escape(said["meta"]["run_id"]["run_time"][:19].replace("T", " ") + " UTC"),
    )
    return bool(said["success"]), said["suite_name"], row
