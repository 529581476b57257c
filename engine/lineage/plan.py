"""Follows columns through the plan that DuckDB makes of a SELECT: it has resolved every name, star and subquery."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from engine.lineage.values import (
    NOTHING,
    Expressions,
    Flow,
    Flows,
    Node,
    Value,
    constant_node,
    deciding,
    each,
    either,
    expressions,
)

_ONLY_LEFT = ("SEMI", "ANTI")


class Unfollowed(Exception):
    """A plan that cannot be followed."""


@dataclass
class Relation:
    """Rows of a query: what flows into each column, and what decides which rows there are.

    `repeats` only decides how many times the same row is there. `rows` are the tables whose rows they are, `order` is
    what they are sorted by. No two rows are alike in the columns at the positions of `key`; `single` is exactly one
    row.
    """

    columns: list[Value]
    around: Flows = ()
    repeats: Flows = ()
    order: Flows = ()
    rows: tuple[str, ...] = ()
    key: frozenset[int] | None = None
    single: bool = False

    def expressions(self) -> Expressions:
        return Expressions(self.columns, self.rows, self.order, self.repeats)

    def values(self, nodes: Iterable[Node]) -> list[Value]:
        evaluate = self.expressions()
        return [evaluate(node) for node in nodes]

    def counted(self) -> Flows:
        """What decides how many rows there are."""
        return each([*self.around, *self.repeats])


class Plan:
    """Follows one plan; `common` are the queries of its WITH."""

    def __init__(self) -> None:
        self.common: dict[int, Relation] = {}

    def relation(self, node: Node) -> Relation:
        while node["type"] == "LOGICAL_MATERIALIZED_CTE":  # one in the other, as many as there are WITH
            inner, rest = node["children"]
            made = self.relation(inner)
            if inner["type"] == "LOGICAL_AGGREGATE_AND_GROUP_BY":  # the WITH of a query is a projection
                # the different rows around a correlated subquery: they are its parameters, and take nothing away
                made = Relation([replace(value, outer=True) for value in made.columns], key=made.key)
            self.common[node["table_index"]] = made
            node = rest
        follow = getattr(self, "_" + node["type"].removeprefix("LOGICAL_").lower(), None)
        if follow is None:
            raise Unfollowed(node["type"])
        found: Relation = follow(node)
        return found

    def _only(self, node: Node) -> Relation:
        return self.relation(node["children"][0])

    # where rows come from

    def _get(self, node: Node) -> Relation:
        table = (node.get("function_data") or {}).get("table")
        if table is None:
            return self._unnested(node)
        names = node["names"]
        at = [column.get("index", 0) for column in node["column_indexes"]]
        columns = [Value((Flow(table, names[i]),)) if i < len(names) else NOTHING for i in at]
        return Relation(columns, rows=(table,))

    def _unnested(self, node: Node) -> Relation:
        if not node.get("children"):
            return Relation([NOTHING] * len(node["column_indexes"]))
        child = node["children"][0]
        inner = self.relation(child["children"][0])
        bindings = {_index(child["children"][0]): inner.columns}
        evaluate = Expressions(inner.columns, inner.rows, inner.order, inner.repeats, bindings)
        values = [evaluate(expression) for expression in child["expressions"]]
        kept = [values[i] for i in node.get("projected_input", [])]
        around = each([*inner.around, *_lengths(values[:1])])
        columns = [values[0].item()] * len(node["column_indexes"]) + kept
        return replace(inner, columns=columns, around=around, key=None, single=False)

    def _dummy_scan(self, _: Node) -> Relation:
        return Relation([NOTHING], single=True)

    def _empty_result(self, node: Node) -> Relation:
        return Relation([NOTHING] * len(node.get("bindings", [])))

    def _expression_get(self, node: Node) -> Relation:
        child = self._only(node)
        rows = [child.values(row) for row in node["expressions"]]
        return replace(child, columns=[either(column) for column in zip(*rows, strict=True)], key=None, single=False)

    def _cte_ref(self, node: Node) -> Relation:
        return self.common[node["cte_index"]]

    def _recursive_cte(self, node: Node) -> Relation:
        first, again = node["children"]
        start = self.relation(first)
        found = Relation([Value(value.flows) for value in start.columns], start.counted(), rows=start.rows)
        while True:
            self.common[node["table_index"]] = found
            before = dict(self.common)
            step = self.relation(again)
            self.common = before
            columns = [either([a, Value(b.flows)]) for a, b in zip(found.columns, step.columns, strict=True)]
            around = each([*found.around, *step.counted()])
            if not node.get("union_all"):
                around = each([*around, *deciding(columns, "grouped by")])
            rows = tuple(dict.fromkeys([*found.rows, *step.rows]))
            more = Relation(columns, around, rows=rows)
            if [set(c.own) for c in columns] == [set(c.own) for c in found.columns] and set(around) == set(
                found.around
            ):
                return more
            found = more

    # one input

    def _projection(self, node: Node) -> Relation:
        child = self._only(node)
        nodes = node["expressions"]
        places: dict[int, int] = {}
        for at, expression in enumerate(nodes):
            if expression.get("expression_class") == "BOUND_REF":
                places.setdefault(expression.get("index", 0), at)
        key = None
        if child.key is not None and child.key <= places.keys():
            key = frozenset(places[i] for i in child.key)
        return replace(child, columns=child.values(nodes), key=key)

    def _filter(self, node: Node) -> Relation:
        child = self._only(node)
        if window := _numbered(node, len(child.columns)):
            child = self._some_of_each(child, window)
        else:
            decides = deciding(child.values(node.get("expressions", [])), "filtered by")
            decides = tuple(f._replace(via="filtered by") if f.via == "depending on" else f for f in decides)
            child = replace(child, around=each([*child.around, *decides]))
        kept = node.get("projection_map")
        columns = [child.columns[i] for i in kept] if kept else child.columns
        return replace(child, columns=columns, single=False, key=None if kept else child.key)

    def _some_of_each(self, child: Relation, window: Node) -> Relation:
        """The rows of each partition that have some numbers: the order decides which rows, but not how many."""
        partitions = window.get("partitions", [])
        parted = {node.get("index", 0) for node in partitions if node["expression_class"] == "BOUND_REF"}
        by = [value for value in child.values(partitions) if not value.outer]
        order = deciding(child.values(one["expression"] for one in window.get("orders", [])), "filtered by")
        order = each([*order, *child.order])
        columns = [value if i in parted else _sorted([value], order)[0] for i, value in enumerate(child.columns)]
        around = each([*child.counted(), *deciding(by, "filtered by")])
        return replace(child, columns=columns, around=around, order=order)

    def _order_by(self, node: Node) -> Relation:
        child = self._only(node)
        if child.single:
            return child
        order = deciding(child.values(one["expression"] for one in node["orders"]), "sorted by")
        return replace(child, order=each([*order, *child.order]))

    def _limit(self, node: Node) -> Relation:
        child = self._only(node)
        sizes = [node[key]["expression"] for key in ("limit_val", "offset_val") if node.get(key, {}).get("expression")]
        around = [*child.counted(), *deciding(child.values(sizes), "depending on")]
        return replace(
            child, columns=_sorted(child.columns, child.order), around=each(around), repeats=(), single=False
        )

    def _distinct(self, node: Node) -> Relation:
        child = self._only(node)
        if child.single:
            return child
        around = each([*child.around, *deciding(child.values(node.get("distinct_targets", [])), "grouped by")])
        if node["distinct_type"] != "DISTINCT_ON":
            return replace(child, around=around, repeats=(), key=frozenset(range(len(child.columns))))
        orders = (node.get("order_by") or {}).get("orders", [])
        order = [*deciding(child.values(one["expression"] for one in orders), "sorted by"), *child.order]
        columns = _sorted(child.columns, order)
        return replace(child, columns=columns, around=around, repeats=(), order=each(order), key=None)

    def _aggregate_and_group_by(self, node: Node) -> Relation:
        child = self._only(node)
        groups = child.values(node.get("groups", []))
        by = deciding([group for group in groups if not group.outer], "grouped by")
        columns = groups + child.values(node.get("expressions", []))
        columns += [NOTHING] * len(node.get("grouping_functions", []))
        one_set = len(node.get("grouping_sets", [])) < 2
        if not groups:
            inner = [value.plus(child.around) for value in columns]
            return Relation(inner, single=True, key=frozenset())
        if child.single and one_set:
            return Relation(columns, rows=child.rows, single=True, key=frozenset())
        key = frozenset(range(len(groups))) if one_set else None
        return Relation(columns, each([*child.around, *by]), rows=child.rows, key=key)

    def _window(self, node: Node) -> Relation:
        child = self._only(node)
        return replace(child, columns=child.columns + child.values(node["expressions"]))

    def _unnest(self, node: Node) -> Relation:
        child = self._only(node)
        lists = child.values(expression["child"] for expression in node["expressions"])
        columns = child.columns + [value.item() for value in lists]
        return replace(child, columns=columns, around=each([*child.around, *_lengths(lists)]), key=None, single=False)

    def _pivot(self, node: Node) -> Relation:
        child = self._only(node)
        pivot = node["bound_pivot"]
        groups = pivot.get("group_count", 0)
        aggregates, names = child.columns[groups:-1], child.columns[-1]
        by = deciding([names], "filtered by")
        wanted = len(pivot["types"]) - groups
        made = [aggregates[i % len(aggregates)].item().plus(by) for i in range(wanted)]
        return replace(child, columns=[*child.columns[:groups], *made], key=frozenset(range(groups)))

    # two inputs

    def _both(self, node: Node) -> tuple[Relation, Relation]:
        left, right = (self.relation(child) for child in node["children"])
        return left, right

    def _cross_product(self, node: Node) -> Relation:
        left, right = self._both(node)
        if right.single:
            return self._beside(left, right.columns, right.around)
        if left.single:
            beside = self._beside(right, left.columns, left.around)
            cut = len(right.columns)
            return replace(beside, columns=beside.columns[cut:] + beside.columns[:cut], key=None)
        return _joined(left, right)

    def _beside(self, left: Relation, columns: Sequence[Value], decides: Iterable[Flow]) -> Relation:
        """Rows of which each gets some more columns, and none is lost or doubled."""
        return replace(left, columns=[*left.columns, *(value.plus(decides) for value in columns)])

    def _positional_join(self, node: Node) -> Relation:
        left, right = self._both(node)
        return _joined(left, right, [*left.order, *right.order, *left.repeats, *right.repeats])

    def _comparison_join(self, node: Node, *, at_most_one: bool = False) -> Relation:
        left, right = self._both(node)
        on, equal, kind = self._conditions(node, left, right), _equal(node), node["join_type"]
        columns = [left.columns, right.columns]
        if self._parameters(node, left, right):
            columns[1] = [replace(value, outer=False) for value in right.columns]
        for side, key in enumerate(("left_projection_map", "right_projection_map")):
            if node.get(key):
                columns[side] = [columns[side][i] for i in node[key]]
        mapped = bool(node.get("left_projection_map"))
        kept = replace(left, columns=columns[0], key=None if mapped else left.key)
        if kind == "MARK":
            marked = deciding([Value(on)], "depending on")
            marked = tuple(f._replace(via="depending on") if f.via == "joined on" else f for f in marked)
            return self._beside(kept, [NOTHING], [*marked, *right.around])
        if kind in _ONLY_LEFT:
            return replace(kept, around=each([*left.around, *right.around, *on]), single=False)
        one = at_most_one or right.single or (right.key is not None and right.key <= equal)
        if kind == "SINGLE" or (kind == "LEFT" and one):
            return self._beside(kept, columns[1], [*on, *right.counted()])
        if kind == "LEFT":  # each row of the left is there, once or more often
            beside = self._beside(kept, columns[1], [*on, *right.around])
            repeats = each([*left.repeats, *on, *right.counted()])
            rows = tuple(dict.fromkeys([*left.rows, *right.rows]))
            return replace(
                beside, repeats=repeats, order=each([*left.order, *right.order]), rows=rows, key=None, single=False
            )
        joined = _joined(replace(left, columns=columns[0]), replace(right, columns=columns[1]), on)
        return replace(joined, key=kept.key if kind == "INNER" and one else None)

    def _asof_join(self, node: Node) -> Relation:
        return self._comparison_join(node, at_most_one=True)

    def _any_join(self, node: Node) -> Relation:
        return self._comparison_join(node)

    def _parameters(self, node: Node, left: Relation, right: Relation) -> bool:
        """Whether the right is a correlated subquery whose parameters are the rows on the left."""
        mine, its = left.expressions(), right.expressions()
        return any(
            its(condition["right"]).outer and not mine(condition["left"]).outer
            for condition in node.get("conditions", [])
            if condition.get("comparison") == "COMPARE_NOT_DISTINCT_FROM"
        )

    def _conditions(self, node: Node, left: Relation, right: Relation) -> Flows:
        looked_at: list[Value] = []
        both = Relation([*left.columns, *right.columns]).expressions()
        for condition in node.get("conditions", []):
            if "left" not in condition or "right" not in condition:
                looked_at += [both(expression) for expression in expressions(condition)]
                continue
            mine, its = left.expressions()(condition["left"]), right.expressions()(condition["right"])
            if condition.get("comparison") == "COMPARE_NOT_DISTINCT_FROM" and its.outer:
                continue  # a row and its own correlated subquery: they always meet
            looked_at += [mine, its]
        rest = {key: part for key, part in node.items() if key not in ("children", "conditions")}
        looked_at += [both(expression) for expression in expressions(rest)]
        return deciding(looked_at, "joined on")

    # set operations

    def _union(self, node: Node) -> Relation:
        left, right = self._both(node)
        columns = [either(list(pair)) for pair in zip(left.columns, right.columns, strict=True)]
        return self._set(node, left, right, columns, [])

    def _intersect(self, node: Node) -> Relation:
        left, right = self._both(node)
        columns = [either(list(pair)) for pair in zip(left.columns, right.columns, strict=True)]
        return self._set(node, left, right, columns, deciding([*left.columns, *right.columns], "filtered by"))

    def _except(self, node: Node) -> Relation:
        left, right = self._both(node)
        decides = deciding([*left.columns, *right.columns], "filtered by")
        return replace(self._set(node, left, right, left.columns, decides), rows=left.rows)

    def _set(
        self, node: Node, left: Relation, right: Relation, columns: list[Value], decides: Iterable[Flow]
    ) -> Relation:
        alike = not node.get("setop_all")
        grouped = deciding(columns, "grouped by") if alike and not decides else ()
        around = each([*left.around, *right.around, *decides, *grouped])
        repeats = each([*left.repeats, *right.repeats])
        if alike:
            repeats = ()
        elif decides:
            around, repeats = each([*around, *repeats]), ()
        rows = tuple(dict.fromkeys([*left.rows, *right.rows]))
        key = frozenset(range(len(columns))) if alike else None
        return Relation(columns, around, repeats, each([*left.order, *right.order]), rows, key)


def _joined(left: Relation, right: Relation, on: Iterable[Flow] = ()) -> Relation:
    return Relation(
        [*left.columns, *right.columns],
        each([*left.around, *right.around, *on]),
        each([*left.repeats, *right.repeats]),
        each([*left.order, *right.order]),
        tuple(dict.fromkeys([*left.rows, *right.rows])),
    )


def _sorted(columns: Iterable[Value], order: Sequence[Flow]) -> list[Value]:
    """The columns of rows that were taken by their order: it decides which values these hold, not how many there are.

    A parameter of a correlated subquery is the same in all of its rows.
    """
    return [value if value.outer else value.plus(order) for value in columns]


def _numbered(node: Node, width: int) -> Node | None:
    """The row_number() that a filter of `width` columns compares with a constant, if the filter does nothing else."""
    (child,), conditions = node["children"], node.get("expressions", [])
    if child["type"] != "LOGICAL_WINDOW" or len(conditions) != 1 or len(conditions[0].get("children", [])) != 2:
        return None
    number, limit = conditions[0]["children"]
    place = number.get("index", 0) - (width - len(child["expressions"]))
    compared = conditions[0]["type"].startswith("COMPARE_") and number["expression_class"] == "BOUND_REF"
    if not compared or place < 0 or not constant_node(limit):
        return None
    window: Node = child["expressions"][place]
    plain = window["type"] == "WINDOW_ROW_NUMBER" and not window.get("arg_orders")  # these count within a frame
    return window if plain else None


def _equal(node: Node) -> frozenset[int]:
    """The positions on the right that a join compares for being equal."""
    return frozenset(
        condition["right"].get("index", 0)
        for condition in node.get("conditions", [])
        if condition.get("comparison") in ("COMPARE_EQUAL", "COMPARE_NOT_DISTINCT_FROM")
        and condition.get("right", {}).get("expression_class") == "BOUND_REF"
    )


def _index(node: Node) -> int:
    index: int = node["table_index"]
    return index


def _lengths(lists: Iterable[Value]) -> Flows:
    """What decides how many items there are in some lists, whatever they are."""
    return deciding([Value(value.own) for value in lists], "depending on")
