"""Random SELECTs over four small tables, as people write them for DuckDB. Seeded; knows nothing of how lineage is traced.

Each query tells which features it uses, so that a count shows what the generator never writes.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

# kinds: t text, n number, y date, l list of text, s struct(street, city), o other
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "customers": {
        "id": ("INTEGER", "n"), "name": ("VARCHAR", "t"), "email": ("VARCHAR", "t"), "country": ("VARCHAR", "t"),
        "age": ("INTEGER", "n"), "address": ("STRUCT(street VARCHAR, city VARCHAR)", "s"), "tags": ("VARCHAR[]", "l"),
    },
    "orders": {
        "id": ("INTEGER", "n"), "customer_id": ("INTEGER", "n"), "country": ("VARCHAR", "t"),
        "total": ("DECIMAL(18,2)", "n"), "ordered_at": ("DATE", "y"), "note": ("VARCHAR", "t"),
    },
    "lines": {
        "order_id": ("INTEGER", "n"), "product": ("VARCHAR", "t"), "quantity": ("INTEGER", "n"),
        "price": ("DECIMAL(18,2)", "n"),
    },
    "email": {"email": ("VARCHAR", "t"), "E-mail kind": ("VARCHAR", "t"), "total": ("INTEGER", "n")},
}  # fmt: skip
KEYS = [("customers.id", "orders.customer_id"), ("orders.id", "lines.order_id")]


@dataclass
class Source:
    """Something after FROM: its alias, and the columns by kind. `row`: the alias may be used as a value."""

    alias: str
    columns: list[tuple[str, str]]
    row: bool = True


@dataclass
class Query:
    sql: str
    columns: list[tuple[str, str]]
    features: set[str] = field(default_factory=set)


class Generator:
    """One query a call of `query`; the same seed writes the same queries."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.features: set[str] = set()
        self.names = 0

    def query(self) -> Query:
        self.features, self.names = set(), 0
        made = self._query({}, 0, [])
        return Query(made.sql, made.columns, self.features)

    # small tools

    def used(self, feature: str) -> None:
        self.features.add(feature)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def new(self, prefix: str = "c") -> str:
        self.names += 1
        if self.chance(0.06):
            self.used("quoted name")
            return f"{prefix} №{self.names}"
        return f"{prefix}{self.names}"

    def spelled(self, name: str) -> str:
        if not name.replace("_", "a").isalnum() or not name.isascii():
            quoted = name if self.chance(0.7) else name.upper()
            return '"' + quoted.replace('"', '""') + '"'
        if self.chance(0.05):
            self.used("another case")
            return name.upper() if self.chance(0.5) else f'"{name.title()}"'
        return name

    def column(self, scope: list[Source], kind: str, *, bare: bool = True) -> str | None:
        found = [(source, name) for source in scope for name, of in source.columns if of == kind]
        if not found:
            return None
        source, name = self.random.choice(found)
        same = sum(name.lower() == other.lower() for one in scope for other, _ in one.columns)
        if bare and same == 1 and self.chance(0.4) and all(name.lower() != one.alias.lower() for one in scope):
            return self.spelled(name)
        return f"{self.spelled(source.alias)}.{self.spelled(name)}"

    def _named(self, scope: list[Source], kind: str, otherwise: str) -> str:
        return self.column(scope, kind) or otherwise

    def different(self, make: Callable[[], str]) -> Callable[[], str]:
        """Makes expressions that are not alike, as far as there are others: x <> x never holds."""
        made: list[str] = []

        def one() -> str:
            for _ in range(6):
                found = make()
                if _bare(found) not in made:
                    break
            made.append(_bare(found))
            return found

        return one

    # expressions

    def expression(self, scope: list[Source], kind: str, depth: int = 0) -> str:
        make: dict[str, Callable[[list[Source], int], str]] = {
            "t": self.text, "n": self.number, "y": self.date, "l": self.items, "s": self.struct, "b": self.condition,
        }  # fmt: skip
        return make[kind](scope, depth)

    def text(self, scope: list[Source], depth: int) -> str:
        number = self.column(scope, "n")
        plain = self.column(scope, "t") or (f"({number})::varchar" if number else f"'{self.pick('DK', 'x', 'SE')}'")
        if depth > 1 or self.chance(0.42):
            return plain
        again = self.different(lambda: self.text(scope, depth + 1))
        choice = self.random.randrange(34)
        if choice < 4:
            return f"{self.pick('upper', 'lower', 'reverse')}({again()})"
        if choice < 7:
            return f"({again()} || '-' || {again()})"
        if choice == 7:
            return f"concat_ws('/', {again()}, {again()})"
        if choice < 10:
            return f"{self.pick('coalesce', 'ifnull')}({again()}, {again()})"
        if choice < 13:
            self.used("case")
            then, other = again(), again()
            if self.chance(0.3):
                return f"case {plain} when 'DK' then {then} when 'SE' then 'b' else {other} end"
            return f"case when {self.condition(scope, depth + 1)} then {then} else {other} end"
        if choice == 13:
            return f"if({self.condition(scope, depth + 1)}, {again()}, {again()})"
        if choice == 14:
            return f"nullif({again()}, '{self.pick('DK', 'a1')}')"
        if choice == 15:
            return f"({self.number(scope, depth + 1)})::varchar"
        if choice < 18 and (struct := self.column(scope, "s")):
            self.used("struct field")
            city = self.pick("city", "street", "CITY")
            options = [
                f"({struct}).{city}",
                f"struct_extract({struct}, '{city.lower()}')",
                f"{struct}['{city.lower()}']",
            ]
            return self.random.choice([*options, f"{struct}.{city}"] if "." in struct else options)
        if choice < 20 and (items := self.column(scope, "l")):
            self.used("list")
            return self.pick(f"{items}[1]", f"list_extract({items}, 1)", f"array_to_string({items}, ',')",
                             f"list_reduce(list_value('s', {items}[1]), lambda a, b: a || b)")  # fmt: skip
        if choice < 23 and (rows := [source for source in scope if source.row]):
            return self.row_as_text(self.random.choice(rows))
        if choice == 23:
            self.used("struct made")
            return f"({{'a': {again()}, 'b': {again()}}}).{self.pick('a', 'b')}"
        if choice == 24:
            self.used("struct made")
            return f"struct_pack(a := {again()}, b := {self.number(scope, depth + 1)}).a"
        if choice == 25:
            return f"to_json({{'a': {again()}, 'b': {again()}}}){self.pick('->>', '->>')}'{self.pick('a', 'b')}'"
        if choice == 26:
            return self.pick(f"md5({again()})", f"substring({again()}, 1, 30)", f"({again()})[1:40]",
                             f"replace({again()}, 'a', 'b')", f"reverse({again()})")  # fmt: skip
        if choice == 27:
            return f"format('{{}} {{}}', {again()}, {again()})"
        if choice == 28 and (date := self.column(scope, "y")):
            return f"strftime({date}, '%Y-%m-%d')"
        if choice == 29:
            return f"list_sort([{again()}, {again()}])[1]"
        if choice == 30:
            return f"{plain}.upper()" if "." not in plain and "'" not in plain else f"({plain}).upper()"
        if choice < 34 and depth < 2:
            return self.scalar_subquery(scope, "t")
        return f"greatest({again()}, {again()})"

    def row_as_text(self, source: Source) -> str:
        self.used("row as a value")
        alias = self.spelled(source.alias)
        name = next((n for n, kind in source.columns if kind == "t" and n.isidentifier()), None)
        options = [f"to_json({alias})::varchar", f"{alias}::varchar", f"to_json({alias})::varchar"]
        if name:
            options += [f"json_extract_string(to_json({alias}), '$.{name}')", f"({alias}).{name}"]
            options += [f"struct_extract({alias}, '{name}')"]
        return self.random.choice(options)

    def number(self, scope: list[Source], depth: int) -> str:
        plain = self.column(scope, "n") or str(self.random.randrange(1, 6))
        if depth > 1 or self.chance(0.5):
            return plain
        again = self.different(lambda: self.number(scope, depth + 1))
        choice = self.random.randrange(16)
        if choice < 4:
            return f"({again()} {self.pick('+', '-', '*', '%')} {again()})"
        if choice == 4:
            return f"length({self.text(scope, depth + 1)})"
        if choice == 5:
            return f"round({again()}, 1)"
        if choice == 6:
            return f"coalesce({again()}, {again()})"
        if choice == 7:
            self.used("case")
            return f"case when {self.condition(scope, depth + 1)} then {again()} else {again()} end"
        if choice == 8 and (items := self.column(scope, "l")):
            return f"len({items})"
        if choice == 9 and (date := self.column(scope, "y")):
            return self.pick(f"extract(year from {date})", f"date_diff('day', date '2024-01-01', {date})")
        if choice == 10:
            return f"({self.condition(scope, depth + 1)})::integer"
        if choice == 11:
            return f"try_cast({again()}::varchar as integer)"
        if choice == 12:
            self.used("lambda")
            return f"list_sum(list_transform([{again()}, {again()}], lambda x: x + {again()}))"
        if choice == 13 and depth < 2:
            return self.scalar_subquery(scope, "n")
        return f"{self.pick('greatest', 'least')}({again()}, {again()})"

    def date(self, scope: list[Source], depth: int) -> str:
        plain = self.column(scope, "y")
        if not plain:
            return "date '2024-05-01'"
        return self.pick(plain, plain, f"date_trunc('month', {plain})", f"{plain} + interval 1 day")

    def items(self, scope: list[Source], depth: int) -> str:
        self.used("list")
        plain = self.column(scope, "l")
        again = self.different(lambda: self.text(scope, depth + 1))
        made = plain or f"[{again()}, {again()}]"
        choice = self.random.randrange(9)
        if choice < 3:
            return made
        if choice == 3:
            self.used("lambda")
            return f"list_transform({made}, lambda x: x || {again()})"
        if choice == 4:
            self.used("lambda")
            return f"list_filter({made}, lambda x, i: x <> {again()} or i = 1)"
        if choice == 5:
            self.used("comprehension")
            return f"[x || {again()} for x in {made} if length(x) > {self.random.randrange(4)}]"
        if choice == 6:
            return f"list_concat({made}, [{again()}])"
        if choice == 7:
            return f"list_sort({made})"
        return f"[{again()}, {again()}]"

    def struct(self, scope: list[Source], depth: int) -> str:
        plain = self.column(scope, "s")
        if plain and self.chance(0.6):
            return plain
        self.used("struct made")
        return f"{{'street': {self.text(scope, depth + 1)}, 'city': {self.text(scope, depth + 1)}}}"

    def condition(self, scope: list[Source], depth: int) -> str:
        choice = self.random.randrange(20)
        texts, numbers = (self.different(partial(self._named, scope, kind, "")) for kind in "tn")
        text, number = texts(), numbers()
        if choice == 11 and depth < 1:
            return f"({self.condition(scope, 2)} {self.pick('and', 'or')} {self.condition(scope, 2)})"
        if choice == 12 and depth < 2:
            return f"not ({self.condition(scope, depth + 1)})"
        if choice < 16 and choice > 12 and depth < 2 and (text or number):
            return self.subquery_condition(scope)
        if choice == 17 and (items := self.column(scope, "l")) and text:
            return f"list_contains({items}, {text}) is distinct from true"
        if choice == 18 and (date := self.column(scope, "y")):
            return f"{date} > date '2024-0{self.random.randrange(2, 6)}-01'"
        if text and (choice < 4 or not number):
            other = texts()
            if _bare(other) != _bare(text) and self.chance(0.5):
                return f"{text} {self.pick('>', '<', '<>')} {other}"
            return self.pick(f"{text} like '%{self.pick('a', 'K', '1', '2')}%'", f"{text} is not null",
                             f"{text} {self.pick('>', '<', '<>')} '{self.pick('DK', 'b', 'm')}'")  # fmt: skip
        if number:
            other = numbers()
            if _bare(other) != _bare(number) and self.chance(0.3):
                return f"{number} {self.pick('>', '<', '<=', '<>')} {other}"
            n = self.random.randrange(2, 4)
            return self.pick(f"{number} {self.pick('>', '<', '<>', '=', '>=')} {n}", f"{number} between 2 and {n + 2}",
                             f"{number} {self.pick('', 'not ')}in (1, 2)", f"{number} + 1 > {n}")  # fmt: skip
        return "true"

    def table(self, alias: str | None = None) -> tuple[str, Source]:
        """A table after FROM in one of its spellings."""
        name = self.random.choice(list(TABLES))
        columns = [(column, kind) for column, (_, kind) in TABLES[name].items()]
        if alias is None and self.chance(0.15):
            return self.spelled(name), Source(name, columns)
        alias = alias or self.new("t")
        return f"{self.spelled(name)} {self.pick('as ', '')}{self.spelled(alias)}", Source(alias, columns)

    def correlated(self, scope: list[Source], inner: Source) -> str:
        kinds = (
            {kind for source in scope for _, kind in source.columns} & {kind for _, kind in inner.columns} & {"n", "t"}
        )
        if not kinds or not self.chance(0.75):
            return ""
        self.used("correlated subquery")
        kind = self.pick(*sorted(kinds, reverse=self.chance(0.9)))
        return f"{self.column([inner], kind)} {self.pick('=', '=', '=', '<')} {self.column(scope, kind, bare=False)}"

    def scalar_subquery(self, scope: list[Source], kind: str) -> str:
        self.used("scalar subquery")
        text, inner = self.table(self.new("s"))
        value = self.expression([inner], kind, 2)
        joined = self.correlated(scope, inner)
        where = f" where {joined}" if joined else ""
        if self.chance(0.3):
            order = self.column([inner], "n") or "1"
            return f"(select {value} from {text}{where} order by {order} limit 1)"
        if self.chance(0.15):
            return (
                f"(select count(*) from {text}{where})"
                if kind == "n"
                else f"(select list({self.spelled(inner.alias)} order by {self.column([inner], 'n') or 1}) from {text}{where})::varchar"
            )
        return f"(select {self.pick('max', 'min', 'max')}({value}) from {text}{where})"

    def subquery_condition(self, scope: list[Source]) -> str:
        self.used("subquery in a condition")
        text, inner = self.table(self.new("s"))
        joined = self.correlated(scope, inner) or self.condition([inner], 2)
        choice = self.random.randrange(6)
        if choice < 2:
            return f"{self.pick('', 'not ')}exists (select 1 from {text} where {joined})"
        kind = "n" if self.column(scope, "n") and self.column([inner], "n") else "t"
        mine, its = self.column(scope, kind) or "'DK'", self.column([inner], kind) or "'DK'"
        if choice == 2:
            return f"{mine} {self.pick('= any', '>= all', '<> all')} (select {its} from {text} where {its} is not null)"
        if choice == 3 and self.column([inner], "n"):
            other = self.column(scope, "n") or "3"
            return (
                f"({mine}, {other}) {self.pick('', 'not ')}in (select {its}, {self.column([inner], 'n')} from {text})"
            )
        where = f" where {joined}" if self.chance(0.5) else ""
        return f"{mine} {self.pick('', 'not ')}in (select {its} from {text}{where})"

    # what stands after FROM

    def source(self, ctes: dict[str, list[tuple[str, str]]], depth: int) -> tuple[str, Source]:
        choice = self.random.random()
        if ctes and choice < 0.45:
            name = self.random.choice(list(ctes))
            if self.chance(0.3):
                return self.spelled(name), Source(name, ctes[name])
            alias = self.new("t")
            return f"{self.spelled(name)} {self.spelled(alias)}", Source(alias, ctes[name])
        if choice < 0.8 or depth > 1:
            return self.table()
        alias = self.new("d")
        if choice < 0.84:
            self.used("values")
            a, b = self.random.randrange(1, 4), self.random.randrange(4, 7)
            names = [("k", "n"), ("v", "t")]
            return f"(values ({a}, 'DK'), ({b}, 'SE')) {self.spelled(alias)}(k, v)", Source(alias, names)
        if choice < 0.88:
            return self.pivoted(alias)
        if choice < 0.92:
            return self.unpivoted(alias)
        self.used("subquery in from")
        inner = self._query(ctes, depth + 1, [])
        if self.chance(0.25):
            self.used("columns renamed in from")
            renamed = [(self.new("r"), kind) for _, kind in inner.columns]
            listed = ", ".join('"' + name + '"' for name, _ in renamed)
            return f"({inner.sql}) as {self.spelled(alias)}({listed})", Source(alias, renamed)
        return f"({inner.sql}) {self.spelled(alias)}", Source(alias, inner.columns)

    def pivoted(self, alias: str) -> tuple[str, Source]:
        self.used("pivot")
        value = self.pick("sum(total)", "count(*)", "max(total)", "first(note)")
        kind = "t" if "note" in value else "n"
        group = self.pick("customer_id", "customer_id", "id")
        columns = [(group, "n"), ("DK", kind), ("SE", kind)]
        if self.chance(0.5):
            return (
                f"(pivot orders on country in ('DK', 'SE') using {value} group by {group}) {self.spelled(alias)}",
                Source(alias, columns),
            )
        inner = f"(select {group}, country, total, note from orders)" if "total" in value else None
        if inner and "count" not in value:
            inner = f"(select {group}, country, total from orders)"
            return f"{inner} pivot ({value} for country in ('DK', 'SE')) {self.spelled(alias)}", Source(alias, columns)
        return (
            f"(pivot orders on country in ('DK', 'SE') using {value} group by {group}) {self.spelled(alias)}",
            Source(alias, columns),
        )

    def unpivoted(self, alias: str) -> tuple[str, Source]:
        self.used("unpivot")
        columns = [("id", "n"), ("what", "t"), ("value", "t")]
        if self.chance(0.5):
            text = "(unpivot (select id, name, email from customers) on name, email into name what value value)"
            return f"{text} {self.spelled(alias)}", Source(alias, columns)
        nulls = self.pick("", "include nulls ")
        inner = "(select id, name, country from customers)"
        return f"{inner} unpivot {nulls}(value for what in (name, country)) {self.spelled(alias)}", Source(
            alias, columns
        )

    def joined(self, ctes: dict[str, list[tuple[str, str]]], depth: int) -> tuple[str, list[Source]]:
        text, first = self.source(ctes, depth)
        scope = [first]
        while len(scope) < 3 and self.chance(0.3):
            more, sources = self.join(scope, ctes, depth)
            text += more
            scope += sources
        return text, scope

    def join(self, scope: list[Source], ctes: dict[str, list[tuple[str, str]]], depth: int) -> tuple[str, list[Source]]:
        right, source = self.source(ctes, depth)
        while any(source.alias.lower() == other.alias.lower() for other in scope):
            right, source = self.table(self.new("t"))
        shared = [
            name for name, kind in source.columns
            if kind in "nt" and sum((name, kind) in one.columns for one in scope) == 1 and name.isidentifier()
        ]  # fmt: skip
        choice = self.random.randrange(22)
        kind = self.pick("", "", "left ", "left ", "inner ", "right ", "full ")
        if choice < 3 and shared:
            self.used(f"{kind.strip() or 'inner'} join using")
            name = self.random.choice(shared)
            return f" {kind}join {right} using ({self.spelled(name)})", [
                Source(source.alias, [column for column in source.columns if column[0] != name], source.row)
            ]
        if choice == 3 and shared and len(scope) == 1:
            both = {name.lower() for name, _ in scope[0].columns} & {name.lower() for name, _ in source.columns}
            if both and both <= {name.lower() for name in shared}:
                self.used("natural join")
                left = [column for column in source.columns if column[0].lower() not in both]
                return f" natural {kind if 'full' not in kind else ''}join {right}", [Source(source.alias, left)]
        match = self.matching(scope, source)
        if choice < 6:
            self.used("semi or anti join")
            return f" {self.pick('semi', 'anti')} join {right} on {match}", []
        if choice < 8:
            self.used("asof join")
            mine, its = self.column(scope, "n"), self.column([source], "n")
            if mine and its:
                also = self.matching(scope, source) if self.chance(0.3) and "'DK'" not in match else "true"
                also = f"{also} and " if " = " in also else ""
                return f" asof {self.pick('', 'left ')}join {right} on {also}{mine} >= {its}", [source]
        if choice == 8:
            self.used("positional join")
            return f" positional join {right}", [source]
        if choice == 9:
            self.used("cross join")
            return self.pick(f" cross join {right}", f", {right}"), [source]
        if choice < 13:
            return self.lateral(scope)
        if choice < 15 and (items := self.column(scope, "l")):
            self.used("unnest in from")
            alias = self.new("u")
            return f", unnest({items}) as {self.spelled(alias)}(item)", [Source(alias, [("item", "t")])]
        if choice == 15:
            self.used("unnest in from")
            alias = self.new("u")
            items = f"[{self.text(scope, 2)}, {self.text(scope, 2)}]"
            return f" cross join unnest({items}) as {self.spelled(alias)}(item)", [Source(alias, [("item", "t")])]
        self.used(f"{kind.strip() or 'inner'} join")
        return f" {kind}join {right} on {match}", [source]

    def matching(self, scope: list[Source], source: Source) -> str:
        for kind in ("n", "t") if self.chance(0.8) else ("t", "n"):
            mine, its = self.column(scope, kind), self.column([source], kind)
            if mine and its:
                also = f" and {self.condition([*scope, source], 2)}" if self.chance(0.1) else ""
                return f"{mine} = {its}{also}"
        return self.condition([*scope, source], 2)

    def lateral(self, scope: list[Source]) -> tuple[str, list[Source]]:
        self.used("lateral join")
        alias = self.new("l")
        if self.chance(0.4):
            columns = [("lt", "t"), ("ln", "n")]
            inner = f"select {self.text(scope, 1)} as lt, {self.number(scope, 1)} as ln"
        else:
            table, source = self.table(self.new("s"))
            value = self.text([*scope, source], 2)
            where = self.correlated(scope, source) or "true"
            columns = [("lt", "t"), ("ln", "n")]
            inner = f"select {value} as lt, {self.number([source], 2)} as ln from {table} where {where}"
            if self.chance(0.3):
                inner += f" order by {self.column([source], 'n') or 1} limit 2"
        join = self.pick(", lateral", " cross join lateral", " left join lateral")
        on = " on true" if "left" in join else ""
        return f"{join} ({inner}) {self.spelled(alias)}{on}", [Source(alias, columns)]

    # queries

    def _query(self, ctes: dict[str, list[tuple[str, str]]], depth: int, outer: list[Source]) -> Query:
        ctes = dict(ctes)
        head = self._with(ctes, depth) if depth < 2 and self.chance(0.07 if depth else 0.32) else ""
        several = depth < 2 and self.chance(0.12)
        made = self._set_operation(ctes, depth) if several else self._select(ctes, depth)
        return Query(head + made.sql, made.columns)

    def _with(self, ctes: dict[str, list[tuple[str, str]]], depth: int) -> str:
        parts, recursive = [], False
        for _ in range(self.random.randrange(1, 3)):
            choice = self.random.random()
            if choice < 0.35 and depth == 0:
                table = self.random.choice(list(TABLES))
                if table in ctes:
                    continue
                self.used("import CTE")
                parts.append(f"{table} as (select * from {table})")
                ctes[table] = [(name, kind) for name, (_, kind) in TABLES[table].items()]
                continue
            name = self.new("q")
            if choice < 0.5 and not recursive and depth == 0:
                recursive = True
                parts.append(self._recursive(name, ctes))
                continue
            self.used("CTE")
            inner = self._query(ctes, depth + 1, [])
            hint = self.pick("", "", "", "materialized ", "not materialized ")
            parts.append(f"{self.spelled(name)} as {hint}({inner.sql})")
            ctes[name] = inner.columns
        if not parts:
            return ""
        return f"with {'recursive ' if recursive else ''}{', '.join(parts)} "

    def _recursive(self, name: str, ctes: dict[str, list[tuple[str, str]]]) -> str:
        self.used("recursion")
        union = self.pick("union all", "union")
        if self.chance(0.5):
            ctes[name] = [("a", "n"), ("b", "t"), ("c", "t")]
            cross = self.pick("b, c", "c, b", "b, b || 'x'")
            return (
                f"{self.spelled(name)}(a, b, c) as (select age, name, email from customers {union} "
                f"select a + 1, {cross} from {self.spelled(name)} where a < 5)"
            )
        ctes[name] = [("a", "n"), ("b", "t"), ("c", "n")]
        return (
            f"{self.spelled(name)}(a, b, c) as (select id, name, 0 from customers where id < 4 {union} "
            f"select o.id, {self.pick('o.note', 'r.b')}, r.c + 1 from {self.spelled(name)} r join orders o "
            f"on o.customer_id = r.a where r.c < 2)"
        )

    def _set_operation(self, ctes: dict[str, list[tuple[str, str]]], depth: int) -> Query:
        kind = self.pick("union all", "union", "union all by name", "union by name", "intersect", "except",
                         "intersect all", "except all")  # fmt: skip
        self.used(kind)
        wanted = [self.pick("t", "n", "t") for _ in range(self.random.randrange(1, 4))]
        names = [self.new() for _ in wanted]
        if "by name" in kind:
            others = [name if self.chance(0.7) else self.new() for name in names]
        else:
            others = [self.new() for _ in wanted]
        easy = kind.split()[0] in ("intersect", "except")
        left = self._plain_select(ctes, list(zip(names, wanted, strict=True)), easy=easy)
        right = self._plain_select(ctes, list(zip(others, wanted, strict=True)), easy=easy)
        columns = list(zip(names, wanted, strict=True))
        if "by name" in kind:
            columns += [(name, of) for name, of in zip(others, wanted, strict=True) if name not in names]
        return Query(f"{left} {kind} {right}", columns)

    def _plain_select(
        self, ctes: dict[str, list[tuple[str, str]]], columns: list[tuple[str, str]], *, easy: bool
    ) -> str:
        text, source = self.source(ctes, 2)
        if easy:
            table, alias = self.pick("customers", "orders"), self.new("t").replace(" №", "n")
            text, source = (
                f"{table} {alias}",
                Source(alias, [(name, kind) for name, (_, kind) in TABLES[table].items()]),
            )
        shared = {"t": "country", "n": "id"}
        parts = []
        for name, kind in columns:
            has = any(column == shared[kind] for column, _ in source.columns)
            value = f"{source.alias}.{shared[kind]}" if easy and has else None
            parts.append(
                f"{value or self.expression([source], kind, 1)} as {self.spelled(name) if not easy else chr(34) + name + chr(34)}"
            )
        where = f" where {self.condition([source], 1)}" if self.chance(0.3) else ""
        return f"select {', '.join(parts)} from {text}{where}"

    def _select(self, ctes: dict[str, list[tuple[str, str]]], depth: int) -> Query:
        text, scope = self.joined(ctes, depth)
        choice = self.random.random()
        if choice < 0.13:
            return self._star(text, scope)
        if choice < 0.36:
            return self._grouped(text, scope, depth)
        if choice < 0.4 and len(scope) == 1:
            return self._columns_of(text, scope[0])
        return self._rows(text, scope, depth)

    def _rows(self, text: str, scope: list[Source], depth: int) -> Query:
        columns: list[tuple[str, str]] = []
        parts: list[str] = []
        window = ""
        named = ""
        if self.chance(0.18):
            self.used("named window")
            named = self.new("w").replace(" ", "_").replace("№", "n")
            window = f" window {named} as ({self._window(scope)})"
        for _ in range(self.random.randrange(1, 5)):
            name, kind = self.new(), self.pick("t", "t", "n", "n", "y", "l", "s")
            if kind == "y" and not self.column(scope, "y"):
                kind = "t"
            if self.chance(0.2):
                value, kind = self._windowed(scope, named)
            elif self.chance(0.05) and (rows := [source for source in scope if source.row]):
                self.used("row as a value")
                value, kind = self.spelled(self.random.choice(rows).alias), "o"
            elif self.chance(0.05) and (items := self.column(scope, "l")) and "unnest" not in " ".join(parts):
                self.used("unnest in select")
                value, kind = f"unnest({items})", "t"
            elif (
                kind in "tn"
                and self.chance(0.1)
                and (before := [n for n, of in columns if of == kind and " " not in n])
            ):
                self.used("alias used again")
                before_name = self.random.choice(before)
                value = f"({before_name} || '!')" if kind == "t" else f"({before_name} + 1)"
            else:
                value = self.expression(scope, kind)
            parts.append(f'{value} as "{name}"')
            columns.append((name, kind))
        text += self._where(scope, columns)
        qualify = ""
        if self.chance(0.08):
            self.used("qualify")
            over = named if named and self.chance(0.5) else f"({self._window(scope)})"
            qualify = f" qualify row_number() over {over} <= 2"
        distinct = ""
        if self.chance(0.1) and all(kind in "tny" for _, kind in columns):
            distinct = "distinct "
            self.used("distinct")
            if self.chance(0.5) and (key := self.column(scope, "t") or self.column(scope, "n")):
                self.used("distinct on")
                order = self.column(scope, "n") or key
                return Query(
                    f"select distinct on ({key}) {', '.join(parts)} from {text}{window}{qualify} order by {key}, {order}",
                    columns,
                )
        order = self._order(columns, scope if not distinct else [])
        return Query(f"select {distinct}{', '.join(parts)} from {text}{window}{qualify}{order}", columns)

    def _where(self, scope: list[Source], columns: list[tuple[str, str]]) -> str:
        if not self.chance(0.24):
            return ""
        self.used("where")
        return f" where {self.condition(scope, 0)}"

    def _order(self, columns: list[tuple[str, str]], scope: list[Source]) -> str:
        choice = self.random.random()
        if choice > 0.4:
            return ""
        keys = [self.pick(f'"{name}"', f"{i}") for i, (name, kind) in enumerate(columns, 1) if kind in "tny"]
        keys = self.random.sample(keys, min(len(keys), 1 + self.chance(0.2)))
        if choice < 0.12 and scope and (key := self.column(scope, "n") or self.column(scope, "t")):
            keys = [key]
        if choice > 0.36:
            self.used("#1")
            keys = [f"#{i}" for i, (_, kind) in enumerate(columns, 1) if kind in "tny"][:1]
        if not keys:
            return ""
        self.used("order")
        limit = ""
        if self.chance(0.35):
            self.used("limit")
            limit = f" limit {self.random.randrange(2, 5)}" + self.pick("", "", " offset 1")
        ordered = ", ".join(f"{key} {self.pick('', 'desc', 'nulls first')}" for key in keys)
        return f" order by {ordered}{limit}"

    def _window(self, scope: list[Source]) -> str:
        numbers = self.different(lambda: self.column(scope, "n") or self.column(scope, "t") or "1")
        partition, order = numbers(), numbers()
        both = f"partition by {partition} order by {order}"
        return self.pick(both, both, both, f"order by {order}", f"partition by {partition}")

    def _windowed(self, scope: list[Source], named: str) -> tuple[str, str]:
        self.used("window")
        over = named if named and self.chance(0.8) else f"({self._window(scope)})"
        text, number = self.text(scope, 2), self.number(scope, 2)
        return self.random.choice(
            [
                (f"row_number() over {over}", "n"), (f"rank() over {over}", "n"), (f"lag({text}) over {over}", "t"),
                (f"first_value({text}) over {over}", "t"), (f"sum({number}) over {over}", "n"),
                (f"max({text}) over {over}", "t"), (f"count(*) over {over}", "n"),
                (f"string_agg({text}, ',') over {over}", "t"), (f"lead({number}, 1, 0) over {over}", "n"),
                (f"max({text}) filter (where {self.condition(scope, 2)}) over {over}", "t"),
            ]
        )  # fmt: skip

    def _grouped(self, text: str, scope: list[Source], depth: int) -> Query:
        self.used("group by")
        text += self._where(scope, [])
        keys = [(self.new(), kind) for kind in self.random.choices("tnt", k=self.random.randrange(0, 3))]
        key = {kind: self.different(partial(self._named, scope, kind, "1")) for kind in "tn"}
        values = [
            self.expression(scope, kind, 1) if self.chance(0.2) else f"upper({key[kind]()})"
            if kind == "t" and self.chance(0.15) else key[kind]() for _, kind in keys
        ]  # fmt: skip
        parts = [f'{value} as "{name}"' for value, (name, _) in zip(values, keys, strict=True)]
        columns = list(keys)
        for _ in range(self.random.randrange(1, 4)):
            for _ in range(5):
                value, kind = self._aggregate(scope)
                if not any(_bare(key) in value.lower() for key in values if key != "1"):
                    break
            name = self.new()
            parts.append(f'{value} as "{name}"')
            columns.append((name, kind))
        group = ""
        if keys:
            positions = [str(i) for i in range(1, len(keys) + 1)]
            choice = self.random.random()
            if choice < 0.25:
                self.used("group by all")
                group = " group by all"
            elif choice < 0.4:
                self.used("rollup, cube, sets")
                group = self.pick(f" group by rollup ({', '.join(values)})", f" group by cube ({', '.join(values)})",
                                  f" group by grouping sets (({', '.join(values)}), ())")  # fmt: skip
                if self.chance(0.5):
                    name = self.new()
                    parts.append(f'grouping({values[0]}) as "{name}"')
                    columns.append((name, "n"))
            elif choice < 0.7:
                group = f" group by {', '.join(positions)}"
            else:
                group = f" group by {', '.join(values)}"
            if self.chance(0.2):
                self.used("having")
                group += f" having {self._aggregate(scope, numbers=True)[0]} >= {self.random.randrange(2, 4)}"
        return Query(f"select {', '.join(parts)} from {text}{group}{self._order(columns, [])}", columns)

    def _aggregate(self, scope: list[Source], *, numbers: bool = False) -> tuple[str, str]:
        text, number = self.text(scope, 1), self.number(scope, 1)
        order = self.column(scope, "n") or self.column(scope, "t") or "1"
        count = [("count(*)", "n"), (f"count({text})", "n"), (f"count(distinct {text})", "n"), (f"sum({number})", "n"),
                 (f"max({number})", "n"), (f"avg({number})", "n"), (f"median({number})", "n")]  # fmt: skip
        others = [
            (f"max({text})", "t"), (f"min({text})", "t"), (f"first({text} order by {order})", "t"),
            (f"string_agg({text}, ',' order by {order})", "t"), (f"string_agg(distinct {text}, ',')", "t"),
            (f"arg_max({text}, {number})", "t"), (f"arg_min({text}, {order})", "t"), (f"max_by({text}, {order})", "t"),
            (f"list({text} order by {order})", "l"), (f"list(distinct {text})", "o"), (f"mode({text})", "t"),
            (f"any_value({text})", "t"), (f"last({text} order by {order} desc)", "t"), (f"histogram({text})", "o"),
            (f"array_agg({text})", "l"), (f"list({text} order by {order})[1]", "t"),
        ]  # fmt: skip
        value, kind = self.random.choice(
            [("count(*)", "n"), (f"sum({number})", "n")] if numbers else count + others * 2
        )
        rows = [source for source in scope if source.row]
        if not numbers and rows and self.chance(0.1):
            self.used("row as a value")
            alias = self.spelled(self.random.choice(rows).alias)
            value, kind = self.random.choice(
                [(f"list({alias})", "o"), (f"first({alias} order by {order})", "o"),
                 (f"to_json(list({alias} order by {order}))", "o"), (f"count(distinct {alias})", "n")]
            )  # fmt: skip
        if "[1]" not in value and "to_json" not in value and self.chance(0.15):
            self.used("filter")
            value += f" filter (where {self.condition(scope, 2)})"
        return value, kind

    def _star(self, text: str, scope: list[Source]) -> Query:
        """Stars; names that come twice are left out, since a table has each of its names once."""
        self.used("star")
        columns: list[tuple[str, str]] = []
        parts = []
        for source in scope:
            seen = {name.lower() for name, _ in columns}
            double = [name for name, _ in source.columns if name.lower() in seen]
            left = [(name, kind) for name, kind in source.columns if name.lower() not in seen]
            if not left:
                continue
            alias = self.spelled(source.alias)
            names = {name: name for name, _ in left}
            more = ""
            if double:
                more = f" exclude ({', '.join(f'{chr(34)}{name}{chr(34)}' for name in double)})"
                self.used("exclude")
            elif len(left) > 1 and self.chance(0.3):
                gone = self.random.choice(left)
                left = [column for column in left if column != gone]
                more = f' exclude ("{gone[0]}")'
                self.used("exclude")
            texts = [name for name, kind in left if kind == "t"]
            if texts and self.chance(0.25):
                self.used("replace")
                changed = self.random.choice(texts)
                more += f' replace ({self.text([source], 1)} as "{changed}")'
            elif texts and self.chance(0.25):
                self.used("rename")
                changed = self.random.choice(texts)
                names[changed] = self.new()
                more += f' rename ("{changed}" as "{names[changed]}")'
            parts.append(f"{alias}.*{more}")
            columns += [(names[name], kind) for name, kind in left]
        first = "*" if len(scope) == 1 and parts == [f"{self.spelled(scope[0].alias)}.*"] else ", ".join(parts)
        return Query(f"select {first} from {text}{self._where(scope, [])}{self._order(columns, [])}", columns)

    def _columns_of(self, text: str, source: Source) -> Query:
        self.used("COLUMNS()")
        kept = [(name, kind) for name, kind in source.columns if "a" in name.lower()]
        if not kept:
            return self._star(text, [source])
        choice = self.random.randrange(4)
        if choice == 0:
            return Query(f"select columns('(?i).*a.*') from {text}", kept)
        if choice == 1:
            return Query(f"select columns(lambda c: lower(c) like '%a%') from {text}", kept)
        if choice == 2:
            return Query(f"select max(columns('(?i).*a.*')) from {text}", [(name, "o") for name, _ in kept])
        names = ", ".join("'" + name + "'" for name, _ in kept)
        columns = [(name, "o") for name, _ in kept]
        return Query(f"select coalesce(columns([{names}]), null) from {text}", columns)


def _bare(text: str) -> str:
    """An expression without what may be written or left out."""
    return text.replace('"', "").lower().rpartition(".")[2].strip("()")
