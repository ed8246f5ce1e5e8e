"""Trino's functions of times and dates in duckdb's words."""

from sqlglot import exp

from telemetry.tables import TABLES

MOMENT, MIDNIGHT, DATE = (exp.DataType.build(n) for n in ("timestamptz", "timestamp", "date"))
DATES = {
    column.name
    for table in TABLES
    for column in table.columns
    if column.type == "date" and "_" in column.name
}
"""Columns that are dates in whichever table; `day` is also what people call a time of theirs."""
_STEPS = (exp.TimestampTrunc, exp.DateTrunc, exp.DateAdd)
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.DateDiff,
             exp.TimeToUnix)  # fmt: skip


def translate_times(tree: exp.Expr) -> None:
    """Put what Trino means in the place of what duckdb would take it for."""
    for node in _inner_first(tree, exp.AtTimeZone):
        node.set("this", exp.Cast(this=node.this.copy(), to=MOMENT.copy()))
    for node in _inner_first(tree, *_STEPS, exp.AtTimeZone):
        _tell_the_moment(node, tree)
    _keep_dates(tree)
    for node in _inner_first(tree, exp.DateDiff):
        node.replace(_whole_units(node))
    for node in _inner_first(tree, exp.Anonymous):
        if node.name.lower() == "millisecond":
            node.replace(exp.paren(exp.Mod(this=node.copy(), expression=exp.Literal.number(1000))))


def _keep_dates(tree: exp.Expr) -> None:
    """Let a date to which days are added be one, and what lies between two be a duration."""
    for node in _inner_first(tree, *_STEPS, exp.Add, exp.Sub):
        if _is_date(node):
            node.replace(exp.Cast(this=node.copy(), to=DATE.copy()))
    for node in _inner_first(tree, exp.Sub):
        if _is_date(node.this) and _is_date(node.expression):
            for name in ("this", "expression"):
                node.set(name, exp.Cast(this=node.args[name].copy(), to=MIDNIGHT.copy()))


def _inner_first(tree: exp.Expr, *kinds: type[exp.Expr]) -> list[exp.Expr]:
    return list(tree.find_all(*kinds))[::-1]


def _tell_the_moment(node: exp.Expr, tree: exp.Expr) -> None:
    """Make a wall clock's time the moment that it is, where it is answered or compared.

    In Trino it is both: `hour` of it is the wall clock's, and it is told in UTC. duckdb has times
    without a zone for the first and moments for the second.
    """
    zone, select = _zone_of(node), node.find_ancestor(exp.Select)
    if zone is None or not (isinstance(node.parent, _COMPARED) or _is_answered(node, tree)):
        return
    group = select.args.get("group") if select else None
    if isinstance(node, exp.AtTimeZone) and not (group and node in group.expressions):
        node.replace(node.this.copy())
    else:
        node.replace(exp.AtTimeZone(this=exp.paren(node.copy()), zone=zone.copy()))


def _is_answered(node: exp.Expr, tree: exp.Expr) -> bool:
    """Say whether it is a column of the whole query's answer."""
    item = node.parent if isinstance(node.parent, exp.Alias) else node
    query = item.parent
    if not isinstance(query, exp.Select) or item.arg_key != "expressions":
        return False
    while query is not tree and isinstance(query.parent, exp.SetOperation):
        query = query.parent
    return query is tree


def _zone_of(node: exp.Expr) -> exp.Expr | None:
    """Return the zone of a wall clock's time, None of what is none."""
    while isinstance(node, (*_STEPS, exp.Paren)):
        node = node.this
    found = node.args.get("zone") if isinstance(node, exp.AtTimeZone) else None
    return found if isinstance(found, exp.Expr) else None


def _is_date(node: exp.Expr | None) -> bool:
    """Say whether a part of a query is a date: what is added to one is one as well."""
    match node:
        case exp.CurrentDate() | exp.Date():
            return True
        case exp.Cast():
            return bool(node.to.is_type("date"))
        case exp.Column():
            return node.name.lower() in DATES
        case exp.Add() | exp.Sub():
            return isinstance(node.expression, exp.Interval) and _is_date(node.this)
        case exp.TimestampTrunc() | exp.DateTrunc() | exp.DateAdd() | exp.Paren():
            return _is_date(node.this)
    return False


def _whole_units(node: exp.Expr) -> exp.Expr:
    """date_diff: so many whole units in Trino; duckdb counts the borders of units between both."""
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    return exp.Anonymous(
        this="date_sub", expressions=[unit, node.expression.copy(), node.this.copy()]
    )
