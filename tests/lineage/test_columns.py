import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from engine.lineage.columns import INDIRECT, ColumnEdge, columns

SCHEMAS = {
    "invoices": {"Invoice_id": "INTEGER", "customer_id": "INTEGER", "country": "VARCHAR", "total": "DECIMAL(18,2)",
                 "day": "DATE"},
    "customers": {"customer_id": "INTEGER", "name": "VARCHAR", "country": "VARCHAR", "age": "INTEGER"},
    "lines": {"invoice_id": "INTEGER", "quantity": "INTEGER", "price": "DECIMAL(18,2)"},
}  # fmt: skip


def told(sql: str, outputs: list[str] | None = None) -> set[str]:
    """Edges in one line each; indirect ones in brackets."""
    lines = set()
    for edge in columns(sql, SCHEMAS, outputs):
        line = f"{edge.to_column}: {edge.via} {edge.from_table}.{edge.from_column or '*'}"
        lines.add(line if edge.direct else f"({line})")
    return lines


@pytest.mark.parametrize(
    ("expression", "via"),
    [
        ("total", "unchanged"),
        ("(total)", "unchanged"),
        ("total::varchar", "computed from"),
        ("total + 1", "computed from"),
        ("sum(total)", "the sum of"),
        ("round(sum(total), 2)", "the sum of"),
        ("sum(coalesce(total, 0))", "the sum of"),
        ("sum(total * 2)", "a sum over"),
        ("avg(total)", "the average of"),
        ("min(total)", "the minimum of"),
        ("max(total)", "the maximum of"),
        ("count(total)", "the count of"),
        ("count(distinct total)", "the number of different"),
        ("sum(total) / count(total)", "computed from"),
        ("sum(total) over ()", "the sum of"),
        ("list_transform([total], lambda x: x + 1)", "computed from"),
    ],
)
def test_each_expression_has_its_word(expression: str, via: str) -> None:
    assert columns(f"select {expression} as out from invoices", SCHEMAS) == [
        ColumnEdge("invoices", "total", "out", via, True)
    ]


def test_what_decides_about_rows_is_indirect() -> None:
    sql = """
        select i.country, sum(total) as revenue from invoices i join customers c using (customer_id)
        where age > 17 group by i.country order by i.country
    """
    assert told(sql) == {
        "country: unchanged invoices.country",
        "(country: joined on invoices.customer_id)",
        "(country: joined on customers.customer_id)",
        "(country: filtered by customers.age)",
        "revenue: the sum of invoices.total",
        "(revenue: grouped by invoices.country)",
        "(revenue: joined on invoices.customer_id)",
        "(revenue: joined on customers.customer_id)",
        "(revenue: filtered by customers.age)",
    }


def test_counted_rows_come_from_the_table_itself() -> None:
    assert told("select count(*) as n from invoices") == {"n: the count of rows of invoices.*"}


def test_it_follows_ctes_unions_and_stars() -> None:
    sql = """
        with a as (select country, sum(total) as t from invoices group by all), b as (select * from a)
        select * from b union all select country, 0 from customers
    """
    assert told(sql) == {
        "country: unchanged invoices.country",
        "country: unchanged customers.country",
        "t: the sum of invoices.total",
        "(t: grouped by invoices.country)",
    }


def test_a_sum_of_sums_is_a_sum() -> None:
    sql = "with a as (select day, sum(total) as t from invoices group by day) select sum(t) as t from a"
    assert "t: the sum of invoices.total" in told(sql)


def test_a_condition_is_no_value() -> None:
    sql = "select sum(case when country = 'DK' then total end) as danish from invoices"
    assert told(sql) == {"danish: the sum of invoices.total", "(danish: depending on invoices.country)"}


def test_subqueries_are_followed_outwards_and_inwards() -> None:
    sql = """
        select name, (select max(total) from invoices i where i.customer_id = c.customer_id) as largest
        from customers c where exists (select 1 from lines where lines.quantity = c.age)
    """
    found = told(sql)
    assert "largest: the maximum of invoices.total" in found
    assert "(largest: joined on invoices.customer_id)" in found
    assert "(name: filtered by lines.quantity)" in found
    assert "name: unchanged customers.name" in found
    assert not [line for line in found if "name: " in line and "invoices" in line]  # the subquery takes no row away


def test_a_recursive_query_is_followed_round_by_round() -> None:
    sql = """
        with recursive r(a, b, c) as (
            select age, customer_id, name from customers union all select b, a + 1, c from r where a < 10
        ) select a, c from r
    """
    assert told(sql) == {
        "a: computed from customers.age",
        "a: computed from customers.customer_id",
        "c: unchanged customers.name",
        "(c: filtered by customers.age)",
        "(c: filtered by customers.customer_id)",
    }


def test_an_import_cte_is_no_recursion() -> None:
    sql = "with invoices as (select * from invoices), c as (select * from customers) select total from invoices"
    assert told(sql) == {"total: unchanged invoices.total"}


@pytest.mark.parametrize(
    "expression",
    ["c", "to_json(c)", "c::varchar", "list(c)", "first(c order by age)", "list(c)[1]", "{'one': c}"],
)
def test_a_row_as_a_value_is_all_its_columns(expression: str) -> None:
    edges = columns(f"select {expression} as out from customers c", SCHEMAS)
    assert {e.from_column for e in edges if e.direct} == set(SCHEMAS["customers"])


@pytest.mark.parametrize(
    "expression",
    [
        "c.name", "(c).name", "struct_extract(c, 'name')", "({'a': name, 'b': age}).a", "to_json(c)->>'name'",
        "list(c)[1].name", "list(c.name)[1]", "list_transform([c], lambda x: x.name)", "[x.name for x in [c]]",
        "list_filter([{'a': name, 'b': age}], lambda x: true)[1].a", "(first({'a': name, 'b': age})).a",
    ],
)  # fmt: skip
def test_a_field_of_a_struct_is_that_field_alone(expression: str) -> None:
    edges = columns(f"select {expression} as out from customers c", SCHEMAS)
    assert {e.from_column for e in edges if e.direct} == {"name"}


def test_a_named_window_decides_as_one_without_a_name() -> None:
    window = "partition by customer_id order by day"
    named = told(f"select sum(total) over w as t from invoices window w as ({window})")
    assert named == told(f"select sum(total) over ({window}) as t from invoices")
    assert named == {
        "t: the sum of invoices.total",
        "(t: grouped by invoices.customer_id)",
        "(t: sorted by invoices.day)",
    }


def test_what_only_chooses_a_value_is_no_value() -> None:
    sql = "select arg_max(name, age) as a, string_agg(name, ',' order by country) as b from customers"
    assert told(sql) == {
        "a: computed from customers.name",
        "(a: sorted by customers.age)",
        "b: computed from customers.name",
        "(b: sorted by customers.country)",
    }


def test_both_sides_of_a_set_operation_are_told() -> None:
    names = "select name from customers {} select country from invoices"
    assert {"name: unchanged customers.name", "name: unchanged invoices.country"} <= told(names.format("intersect"))
    assert told(names.format("except")) == {"name: unchanged customers.name", "(name: filtered by invoices.country)"}


def test_a_pivot_and_an_unpivot_keep_columns_apart() -> None:
    pivot = "pivot invoices on country in ('DK', 'SE') using sum(total) group by customer_id"
    assert {
        "customer_id: unchanged invoices.customer_id",
        "DK: the sum of invoices.total",
        "(DK: filtered by invoices.country)",
    } <= told(pivot)
    many = ", ".join(map(str, range(30)))
    pivot = f"pivot invoices on customer_id in ({many}) using sum(total) as s, max(day) as d group by country"
    assert {"0_s: the sum of invoices.total", "29_d: the maximum of invoices.day"} <= told(pivot)
    assert not [line for line in told(pivot) if line.startswith("29_d:") and "total" in line]
    unpivot = "select v from customers unpivot (v for k in (name, country))"
    assert {line for line in told(unpivot) if not line.startswith("(")} == {
        "v: unchanged customers.name", "v: unchanged customers.country",
    }  # fmt: skip


def test_a_join_that_only_looks_up_takes_no_row_away() -> None:
    sql = """
        select c.name, s.t from customers c
        left join (select customer_id, sum(total) as t from invoices group by 1) s using (customer_id)
    """
    assert {line for line in told(sql) if "name: " in line} == {"name: unchanged customers.name"}
    assert "(t: joined on customers.customer_id)" in told(sql)


@pytest.mark.parametrize(
    "sql", ["select unknown_column from invoices", "this is no sql at all", "select ((( from invoices"]
)
def test_what_cannot_be_followed_comes_from_every_column(sql: str) -> None:
    edges = columns(sql, {"invoices": SCHEMAS["invoices"]}, ["out"])
    assert {(e.from_column, e.via, e.direct) for e in edges} == {
        (column, "computed from", True) for column in SCHEMAS["invoices"]
    }


def test_the_built_table_names_the_columns() -> None:
    assert told("select sum(total) from invoices", ["sum(total)"]) == {"sum(total): the sum of invoices.total"}


def test_names_keep_their_case_and_signs() -> None:
    schemas = {"Ærlige tal": {"Beløb i kr.": "DECIMAL(18,2)"}}
    edges = columns('select sum("beløb i Kr.") as "I alt" from "Ærlige Tal"', schemas)
    assert edges == [ColumnEdge("Ærlige tal", "Beløb i kr.", "I alt", "the sum of", True)]


def test_a_model_may_be_read_with_its_layer() -> None:
    edges = columns("select m.x, y from navigate.m", {"m": {"x": "INTEGER", "y": "INTEGER"}})
    assert {(e.from_table, e.from_column, e.via) for e in edges} == {("m", "x", "unchanged"), ("m", "y", "unchanged")}


QUERIES = [
    "select * from invoices",
    "select * exclude (total) from invoices",
    "select * replace (total * 2 as total) from invoices",
    "select country, sum(total) as t, count(*) as n from invoices group by country having sum(total) > 30",
    "select i.*, c.name from invoices i left join customers c on c.customer_id = i.customer_id and c.age > 40",
    "select name, row_number() over (partition by country order by age) as n from customers",
    "select name from customers qualify row_number() over (partition by country order by age desc) = 1",
    "select distinct country from customers intersect select country from invoices",
    "select country from customers except select country from invoices where total > 20",
    "select sum(total) filter (where day > '2024-02-01') as t from invoices",
    "with r as (select customer_id, max(day) as d from invoices group by 1) "
    "select name, d from customers join r using (customer_id)",
    "select country, sum(quantity * price) as t from lines join invoices using (invoice_id) group by all",
    "select name from customers order by age limit 2",
    "select name, age > (select avg(age) from customers) as older from customers",
    "select a.name as one, b.name as two from customers a, customers b where a.age < b.age",
    "select country as c, 1 as k from invoices union by name select name as c, age as k from customers",
    "select name, x from customers, lateral (select age * 2 as x) as l",
    "select name, u from customers, unnest([age, customer_id]) as t(u)",
    "select coalesce(c.name, 'none') as who, quantity from lines l join invoices i on i.invoice_id = l.invoice_id "
    "left join customers c on c.customer_id = i.customer_id",
    "select if(age > 40, name, country) as it from customers",
    "select country, list(name order by age) as names from customers group by country",
    "select day, lag(total) over (order by day) as before from invoices",
    "select name from customers where customer_id in (select customer_id from invoices where total > 20)",
    "from invoices select total, country where day > '2024-01-15'",
    "select count(*) as n from (select distinct country from customers where age > 30) as t",
    "select * from customers semi join invoices using (customer_id)",
    "select first(name) as one from (select * from customers order by age desc) as t",
    "select quantile_cont(total, 0.5) as median, mode(country) as usual from invoices",
    "select struct_pack(a := name, b := age).b as b from customers",
    "select c.country as g, grouping(c.country) as k, count(*) as n from customers c group by rollup (c.country)",
]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("""
            create table invoices as select * from (values
                (1, 1, 'DK', 10.00, date '2024-01-01'), (2, 1, 'SE', 20.50, date '2024-02-01'),
                (3, 2, 'DK', 31.00, date '2024-03-01'), (4, 3, 'NO', 5.25, date '2024-03-09'))
                t(Invoice_id, customer_id, country, total, day);
            create table customers as select * from (values
                (1, 'Ane', 'DK', 34), (2, 'Bo', 'SE', 52), (3, 'Çelik', 'DE', 41), (4, 'Dy', 'DK', 29))
                t(customer_id, name, country, age);
            create table lines as select * from (values (1, 2, 3.00), (2, 1, 20.50), (3, 41, 1.00), (3, 3, 10.00))
                t(invoice_id, quantity, price);
        """)
        yield connection


@pytest.mark.parametrize("sql", QUERIES)
def test_no_column_changes_another_without_an_edge(warehouse: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Changes one input column at a time and looks which columns of the result have changed."""
    before = warehouse.sql(sql)
    names = before.columns
    results = list(zip(*before.fetchall(), strict=True))
    known = {(e.from_table, e.from_column, e.to_column) for e in columns(sql, SCHEMAS, names)}
    known |= {(table, column, to) for table, any_, to in known if any_ is None for column in SCHEMAS[table]}
    changes = {
        "VARCHAR": "case {0} when 'DK' then 'SE' when 'SE' then 'NO' else reverse({0}) end",
        "DATE": "{0} + (45 - 30 * (day(day) % 3))::integer",
    }
    for table, schema in SCHEMAS.items():
        for column, type_ in schema.items():
            change = changes.get(type_, "(({0} * 7) % 43 + 1)").format(f'"{column}"')
            with warehouse.cursor() as changed:
                changed.execute("begin")
                changed.execute(f'update {table} set "{column}" = {change}')
                rows = changed.sql(sql).fetchall()
                changed.execute("rollback")
            after = list(zip(*rows, strict=True)) or [()] * len(names)
            for name, old, new in zip(names, results, after, strict=True):
                if sorted(map(str, old)) != sorted(map(str, new)):
                    assert (table, column, name) in known, f"{table}.{column} changes {name}"


def deciding(sql: str, output: str) -> set[str]:
    """The columns that decide about an output without flowing into it."""
    return {e.from_column or "*" for e in columns(sql, SCHEMAS) if e.to_column == output and not e.direct}


def test_what_rows_are_taken_by_does_not_decide_what_they_are_parted_by() -> None:
    newest = "qualify row_number() over (partition by country order by day) = 1"
    sql = f"select country, total from invoices {newest}"
    assert deciding(sql, "country") == set()
    assert deciding(sql, "total") == {"country", "day"}
    assert deciding(f"select country, list(total) as l from (select * from invoices {newest}) group by 1", "l") == {
        "country", "day",
    }  # fmt: skip


def test_the_order_of_a_limit_decides_which_rows_but_not_how_many() -> None:
    sql = "from (select total from invoices order by day limit 3) cross join (select name from customers)"
    assert deciding(f"select total {sql}", "total") == {"day"}
    assert deciding(f"select name {sql}", "name") == set()
    assert deciding(f"select count(total) as n {sql}", "n") == {"day"}
    assert deciding("select 1 as x from (select distinct on (country) total from invoices order by day)", "x") == {
        "country"
    }


def test_partners_that_a_row_may_have_repeat_it_and_do_not_take_it_away() -> None:
    sql = "from invoices i left join lines l on l.invoice_id = i.Invoice_id and l.price > 1"
    on = {"invoice_id", "Invoice_id", "price"}
    assert deciding(f"select total {sql}", "total") == on
    assert deciding(f"select sum(total) as s {sql}", "s") == on
    assert deciding(f"select row_number() over (order by total) as n {sql}", "n") == on | {"total"}
    assert deciding(f"select max(total) as m {sql}", "m") == set()
    assert deciding(f"select max(quantity) as m {sql}", "m") == on
    assert deciding(f"select distinct total {sql}", "total") == set()
    assert deciding(f"select total {sql} where l.quantity is null group by 1", "total") == {*on, "quantity"}
    assert deciding(f"select total {sql} limit 2", "total") == on


def test_groups_of_a_single_row_are_one() -> None:
    sql = "select m, count(*) as n from (select max(country) as m from invoices) group by m"
    assert deciding(sql, "n") == set()


def test_a_parameter_of_a_lateral_subquery_is_a_column_like_others_outside_of_it() -> None:
    inner = "select c.name as n, l.quantity as q from lines l where l.quantity < c.age"
    sql = f"select count(*) as c from customers c, lateral ({inner}) t group by t.n"
    assert deciding(sql, "c") == {"name", "quantity", "age"}


def test_what_a_correlated_subquery_is_compared_with_decides_about_it() -> None:
    sql = "select (select list(i) from invoices i where i.customer_id = c.customer_id) as l from customers c"
    edges = columns(sql, SCHEMAS)
    assert ("customers", "customer_id") in {(e.from_table, e.from_column) for e in edges if not e.direct}


def test_different_items_decide_how_many_there_are() -> None:
    assert deciding("select 1 as x, unnest(list_distinct([name, country])) as i from customers", "x") == {
        "name", "country",
    }  # fmt: skip
    assert deciding("select 1 as x, unnest(l) as i from (select list(distinct name) as l from customers)", "x") == {
        "name"
    }
    assert deciding("select 1 as x, unnest(l) as i from (select list(name order by age) as l from customers)", "x") == (
        set()
    )


def test_every_indirect_word_is_known() -> None:
    vias = {e.via for sql in QUERIES for e in columns(sql, SCHEMAS) if not e.direct}
    assert vias == set(INDIRECT)


def test_a_column_that_is_named_often_in_query_upon_query_is_one_edge() -> None:
    """Each of these queries names a column twenty times: without care, 64 million flows of one column."""
    often = f"greatest({', '.join(['id'] * 20)})"
    steps = ", ".join(f"c{n} as (select {often} as id from c{n - 1})" for n in range(1, 7))
    sql = f"with c0 as (select * from t), {steps} select id from c6"
    assert columns(sql, {"t": {"id": "INTEGER"}}) == [ColumnEdge("t", "id", "id", "computed from", True)]


def test_the_examples_of_the_docs_hold() -> None:
    page = Path(__file__).parents[2] / "docs/how-to/follow-a-figure-back.md"
    schemas = {
        "orders": {"customer_id": "INTEGER", "country": "VARCHAR", "total": "DECIMAL(18,2)", "ordered_at": "TIMESTAMP"}
    }
    examples = re.findall(r"\| `((?:select|with) .+)` \| (.+) \|", page.read_text(encoding="utf-8"))
    assert len(examples) > 5
    for sql, lines in examples:
        edges = columns(sql, schemas)
        told = [
            f"{e.to_column}: {e.via} {e.from_table}{'.' if e.from_column else ''}{e.from_column or ''}" for e in edges
        ]
        assert told == lines.split("; "), sql
