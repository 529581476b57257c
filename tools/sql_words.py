"""Writes engine/sql/words.tsv: every function and type of the installed DuckDB, and whether people's SQL may use it.

    python tools/sql_words.py

A rule below refuses by name. What was allowed before stays allowed. A name that is new is refused as `not reviewed`:
read what it does, then write `allowed` in its place, or add a rule, and run this again.
"""

import re
from pathlib import Path

import duckdb

FILE = Path(__file__).parents[1] / "engine" / "sql" / "words.tsv"
ALLOWED, OPERATOR, NEW = "allowed", "operator", "not reviewed"

# Functions, by the whole name; the first rule that fits is the verdict.
FUNCTIONS = {
    "it is an operator; write it between its values": r"!?=|[<>]=?|!__postfix|IS (NOT )?DISTINCT FROM|__between|__cast",
    OPERATOR: r"[-+*/%^&|<>~@!=]+",
    "it is internal to DuckDB": (
        r"__internal.*|(icu_)?collate_.*|icu_sort_key|.*_byte_comparable|.*_comparator|create_sort_key|index_key|"
        r"constant_or_null|decimal_(average|division)|sum_no_overflow|remap_struct|vector_type|stats|cast_to_type|replace_type|"
        r"(not_)?i?like_escape|json_copy_strftime.*|array_to_string_comma_default|hive_partition_component|alias"
    ),
    "it handles the states of aggregates": r"combine|finalize|to_aggregate_state|combine_aggr",
    "it calls a function by a name that is a value": r"(list|array)_(aggr|aggregate)|aggregate|invoke",
    "it reads or runs plans and queries": r"json_(de)?serialize_(sql|plan)|json_execute.*|current_query(_id)?",
    "it reads or changes settings, variables or the session": (
        r"current_setting|getvariable|getenv|set_?seed|version|current_(connection|transaction)_id|txid_current|"
        r"pg_(conf_load_time|postmaster_start_time|my_temp_schema|is_other_temp_schema)|inet_.*|get_block_size"
    ),
    "it reads the catalogue": (
        r"current_(database|catalog|schemas?|user|role)|session_user|user|in_search_path|has_.*_privilege|pg_has_role|"
        r"pg_.*_is_visible|pg_get_.*|(col|obj|shobj)_description|map_to_pg_oid|format_(pg_)?type"
    ),
    "it writes or reads DuckDB's log": r"write_log|parse_duckdb_log_message",
    "it counts up a sequence": r"nextval|currval|setval",
    "it waits": r"sleep_ms|pg_sleep",
    "it stops the run": r"error|assert_true",
    "it gives something else each time, and a table must come out the same when it is built again": (
        r"random|uuid|gen_random_uuid|uuidv[47]|reservoir_quantile"
    ),
    "one value of it can fill the memory": r"(list|array)_resize|equi_width_bins|bitstring(_agg)?|[sg]et_bit",
    "a value that is nested deeply crashes DuckDB": r"json_(contains|(group_)?structure)",
    "it names types in a text": r"json_transform(_strict)?|from_json(_strict)?",
    "it handles types as values": r"type|make_type|get_type|can_cast_implicitly",
    "it works on a type that is not allowed": (
        r"variant_.*|vertex_extract|union_.*|st_.*|enum_.*|bit_position|array_(value|distance|.*_(product|distance|similarity)|zip)|"
        r"to_variant|.*_aggr_state"
    ),
}  # fmt: skip
TYPES = {
    "one value of it can fill the memory": r"bit|bitstring|array|bignum|varint",
    "it is not needed for tables": r"enum|union|variant|geometry|type|tuple|oid|null|timestamptz_ns|.*int128",
}


def written(before: str) -> str:
    """The file anew, after the installed DuckDB and the verdicts of the file before."""
    known = dict(line.rsplit("\t", 1) for line in before.splitlines())
    with duckdb.connect() as connection:
        functions = connection.execute(
            "SELECT lower(function_name), "
            "CASE WHEN bool_and(function_type IN ('aggregate', 'window')) THEN 'aggregate' ELSE 'scalar' END "
            "FROM duckdb_functions() WHERE function_type NOT IN ('table', 'table_macro', 'pragma') GROUP BY ALL"
        ).fetchall()
        types = connection.execute("SELECT DISTINCT lower(type_name) FROM duckdb_types() WHERE internal").fetchall()
    # DuckDB's parser knows unnest; no catalogue lists it as a scalar function
    words = {(kind, name): FUNCTIONS for name, kind in [*functions, ("unnest", "scalar")]}
    words |= {("type", name): TYPES for (name,) in types}
    lines = []
    for (kind, name), rules in sorted(words.items()):
        ruled = next((verdict for verdict, rule in rules.items() if re.fullmatch(rule, name, re.IGNORECASE)), None)
        verdict = known.get(f"{kind}\t{name}", NEW)
        lines.append(f"{kind}\t{name}\t{ruled or (verdict if verdict == ALLOWED else NEW)}\n")
    return "".join(lines)


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text(encoding="utf-8") if FILE.exists() else ""), encoding="utf-8")
