"""The words that SQL people write may use: kinds of nodes of both parsers, functions and types. All else is refused."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from sqlglot import exp

from core.errors import BadPipeline

ALLOWED, OPERATOR = "allowed", "operator"  # verdicts of words.tsv, which tools/sql_words.py writes; others refuse

# Node types of sqlglot's tree. It has a class for each function it knows; functions are judged in DuckDB's tree, which
# holds the name that is called.
_SQLGLOT = frozenset(
    """Add Alias Aliases All Any AtTimeZone Between BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift
    BitwiseXor Boolean Bracket ByteString CTE Collate Column ColumnDef Comprehension Cube DPipe DataType DataTypeParam
    Distance Distinct Div Dot EQ Escape Except Fetch Filter From GT GTE Glob Group GroupingSets Having HexString ILike
    Identifier IgnoreNulls In IntDiv Intersect Interval Is JSONPath JSONPathKey JSONPathRoot JSONPathSubscript
    JSONPathWildcard Join Kwarg LT LTE Lambda Lateral Like Limit LimitOptions Literal Mod Mul NEQ Neg Not Null
    NullSafeEQ NullSafeNEQ Offset Order Ordered Paren Pivot PositionalColumn PropertyEQ Qualify RawString RespectNulls
    Rollup Select SimilarTo Slice Star Sub Subquery Table TableAlias Tuple Union UnpivotColumns Values Var Where Window
    WindowSpec With WithinGroup""".split()
)

# Values of `type` in DuckDB's tree: expressions, queries, what stands after FROM, and what modifies a query.
_DUCKDB = frozenset(
    """ARRAY_EXTRACT ARRAY_SLICE ASCENDING BASE_TABLE CASE_EXPR COLLATE COLUMN_REF COMPARE_BETWEEN COMPARE_DISTINCT_FROM
    COMPARE_EQUAL COMPARE_GREATERTHAN COMPARE_GREATERTHANOREQUALTO COMPARE_IN COMPARE_LESSTHAN
    COMPARE_LESSTHANOREQUALTO COMPARE_NOTEQUAL COMPARE_NOT_BETWEEN COMPARE_NOT_DISTINCT_FROM COMPARE_NOT_IN
    CONJUNCTION_AND CONJUNCTION_OR CTE_NODE DESCENDING DISTINCT_MODIFIER EMPTY EXPRESSION_LIST FUNCTION
    GROUPING_FUNCTION JOIN LAMBDA LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER OPERATOR_CAST OPERATOR_COALESCE
    OPERATOR_IS_NOT_NULL OPERATOR_IS_NULL OPERATOR_NOT OPERATOR_NULLIF OPERATOR_TRY OPERATOR_UNPACK ORDER_DEFAULT
    ORDER_MODIFIER PIVOT POSITIONAL_REFERENCE RECURSIVE_CTE_NODE SELECT_NODE SET_OPERATION_NODE STAR STRUCT_EXTRACT
    SUBQUERY TABLE_FUNCTION TYPE VALUE_CONSTANT WINDOW_AGGREGATE WINDOW_CUME_DIST WINDOW_FILL WINDOW_FIRST_VALUE
    WINDOW_LAG WINDOW_LAST_VALUE WINDOW_LEAD WINDOW_NTH_VALUE WINDOW_NTILE WINDOW_PERCENT_RANK WINDOW_RANK
    WINDOW_RANK_DENSE WINDOW_ROW_NUMBER""".split()
)
_LITERALS = frozenset("BOOLEAN HEX INTEGER NULL_LITERAL NUMERIC STRING".split())  # a BIT may be of any length
_AFTER_FROM = frozenset(["unnest"])  # functions
# names that DuckDB takes for a function where no column is called so
_SESSION = frozenset("user current_user session_user current_role current_catalog current_schema".split())

_LARGEST = 1_000  # letters, or values a group, that one call may ask for
_SIZES = {"lpad": 1, "rpad": 1, "repeat": 1, "to_base": 2, "bar": 3, "approx_top_k": 1, "lttb": 2}  # argument from 0
_GROWING = frozenset(["repeat", "lpad", "rpad"])
_FORMATS = frozenset(["format", "printf"])
_WIDTH = re.compile(r"\d{4,}|\*|\{[^{}]*\{")  # a width of a thousand letters or more, or taken from a value


@cache
def verdicts(kind: str) -> dict[str, str]:
    """Verdict by name of all names of a kind (scalar, aggregate, type) that the reviewed DuckDB has."""
    lines = Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines()
    return {name: verdict for of, name, verdict in (line.split("\t") for line in lines) if of == kind}


def only_known_nodes(tree: exp.Expr) -> None:
    """Raises BadPipeline for a node of sqlglot's tree that may not stand in SQL that people write."""
    for node in tree.walk():
        if not isinstance(node, exp.Func) and type(node).__name__ not in _SQLGLOT:
            text = node.this if isinstance(node, exp.Command) and isinstance(node.this, str) else node.key.upper()
            raise _refused(f"`{short(text)}`")


def only_known_words(tree: Any) -> None:
    """Raises BadPipeline for a node, function or type of DuckDB's tree that is not on the lists."""
    for node in nodes(tree):
        kind, literal = node.get("type"), (node.get("literal") or {}).get("kind", "STRING")
        if isinstance(kind, str) and kind not in _DUCKDB:
            raise _refused(f"`{kind.partition('_')[0]}`")
        if literal not in _LITERALS:
            raise _refused(f"A literal of the type {literal}", "one value of it can fill the memory")
        if node.get("sample"):
            raise _refused("`SAMPLE`", "a table must come out the same when it is built again",
                           "where hash(id) % 100 < 10")  # fmt: skip
        if kind == "TABLE_FUNCTION" and (name := node["function"].get("function_name")) not in _AFTER_FROM:
            raise BadPipeline(f"`{short(str(name))}` is not allowed after FROM: only tables and unnest are.")
        if kind == "COLUMN_REF" and len(path := node["column_names"]) == 1 and path[0].lower() in _SESSION:
            raise _refused(f"`{path[0]}`", "without a column of this name it reads the session", f"TABLE.{path[0]}")
        if kind == "TYPE":
            _is_a_known_type(node)
        elif "function_name" in node:
            _may_be_called(node)


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in a tree of JSON, however deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def short(sql: str) -> str:
    return sql if len(sql) <= 80 else sql[:80] + "…"


def _is_a_known_type(node: dict[str, Any]) -> None:
    name = str(node["type_name"]).lower()
    verdict = verdicts("type").get(name)
    if verdict != ALLOWED or len(node["qualified_name"]["path"]) > 1:
        raise _refused(f"The type `{short(name)}`", verdict, _nearest(name, _names(("type",))))


def _may_be_called(node: dict[str, Any]) -> None:
    name, path = str(node["function_name"]).lower(), node["qualified_name"]["path"]
    verdict = verdicts("scalar").get(name) or verdicts("aggregate").get(name)
    if node.get("is_operator"):
        # OPERATOR(schema.name) calls any function between two values
        if verdict != OPERATOR or len(path) > 1:
            raise _refused(
                f"The operator `{short('.'.join(path))}`", None if verdict in (ALLOWED, OPERATOR) else verdict
            )
        return
    if verdict == OPERATOR:
        raise _refused(f"`{name}` as a function", "it is an operator; write it between its values")
    if verdict != ALLOWED:
        known = _names(("scalar", "aggregate"))
        raise _refused(f"The function `{short(name)}`", verdict, _nearest(name, known))
    arguments = [argument["expression"] for argument in node["arguments"]]
    if name in (*_SIZES, *_FORMATS) and len(path) > 1:
        # in a.repeat(9) DuckDB's parser takes the first argument for a schema
        raise _refused(f"`{name}` after a dot", "its size cannot be checked", f"{name}(…)")
    if name in _SIZES and len(arguments) > _SIZES[name]:
        size = arguments[_SIZES[name]].get("literal") or {}
        if size.get("kind") != "INTEGER" or int(size["text"]) > _LARGEST:
            raise _refused(f"`{name}` of any size", f"its size must be a number up to {_LARGEST:,}")
        if name in _GROWING and any(inner.get("function_name") in _GROWING for inner in nodes(arguments)):
            raise _refused(f"`{name}` of what is made longer already", "together they have no bound")
    if name in _FORMATS and arguments:
        text = arguments[0].get("literal") or {}
        if text.get("kind") != "STRING" or _WIDTH.search(text["text"]):
            raise _refused(
                f"`{name}` of any width", f"its first argument must be a text with widths below {_LARGEST:,}"
            )


def _names(kinds: tuple[str, ...]) -> list[str]:
    return [name for kind in kinds for name, verdict in verdicts(kind).items() if verdict == ALLOWED]


def _nearest(name: str, names: list[str]) -> str | None:
    close = get_close_matches(name, names, 1, 0.6)
    return f"Did you mean `{close[0]}`?" if close else None


def _refused(what: str, why: str | None = None, hint: str | None = None) -> BadPipeline:
    return BadPipeline(f"{what} is not allowed in SQL that people write{f': {why}' if why else ''}.", hint=hint)
