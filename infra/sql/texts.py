"""Trino's functions of texts in duckdb's words."""

import re

from sqlglot import exp

from infra.sql.result import QueryError

CONVERSION = re.compile(r"%[-+ 0,]*\d*(?:\.\d+)?([a-zA-Z%])")
"""What stands for an argument in a pattern of `format`; `%%` stands for none."""
TYPES_OF_CONVERSIONS = {"s": "text", "d": "bigint", "f": "double", "e": "double"}


def filled_in(node: exp.Expr) -> exp.Expr:
    """format: patterns of C in Trino; duckdb has these by another name, for types that fit."""
    if not isinstance(node, exp.Format) or not isinstance(node.this, exp.Literal):
        return node
    kinds = [kind for kind in CONVERSION.findall(node.this.name) if kind != "%"]
    if len(kinds) != len(node.expressions) or not TYPES_OF_CONVERSIONS.keys() >= set(kinds):
        raise QueryError(f"format({node.this}): the light stack knows %s, %d, %f and %e")
    told = [
        exp.cast(each.copy(), TYPES_OF_CONVERSIONS[kind])
        for kind, each in zip(kinds, node.expressions, strict=True)
    ]
    return exp.Anonymous(this="printf", expressions=[node.this, *told])


def nothing_found(node: exp.Expr) -> exp.Expr:
    """What is not there: null in Trino, and 0 as a place; an empty text and null in duckdb."""
    if isinstance(node, exp.ArrayPosition):
        return exp.Coalesce(this=node.copy(), expressions=[exp.Literal.number(0)])
    if isinstance(node, exp.RegexpExtract):
        found = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
        return exp.Case().when(found, node.copy())
    if isinstance(node, exp.SplitPart):
        parts = exp.Split(this=node.this.copy(), expression=node.args["delimiter"].copy())
        count = exp.ArraySize(this=parts)
        return exp.Case().when(
            exp.GTE(this=count, expression=node.args["part_index"].copy()), node.copy()
        )
    return node


def with_groups(node: exp.Expr) -> exp.Expr:
    """regexp_replace: what a group has found is `$1` in Trino and `\\1` in duckdb."""
    told = node.args.get("replacement")
    if isinstance(node, exp.RegexpReplace) and isinstance(told, exp.Literal):
        told.set("this", re.sub(r"\$(\d)", r"\\\1", told.name))
    return node
