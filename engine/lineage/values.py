"""What flows into a value of a query, and what a function of DuckDB's plan makes of its arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

Node = dict[str, Any]  # an object of DuckDB's plan

LIGHT = "~"  # wrapped without being mixed: a cast, a rounding; "computed from", but still summed as itself
_LARGEST = 2_000  # parts of a nested value that are told apart; beyond it, all of them flow together
_AGGREGATES = {  # the aggregates of a column, and of an expression
    "sum": ("the sum of", "a sum over"),
    "avg": ("the average of", "an average over"),
    "count": ("the count of", "the count of"),
    "min": ("the minimum of", "computed from"),
    "max": ("the maximum of", "computed from"),
    "median": ("the median of", "computed from"),
}
_SAME = {"mean": "avg", "favg": "avg", "fsum": "sum", "kahan_sum": "sum", "sumkahan": "sum", "sum_no_overflow": "sum"}
_STABLE = ("the sum of", "the minimum of", "the maximum of")  # the same twice is still the same
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")  # each holds all before it
_CHOOSING = frozenset(  # aggregates and windows that give one of the values of their first argument
    """first last any_value arbitrary min max arg_max arg_min max_by min_by argmax argmin arg_max_null arg_min_null
    arg_max_nulls_last arg_min_nulls_last mode first_value last_value nth_value lag lead fill""".split()
)
_ONCE = frozenset("min max bool_and bool_or bit_and bit_or".split())  # whose result repeated rows do not change
_IN_ORDER = frozenset(  # whose result depends on the order of the rows
    """first last any_value arbitrary list array_agg string_agg group_concat listagg mode arg_max arg_min max_by min_by
    argmax argmin row_number lag lead first_value last_value nth_value ntile fill""".split()
)
_LISTS = frozenset("list_value list_pack unpivot_list array_value".split())
_SAME_ITEMS = frozenset(  # lists of items of their first argument
    """list_sort array_sort list_reverse_sort array_reverse_sort list_distinct array_distinct list_slice array_slice
    list_reverse array_reverse list_select array_select list_where array_where""".split()
)
_TRANSFORM = frozenset("list_transform array_transform list_apply array_apply apply".split())
_FILTER = frozenset("list_filter array_filter filter".split())
_REDUCE = frozenset("list_reduce array_reduce reduce".split())
_EXTRACT = frozenset("array_extract list_extract list_element struct_extract struct_extract_at".split())
_TO_JSON = frozenset("to_json row_to_json json_quote".split())
_OF_JSON = frozenset("-> ->> json_extract json_extract_string json_extract_path json_extract_path_text".split())


class Flow(NamedTuple):
    """One column of a table that a value comes from; None where only the number of rows counts."""

    table: str
    column: str | None
    via: str = "unchanged"
    direct: bool = True


Flows = tuple[Flow, ...]


@dataclass(frozen=True)
class Value:
    """What flows into a value: into all of it, into each field of a struct, into each item of a list.

    `outer`: a column of the row around a correlated subquery, as DuckDB hands it inwards.
    """

    own: Flows = ()
    fields: Mapping[str, "Value"] | None = None
    items: "Value | None" = None
    outer: bool = False

    @cached_property
    def flows(self) -> Flows:
        """All that flows into any part of it."""
        inner = [*(self.fields or {}).values(), *([self.items] if self.items else [])]
        nested = (f._replace(via=LIGHT) if f.via == "unchanged" else f for part in inner for f in part.flows)
        return each([*self.own, *nested]) if inner else self.own

    @cached_property
    def size(self) -> int:
        return 1 + sum(field.size for field in (self.fields or {}).values()) + (self.items.size if self.items else 0)

    def bounded(self) -> "Value":
        return self if self.size <= _LARGEST else Value(self.flows)

    def map(self, change: Callable[[Flow], Flow]) -> "Value":
        fields = None if self.fields is None else {name: field.map(change) for name, field in self.fields.items()}
        return Value(each(map(change, self.own)), fields, self.items.map(change) if self.items else None)

    def plus(self, flows: Iterable[Flow]) -> "Value":
        """The same value, into all of which something else flows, too."""
        return Value(each([*self.own, *flows]), self.fields, self.items)

    def field(self, name: str | int) -> "Value":
        """One field of a struct; what is not known of its fields flows into each of them."""
        if self.fields is None:
            return Value(tuple(through("struct_extract", flow) for flow in self.flows))
        names = list(self.fields)
        if isinstance(name, int):
            found = self.fields[names[name]] if 0 <= name < len(names) else None
        else:
            found = next((field for key, field in self.fields.items() if key.lower() == name.lower()), None)
        return Value(self.flows) if found is None else found.plus(self.own)

    def item(self) -> "Value":
        """Any item of a list."""
        if self.items is None:
            return Value(tuple(through("list_extract", flow) for flow in self.flows))
        return self.items.plus(self.own)


NOTHING = Value()


def each(flows: Iterable[Flow]) -> Flows:
    """Each flow once: a column that is named twenty times in each of six queries is 64 million flows."""
    return tuple(dict.fromkeys(flows))


def indirect(flow: Flow, via: str) -> Flow:
    """A flow that only decides about a value or about rows."""
    return Flow(flow.table, flow.column, via if flow.direct else flow.via, direct=False)


def deciding(values: Iterable[Value], via: str) -> Flows:
    """What a condition, a grouping or an ordering looks at. How many rows there are elsewhere is no column."""
    return each(indirect(flow, via) for value in values for flow in value.flows if flow.column is not None)


def either(values: Sequence[Value]) -> Value:
    """A value that is one of some others, part by part where their parts are known."""
    values = [value for value in values if value != NOTHING]
    if len(values) < 2:
        return values[0] if values else NOTHING
    own = each(flow for value in values for flow in value.own)
    if any(value.fields is not None for value in values) and all(value.items is None for value in values):
        names = dict.fromkeys(name for value in values for name in value.fields or ())
        fields = {name: either([v.fields[name] for v in values if v.fields and name in v.fields]) for name in names}
        return Value(own, fields).bounded()
    if any(value.items is not None for value in values) and all(value.fields is None for value in values):
        return Value(own, items=either([value.items for value in values if value.items])).bounded()
    return Value(each(flow for value in values for flow in value.flows))


def through(name: str, flow: Flow, *, distinct: bool = False) -> Flow:
    """A flow after one more operation."""
    if not flow.direct:
        return flow
    via = "computed from"
    aggregate = _SAME.get(name, name)
    if aggregate in _AGGREGATES:
        of_column, of_expression = _AGGREGATES[aggregate]
        if aggregate == "count" and distinct:
            of_column = of_expression = "the number of different"
        if flow.via in ("unchanged", LIGHT) or (flow.via == of_column and of_column in _STABLE):
            via = of_column
        elif flow.via == "computed from":
            via = of_expression
    elif name in ("__cast", "round", "coalesce", "case"):
        via = LIGHT if flow.via == "unchanged" else flow.via
    return Flow(flow.table, flow.column, via)


def light(flow: Flow) -> Flow:
    return through("__cast", flow)


class Expressions:
    """Evaluates expressions of a plan over the columns that their operator reads.

    `inputs` are these columns by position, `bindings` those of the one operator that names them by table,
    `rows` the tables whose rows they are, `order` what these rows are sorted by, `repeats` what only decides how many
    times the same row is there.
    """

    def __init__(
        self,
        inputs: Sequence[Value],
        rows: Sequence[str] = (),
        order: Flows = (),
        repeats: Flows = (),
        bindings: Mapping[int, Sequence[Value]] | None = None,
    ) -> None:
        self.inputs, self.rows, self.order, self.repeats = inputs, rows, order, repeats
        self.bindings = bindings or {}

    def __call__(self, node: Node) -> Value:
        kind = node.get("expression_class")
        if kind == "BOUND_REF":
            return self.inputs[node.get("index", 0)]
        if kind == "BOUND_COLUMN_REF":
            table, column = int(node["binding"]["table_index"]), int(node["binding"]["column_index"])
            return self.bindings[table][column]
        if kind == "BOUND_CONSTANT":
            return NOTHING
        if kind == "BOUND_FUNCTION":
            return self._function(node).bounded()
        if kind == "BOUND_CASE":
            return self._case(node)
        if kind == "BOUND_AGGREGATE":
            return self._aggregate(node, _name(node)).bounded()
        if kind == "BOUND_WINDOW":
            return self._window(node).bounded()
        if kind == "BOUND_UNNEST":
            return self(node["child"]).item()
        if kind == "BOUND_OPERATOR" and node["type"] in ("OPERATOR_COALESCE", "OPERATOR_TRY"):
            return either([value.map(light) for value in self.children(node)])
        return self._mixed(str(kind), [self(child) for child in expressions(node)])

    def children(self, node: Node) -> list[Value]:
        return [self(child) for child in node.get("children", [])]

    def _mixed(self, name: str, arguments: Iterable[Value]) -> Value:
        return Value(each(through(name, flow) for value in arguments for flow in value.flows))

    def _case(self, node: Node) -> Value:
        checks = node.get("case_checks", [])
        results = [self(check["then_expr"]) for check in checks] + [self(node["else_expr"])]
        conditions = deciding([self(check["when_expr"]) for check in checks], "depending on")
        return either([value.map(light) for value in results]).plus(conditions)

    def _function(self, node: Node) -> Value:
        name, nodes = _name(node), node.get("children", [])
        if any(child.get("expression_class") == "BOUND_LAMBDA" for child in nodes):
            return self._with_lambda(name, nodes)
        arguments = [self(child) for child in nodes]
        if name == "__cast":
            return self._cast(node, nodes[0], arguments[0])
        if name in ("struct_pack", "row"):
            return Value(fields=dict(zip(_names(node, len(arguments)), arguments, strict=True)))
        if name == "struct_insert" and arguments[0].fields is not None:
            before = len(arguments[0].fields)
            names = _names(node, before + len(arguments) - 1)
            return Value(
                arguments[0].own, {**arguments[0].fields, **dict(zip(names[before:], arguments[1:], strict=True))}
            )
        if name in _LISTS:
            return Value(items=either(arguments))
        if name in _SAME_ITEMS:
            others = arguments if name.endswith("_distinct") else arguments[1:]
            return arguments[0].map(light).plus(deciding(others, "depending on"))
        if name in _EXTRACT:
            return self._extracted(name, nodes, arguments)
        if name in _TO_JSON and len(arguments) == 1:
            return arguments[0].map(light)
        if name == "json_object" and len(arguments) % 2 == 0 and all(map(_constant, nodes[::2])):
            return Value(
                fields={str(_constant(key)): value for key, value in zip(nodes[::2], arguments[1::2], strict=True)}
            )
        if name in _OF_JSON and len(arguments) == 2 and (found := _at(arguments[0], _constant(nodes[1]))):
            return found.map(light)
        return self._mixed(name, arguments)

    def _cast(self, node: Node, source: Node, value: Value) -> Value:
        before, after = source.get("return_type", {}).get("id"), node.get("return_type", {}).get("id")
        wider = before in _WHOLE and after in _WHOLE and _WHOLE.index(before) <= _WHOLE.index(after)
        if wider or before == after == "DECIMAL" or (before in _WHOLE and after == "DECIMAL"):
            return value
        if value.fields is not None and after in ("STRUCT", "TUPLE"):
            names = _names(node, len(value.fields))
            if {name.lower() for name in names} != {name.lower() for name in value.fields}:
                value = Value(value.own, dict(zip(names, value.fields.values(), strict=True)))
        elif after not in ("LIST", "ARRAY") or value.items is None:
            value = Value(value.flows)
        return value.map(light)

    def _extracted(self, name: str, nodes: Sequence[Node], arguments: Sequence[Value]) -> Value:
        key, value = _constant(nodes[1]), arguments[0]
        if name == "struct_extract_at" and isinstance(key, int):
            return value.field(key - 1)
        if isinstance(key, str) and (name == "struct_extract" or value.fields is not None):
            return value.field(key)
        if name == "struct_extract" or nodes[0].get("return_type", {}).get("id") in ("STRUCT", "TUPLE"):
            return value.field(key - 1) if isinstance(key, int) else Value(value.flows)
        return value.item().plus(deciding(arguments[1:], "depending on"))

    def _with_lambda(self, name: str, nodes: Sequence[Node]) -> Value:
        """A function of a list and a lambda, which reads its parameters, the last one first, and what it captures."""
        at = next(i for i, node in enumerate(nodes) if node.get("expression_class") == "BOUND_LAMBDA")
        values = [self(node) for i, node in enumerate(nodes) if i != at]
        source, captured = values[0], values[at:]
        count = nodes[at].get("parameter_count", 0)

        def made(*parameters: Value) -> Value:
            given = [*parameters, *[NOTHING] * (count - len(parameters))]
            inner = Expressions([*reversed(given), *captured], self.rows, self.order, self.repeats, self.bindings)
            return inner(nodes[at]["lambda_expr"])

        if name in _TRANSFORM and at == 1:
            return Value(source.own, items=made(source.item()))
        if name in _FILTER and at == 1:
            return source.plus(deciding([made(source.item())], "filtered by"))
        everything = self._mixed(name, [source, *values[1:at], *captured])
        if name in _REDUCE and at == 1:
            once = made(everything, source.item())
            return either([once, everything]).plus(source.own)
        return self._mixed(name, [made(*[everything] * count), everything])

    def _aggregate(self, node: Node, name: str) -> Value:
        nodes = node.get("children", [])
        arguments = [self(child) for child in nodes]
        filters = [self(node[key]) for key in ("filter", "filters") if node.get(key)]
        decides = deciding(filters, "filtered by")
        distinct = node.get("aggregate_type") == "DISTINCT" or bool(node.get("distinct"))
        orders = (node.get("order_bys") or {}).get("orders", []) + node.get("arg_orders", [])
        once = (name in _ONCE and not _is_list(node)) or (distinct and (orders or name not in _IN_ORDER))
        if not once:  # repeated rows change the order of the others, too
            decides += self.repeats
        order = deciding([self(order["expression"]) for order in orders], "sorted by")
        if not orders and not node.get("orders") and name in _IN_ORDER:
            order = self.order
        if name in ("list", "array_agg"):
            alike = deciding(arguments, "depending on") if distinct else ()  # they decide how many are left
            return Value(each([*decides, *alike]), items=arguments[0].plus(order))
        decides += order
        if name == "count_star" or (name == "count" and not any(value.flows for value in arguments)):
            counted = () if name == "count" and not all(map(constant_node, nodes)) else self.rows
            return Value(each([*(Flow(table, None, "the count of rows of") for table in counted), *decides]))
        if name in _CHOOSING and arguments:
            rest = arguments[1:]
            if name in ("lag", "lead") and len(arguments) > 2:
                arguments, rest = [either([arguments[0], arguments[2].map(light)])], [arguments[1]]
            via = "sorted by" if name.startswith(("arg", "m")) else "depending on"
            chosen = arguments[0].map(lambda flow: through(name, flow))
            if name.startswith(("arg", "max", "min")) and _is_list(node):  # the first n of them
                chosen = Value(items=chosen)
            return chosen.plus([*deciding(rest, via), *decides])
        flows = (through(name, flow, distinct=distinct) for value in arguments for flow in value.flows)
        return Value(each([*flows, *decides]))

    def _window(self, node: Node) -> Value:
        name = _name(node) or node["type"].removeprefix("WINDOW_").lower()
        value = self._aggregate(node, {"rank_dense": "rank"}.get(name, name))
        parted = [self(child) for child in node.get("partitions", [])]
        partitions = deciding([value for value in parted if not value.outer], "grouped by")
        orders = deciding([self(order["expression"]) for order in node.get("orders", [])], "sorted by")
        bounds = deciding([self(node[key]) for key in ("start_expr", "end_expr") if node.get(key)], "depending on")
        return value.plus([*partitions, *orders, *bounds, *self.repeats])


def expressions(node: Any) -> list[Node]:
    """The expressions right below an object of a plan, whatever their key."""
    found: list[Node] = []
    for key, part in node.items():
        for inner in part if isinstance(part, list) else [part]:
            if key != "function_data" and isinstance(inner, dict):
                found += [inner] if "expression_class" in inner else expressions(inner)
    return found


def _name(node: Node) -> str:
    path = node.get("qname", {}).get("path", [])
    return str(path[-1]).lower() if path else ""


def _names(node: Node, count: int) -> list[str]:
    """The names of the fields of a struct that a node gives; their places where they have none."""
    types = (node.get("return_type", {}).get("type_info") or {}).get("child_types", [])
    names = [str(child.get("first") or i) for i, child in enumerate(types)]
    return names if len(names) == count else [str(i) for i in range(count)]


def _is_list(node: Node) -> bool:
    return bool(node.get("return_type", {}).get("id") == "LIST")


def constant_node(node: Node) -> bool:
    if _name(node) == "__cast":
        return constant_node(node["children"][0])
    return bool(node.get("expression_class") == "BOUND_CONSTANT")


def _constant(node: Node) -> Any:
    """The value of a constant, through casts; None of everything else."""
    if _name(node) == "__cast":
        return _constant(node["children"][0])
    return (node.get("value") or {}).get("value") if node.get("expression_class") == "BOUND_CONSTANT" else None


def _at(value: Value, path: Any) -> Value | None:
    """What a JSON path of plain names leads to, where the fields on it are known."""
    if not isinstance(path, str) or path.startswith("/") or value.fields is None:
        return None
    at = value
    for name in path.removeprefix("$.").split(".") if path.startswith("$.") else [path]:
        if at.fields is None:
            return Value(at.flows)  # no more is known of it
        if name not in at.fields:
            return None
        at = at.fields[name].plus(at.own)
    return at
