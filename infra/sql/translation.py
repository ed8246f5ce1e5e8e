"""Trino's SQL in duckdb's words."""

import logging

from sqlglot import exp
from sqlglot import parse as parse_all
from sqlglot.errors import ParseError, TokenError
from sqlglot.optimizer.scope import traverse_scope

from infra.sql.result import QueryError
from infra.sql.texts import filled_in, nothing_found, with_groups
from infra.sql.times import translate_times
from telemetry.tables import TABLES

logging.getLogger("sqlglot").setLevel(logging.ERROR)
NAMED = (exp.Alias, exp.Column)
WHOLE = ("tinyint", "smallint", "int", "bigint")
MAPS = {
    column.name for table in TABLES for column in table.columns if column.type.startswith("map<")
}


def parse(query: str) -> exp.Expr:
    """Return the one query's tree; refuse what is not a query."""
    try:
        trees = [tree for tree in parse_all(query, read="trino") if tree is not None]
    except ParseError as error:
        found = error.errors[0]
        where = f"line {found['line']}:{found['col']}: "
        raise QueryError(f"{where}{found['description']}") from error
    except TokenError as error:
        raise QueryError(" ".join(str(error).split())) from error
    if len(trees) != 1:
        raise QueryError(f"one query at a time, these are {len(trees)}")
    if not isinstance(trees[0], exp.Query | exp.Values):
        raise QueryError("the tables are read-only here: select, with, values, show or describe")
    return trees[0]


def tables_in(tree: exp.Expr) -> list[exp.Table]:
    """Return the tables that a query reads, its own common table expressions apart."""
    return [
        source
        for scope in traverse_scope(tree)
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier)
    ]


def to_duckdb(tree: exp.Expr) -> str:
    """Return the query for duckdb, with the names that Trino gives to columns."""
    translated = tree.copy()
    _name_columns(translated)
    translate_times(translated)
    for cast in list(translated.find_all(exp.Cast))[::-1]:
        _round(cast)
    rewrites = (
        *(_any_match, _unnest_rows, _greatest_by, _text_of_bytes, _size_of_map, _count_if),
        *(filled_in, nothing_found, with_groups, _day_of_week, _slice),
    )
    for rewrite in rewrites:
        translated = translated.transform(rewrite)
    return translated.sql(dialect="duckdb")


def position(node: exp.Expr) -> str:
    """Return `line L:C: ` of a node, or nothing where it is not known."""
    parts = [part for part in node.find_all(exp.Identifier) if "line" in part.meta]
    if not parts:
        return ""
    first = min(parts, key=lambda part: part.meta["start"])
    return f"line {first.meta['line']}:{first.meta['col'] - len(first.name) + 1}: "


def _name_columns(tree: exp.Expr) -> None:
    """Name what has no name as Trino does: _col and its place."""
    select = tree
    while isinstance(select, exp.SetOperation):
        select = select.this
    if not isinstance(select, exp.Select):
        return
    for index, item in enumerate(select.expressions):
        if not isinstance(item, NAMED) and not item.is_star:
            item.replace(exp.alias_(item.copy(), f"_col{index}"))


def _any_match(node: exp.Expr) -> exp.Expr:
    """any_match(list, test): something remains of the list when the test filters it."""
    if not isinstance(node, exp.Anonymous) or node.name.lower() != "any_match":
        return node
    values, test = node.expressions
    remaining = exp.ArrayFilter(this=values, expression=test)
    return exp.GT(this=exp.ArraySize(this=remaining), expression=exp.Literal.number(0))


def _unnest_rows(node: exp.Expr) -> exp.Expr:
    """Unnest(rows or map) as t(a, b): a column a field in Trino, one struct in duckdb."""
    alias = node.args.get("alias")
    if not isinstance(node, exp.Unnest) or not alias or len(alias.columns) < 2:
        return node
    if len(node.expressions) != 1 or node.args.get("offset"):
        return node
    rows = node.expressions[0]
    if rows.name in MAPS:
        rows = exp.Anonymous(this="map_entries", expressions=[rows])
    fields = exp.Anonymous(
        this="unnest",
        expressions=[
            rows,
            exp.PropertyEQ(this=exp.to_identifier("recursive"), expression=exp.true()),
        ],
    )
    return exp.Lateral(this=exp.Subquery(this=exp.select(fields)), alias=alias)


def _greatest_by(node: exp.Expr) -> exp.Expr:
    """max_by and min_by: Trino takes the row, also where its value is null."""
    if not isinstance(node, exp.ArgMax | exp.ArgMin):
        return node
    name = "arg_max_null" if isinstance(node, exp.ArgMax) else "arg_min_null"
    most = [node.args["count"]] if node.args.get("count") else []
    return exp.Anonymous(this=name, expressions=[node.this, node.expression, *most])


def _text_of_bytes(node: exp.Expr) -> exp.Expr:
    """from_utf8: Trino replaces what is no UTF-8; duckdb must be told so, and writes `?` for it."""
    if not isinstance(node, exp.Decode):
        return node
    return exp.Anonymous(this="decode", expressions=[node.this, exp.Literal.string("replace")])


def _size_of_map(node: exp.Expr) -> exp.Expr:
    """cardinality: one function for lists and maps in Trino, two in duckdb."""
    if not isinstance(node, exp.ArraySize) or node.this.name not in MAPS:
        return node
    return exp.Anonymous(this="cardinality", expressions=[node.this])


def _count_if(node: exp.Expr) -> exp.Expr:
    """count_if: of no rows it is 0 in Trino, and null in duckdb."""
    if not isinstance(node, exp.CountIf):
        return node
    held = exp.Case().when(node.this, exp.Literal.number(1))
    return exp.Count(this=held)


def _round(cast: exp.Cast) -> None:
    """Cast to whole numbers: Trino rounds a half away from zero, duckdb to the even one.

    What is a double is known when the query runs.
    """
    if isinstance(cast, exp.TryCast) or not cast.to.is_type(*WHOLE):
        return
    kind = exp.Anonymous(this="typeof", expressions=[cast.this.copy()])
    number = exp.TryCast(this=cast.this.copy(), to=exp.DataType.build("double"))
    whole = exp.cast(exp.Round(this=number), "bigint")
    rounded = exp.Case().when(exp.EQ(this=kind, expression=exp.Literal.string("DOUBLE")), whole)
    cast.set("this", rounded.else_(exp.cast(cast.this.copy(), "bigint")))


def _day_of_week(node: exp.Expr) -> exp.Expr:
    """Extract the day of the week: Sunday is 7 in Trino, 0 in duckdb."""
    if isinstance(node, exp.Extract) and node.name.upper() in ("DOW", "DAYOFWEEK", "DAY_OF_WEEK"):
        node.set("this", exp.var("ISODOW"))
    return node


def _slice(node: exp.Expr) -> exp.Expr:
    """slice: its last argument is how many in Trino, and the last place in duckdb."""
    if isinstance(node, exp.ArraySlice):
        start, count = node.args["start"].copy(), node.args["end"].copy()
        behind = exp.Add(this=exp.paren(start), expression=exp.paren(count))
        node.set("end", exp.Sub(this=behind, expression=exp.Literal.number(1)))
    return node
