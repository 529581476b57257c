"""Which columns a SQL model's columns come from, and how: read from the SQL, never from the data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

INDIRECT = ("grouped by", "joined on", "filtered by", "sorted by", "depending on")

_LIGHT = "~"  # wrapped without being mixed: a cast, a rounding; "computed from", but still summed as itself
_LIGHT_NODES = (exp.Cast, exp.TryCast, exp.Round, exp.Coalesce, exp.Nullif, exp.Distinct, exp.Case, exp.If)
_AGGREGATES: dict[type[exp.Expr], tuple[str, str]] = {  # of a column itself, of an expression
    exp.Sum: ("the sum of", "a sum over"),
    exp.Avg: ("the average of", "an average over"),
    exp.Count: ("the count of", "the count of"),
    exp.Min: ("the minimum of", "computed from"),
    exp.Max: ("the maximum of", "computed from"),
    exp.Median: ("the median of", "computed from"),
}
_STABLE = ("the sum of", "the minimum of", "the maximum of")  # the same twice is still the same


@dataclass(frozen=True)
class ColumnEdge:
    """One way from an input column to a column of the model.

    `from_column` is None where only the number of rows counts. `direct`: the value itself flows;
    otherwise the column decides which rows or groups there are.
    """

    from_table: str
    from_column: str | None
    to_column: str
    via: str
    direct: bool


class _Unfollowed(Exception):
    """A column that cannot be traced; the caller falls back to every input column."""


@dataclass(frozen=True)
class _Flow:
    table: str
    column: str | None
    via: str = "unchanged"
    direct: bool = True


@dataclass
class _Traced:
    """The columns of a query in order, and what decides about its rows as a whole."""

    columns: list[tuple[str, list[_Flow]]]
    around: list[_Flow]

    def named(self, name: str) -> list[_Flow]:
        for column, flows in self.columns:
            if column.lower() == name.lower():
                return flows
        raise _Unfollowed(name)


def traced(
    sql: str, schemas: Mapping[str, Mapping[str, str]], outputs: Sequence[str] | None, _: object
) -> list[ColumnEdge]:
    """What a child does to trace a model: a short text can mean a very large tree."""
    return columns(sql, schemas, outputs)


def untraced(schemas: Mapping[str, Mapping[str, str]], outputs: Sequence[str]) -> list[ColumnEdge]:
    """The edges of a SELECT that cannot be traced: each column is computed from all columns it may read."""
    tables = {name.lower(): (name, {column.lower(): column for column in types}) for name, types in schemas.items()}
    return _edges(_unknown(outputs, _Tracer(tables).everything(None)))


def columns(
    sql: str, schemas: Mapping[str, Mapping[str, str]], outputs: Sequence[str] | None = None
) -> list[ColumnEdge]:
    """The column edges of one SELECT.

    `schemas` are the tables it may read. `outputs` are the names that the built table really has, where
    they are known: columns without an alias have no name in the SQL. What cannot be followed comes
    "computed from" every column of the tables that the SQL reads.
    """
    tables = {name.lower(): (name, {column.lower(): column for column in types}) for name, types in schemas.items()}
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return _edges(_unknown(outputs, _Tracer(tables).everything(None)))
    tracer = _Tracer(tables)
    tracer.prepare(tree)
    read = tracer.everything(tree)
    written = tree.named_selects if isinstance(tree, exp.Query) else []
    try:
        traced = tracer.model(tree)
    except Exception:  # noqa: BLE001 - sqlglot breaks on some valid SQL: then every column read leads to every one written
        traced = _unknown(outputs or [name for name in written if name != "*"], read)
    if outputs is not None and len(outputs) != len(traced.columns):
        traced = _unknown(outputs, read)
    elif outputs is not None:
        traced.columns = [(name, flows) for name, (_, flows) in zip(outputs, traced.columns, strict=True)]
    else:
        spelled = {column.lower(): column for types in schemas.values() for column in types}
        spelled |= {name.lower(): name for name in written}
        traced.columns = [(spelled.get(name, name), flows) for name, flows in traced.columns]
    return _edges(traced)


class _Tracer:
    def __init__(self, tables: Mapping[str, tuple[str, dict[str, str]]]) -> None:
        self.tables = tables
        self.traced: dict[int, _Traced] = {}
        self.common: dict[str, exp.Expr] = {}  # common table expressions of the statement

    def model(self, tree: exp.Expr) -> _Traced:
        schema = MappingSchema(
            {table: dict.fromkeys(names, "VARCHAR") for table, (_, names) in self.tables.items()},
            dialect="duckdb",
            normalize=False,
        )
        tree = qualify(tree, dialect="duckdb", schema=schema, validate_qualify_columns=False, identify=False)
        scope = build_scope(tree)
        if scope is None:
            raise _Unfollowed("not a query")
        return self.query(scope)

    def everything(self, tree: exp.Expr | None) -> list[_Flow]:
        """Every column of every table that is read anywhere in the expression; without one, of all tables."""
        names = list(self.tables) if tree is None else self._read(tree)
        return [
            _Flow(table, column, "computed from")
            for table, by_lower in (self.tables.get(name, (name, {})) for name in names)
            for column in by_lower.values() or (None,)
        ]

    def _read(self, tree: exp.Expr) -> list[str]:
        """The tables that an expression reads, by itself or through common table expressions."""
        names: dict[str, None] = {}
        seen: set[str] = set()
        trees = [tree]
        while trees:
            for table in trees.pop().find_all(exp.Table):
                name = table.name.lower()
                if name in self.tables or name not in self.common:
                    names[name] = None
                if name in self.common and name not in seen:
                    seen.add(name)
                    trees.append(self.common[name])
        return list(names)

    def prepare(self, tree: exp.Expr) -> None:
        """Makes `navigate.orders` one name, whatever SQL makes of the dot, and remembers what is named inside."""
        self.common = {cte.alias.lower(): cte.this for cte in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            full = f"{table.db}.{table.name}".lower()
            if table.db:
                name = full if full in self.tables else table.name.lower()
                if not table.alias:
                    table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name.lower(), quoted=True)))
                table.set("this", exp.to_identifier(name, quoted=True))
                table.set("db", None)
                table.set("catalog", None)

    # queries

    def query(self, scope: Scope) -> _Traced:
        key = id(scope.expression)
        if key in self.traced:
            return self.traced[key]
        traced = self._query(scope)
        if _reads_itself(scope.expression):
            read = self.everything(scope.expression)
            traced = _Traced([(name, read) for name, _ in traced.columns], traced.around)
        self.traced[key] = traced
        return traced

    def _query(self, scope: Scope) -> _Traced:
        tree = scope.expression
        if isinstance(tree, exp.SetOperation):
            return self._set_operation(scope, tree)
        if isinstance(tree, exp.Select):
            return self._select(scope, tree)
        if isinstance(tree, exp.Subquery):
            inner = next(iter(scope.subquery_scopes or scope.derived_table_scopes), None)
            if inner is not None:
                return self.query(inner)
        raise _Unfollowed(tree.key)

    def _set_operation(self, scope: Scope, tree: exp.SetOperation) -> _Traced:
        left, right = (self.query(part) for part in scope.set_operation_scopes)
        around = [*left.around, *right.around]
        if isinstance(tree, exp.Except | exp.Intersect):
            decides = [_indirect(flow, "filtered by") for _, flows in right.columns for flow in flows]
            return _Traced(left.columns, [*around, *decides])
        if tree.args.get("by_name"):
            names = list(dict.fromkeys(name for name, _ in [*left.columns, *right.columns]))
            of = [{name.lower(): flows for name, flows in side.columns} for side in (left, right)]
            merged = [(name, [flow for side in of for flow in side.get(name.lower(), [])]) for name in names]
            return _Traced(merged, around)
        if len(left.columns) != len(right.columns):
            raise _Unfollowed("the two sides differ")
        pairs = zip(left.columns, right.columns, strict=True)
        return _Traced([(name, [*flows, *others]) for (name, flows), (_, others) in pairs], around)

    def _select(self, scope: Scope, tree: exp.Select) -> _Traced:
        around = []
        for _, source in scope.selected_sources.values():
            if isinstance(source, Scope) and isinstance(source.expression, exp.Query):
                around += self.query(source).around
        for join in tree.args.get("joins") or []:
            around += self._deciding(scope, join.args.get("on"), "joined on")
        for clause in ("where", "having", "qualify"):
            around += self._deciding(scope, tree.args.get(clause), "filtered by")

        grouped = self._groups(scope, tree)
        traced = []
        for projection in tree.selects:
            if projection.is_star or projection.find(exp.Columns):
                raise _Unfollowed("a star that is not spelled out")
            try:
                flows = list(self.flows(scope, projection))
            except _Unfollowed:
                flows = self.everything(scope.expression)
            flows = [*flows, *(grouped if projection.find(exp.AggFunc) else [])]
            traced.append((projection.alias_or_name, list(dict.fromkeys(flows))))

        by_name = {name.lower(): flows for name, flows in traced}
        cut = tree.args.get("limit") or tree.args.get("offset") or tree.args.get("distinct")
        order = tree.args.get("order") if cut or not scope.is_root else None  # at the end, it changes no value
        for column in order.find_all(exp.Column) if order else []:
            sorted_by = by_name.get(column.name.lower()) if not column.table else self.column(scope, column)
            around += [_indirect(flow, "sorted by") for flow in sorted_by or [] if flow.direct]
        return _Traced(traced, list(dict.fromkeys(around)))

    def _groups(self, scope: Scope, tree: exp.Select) -> list[_Flow]:
        group = tree.args.get("group")
        if group is None:
            return []
        keys: list[exp.Expr] = [group]
        if group.args.get("all"):
            keys = [projection for projection in tree.selects if not projection.find(exp.AggFunc)]
        return [flow for key in keys for flow in self._deciding(scope, key, "grouped by")]

    def _deciding(self, scope: Scope, node: exp.Expr | None, via: str) -> list[_Flow]:
        """What a condition, a grouping or an ordering looks at."""
        if node is None:
            return []
        try:
            looked_at = list(self.flows(scope, node))
        except _Unfollowed:
            looked_at = self.everything(scope.expression)
        return [_Flow(flow.table, flow.column, via, direct=False) for flow in looked_at]

    # expressions

    def flows(self, scope: Scope, node: exp.Expr) -> Iterator[_Flow]:
        """What flows into an expression, and how."""
        if isinstance(node, exp.Column):
            yield from self.column(scope, node)
        elif isinstance(node, exp.Alias | exp.Paren):
            yield from self.flows(scope, node.this)
        elif isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query")):
            yield from (_indirect(flow, "depending on") for flow in self._children(scope, node))
        elif isinstance(node, exp.Query):
            yield from self._subquery(scope, node)
        elif isinstance(node, exp.Count) and isinstance(node.this, exp.Star | exp.Literal | type(None)):
            yield from (_Flow(table, None, "the count of rows of") for table in self._tables(scope))
        elif isinstance(node, exp.Window):
            yield from self.flows(scope, node.this)
            for key in node.args.get("partition_by") or []:
                yield from self._deciding(scope, key, "grouped by")
            yield from self._deciding(scope, node.args.get("order"), "sorted by")
        elif isinstance(node, exp.Filter):
            yield from self.flows(scope, node.this)
            yield from self._deciding(scope, node.expression, "filtered by")
        elif isinstance(node, exp.Case | exp.If):
            yield from self._case(scope, node)
        elif isinstance(node, exp.Star | exp.Columns):
            raise _Unfollowed("a star that is not spelled out")
        else:
            yield from (_through(node, flow) for flow in self._children(scope, node))

    def _children(self, scope: Scope, node: exp.Expr) -> Iterator[_Flow]:
        """Each flow once: a column that is named twenty times in each of six queries is 64 million flows."""
        yield from dict.fromkeys(flow for child in node.iter_expressions() for flow in self.flows(scope, child))

    def _case(self, scope: Scope, node: exp.Expr) -> Iterator[_Flow]:
        branches = node.args.get("ifs") or [node]
        conditions = [branch.this for branch in branches]
        if isinstance(node, exp.Case) and node.this:
            conditions.append(node.this)
        results = [branch.args.get("true") for branch in branches]
        results += [node.args.get("default"), node.args.get("false")]
        for result in results:
            if result is not None:
                yield from (_through(node, flow) for flow in self.flows(scope, result))
        for condition in conditions:
            yield from (_indirect(flow, "depending on") for flow in self.flows(scope, condition))

    def _subquery(self, scope: Scope, node: exp.Query) -> Iterator[_Flow]:
        query = node.unnest()
        inner = next((s for s in scope.subquery_scopes if s.expression.unnest() is query), None)
        if inner is None:
            raise _Unfollowed("a subquery")
        traced = self.query(inner)
        for _, flows in traced.columns:
            yield from flows
        yield from traced.around

    def column(self, scope: Scope, column: exp.Column) -> list[_Flow]:
        source: Scope | exp.Expr | None = None
        at: Scope | None = scope
        while source is None and at is not None:  # a correlated subquery looks outwards
            source, at = at.sources.get(column.table), at.parent
        if isinstance(source, exp.Table):
            if source.args.get("pivots"):
                raise _Unfollowed("a pivot")
            table, names = self.tables.get(source.name.lower(), (source.name, {}))
            if names and column.name.lower() not in names:
                raise _Unfollowed(column.name)
            return [_Flow(table, names.get(column.name.lower(), column.name))]
        if isinstance(source, Scope) and isinstance(source.expression, exp.Query):
            return self.query(source).named(column.name)
        if isinstance(source, Scope):  # unnest, values: whatever went into it
            return [_through(source.expression, flow) for flow in self._children(source, source.expression)]
        raise _Unfollowed(column.name)

    def _tables(self, scope: Scope) -> list[str]:
        """The tables whose rows a query counts."""
        sources = [source for _, source in scope.selected_sources.values()]
        trees = [source.expression if isinstance(source, Scope) else source for source in sources]
        return list(dict.fromkeys(flow.table for tree in trees for flow in self.everything(tree)))


def _reads_itself(query: exp.Expr) -> bool:
    name = query.parent.alias if isinstance(query.parent, exp.CTE) else None
    return name is not None and any(table.name == name and not table.db for table in query.find_all(exp.Table))


def _through(node: exp.Expr, flow: _Flow) -> _Flow:
    """A flow after one more operation."""
    if not flow.direct:
        return flow
    via = "computed from"
    if type(node) in _AGGREGATES:
        of_column, of_expression = _AGGREGATES[type(node)]
        if isinstance(node, exp.Count) and isinstance(node.this, exp.Distinct):
            of_column = of_expression = "the number of different"
        if flow.via in ("unchanged", _LIGHT) or (flow.via == of_column and of_column in _STABLE):
            via = of_column
        elif flow.via == "computed from":
            via = of_expression
    elif isinstance(node, _LIGHT_NODES):
        via = _LIGHT if flow.via == "unchanged" else flow.via
    return _Flow(flow.table, flow.column, via)


def _indirect(flow: _Flow, via: str) -> _Flow:
    return _Flow(flow.table, flow.column, via if flow.direct else flow.via, direct=False)


def _unknown(names: Sequence[str] | None, read: list[_Flow]) -> _Traced:
    return _Traced([(name, read) for name in names or []], [])


def _edges(traced: _Traced) -> list[ColumnEdge]:
    edges = []
    for name, flows in traced.columns:
        direct: dict[tuple[str, str | None], set[str]] = {}
        for flow in flows:
            if flow.direct:
                direct.setdefault((flow.table, flow.column), set()).add(flow.via.replace(_LIGHT, "computed from"))
        for (table, column), vias in direct.items():
            via = vias.pop() if len(vias) == 1 else "computed from"
            edges.append(ColumnEdge(table, column, name, via, True))
        decides = {
            (flow.table, flow.column, flow.via): None
            for flow in [*flows, *traced.around]
            if not flow.direct and flow.column is not None and (flow.table, flow.column) not in direct
        }
        edges += [ColumnEdge(table, column, name, via, False) for table, column, via in decides]
    return edges
