"""Measures a contract with Soda on all raw rows."""

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from core.models import NO_ROWS, CheckResult
from core.pipeline import Pipeline
from engine.contract.check import Check
from engine.contract.dimensions.timeliness import NOW
from engine.contract.rows import ROWS, Raw, ask, opened
from engine.sql import contained, sandbox
from engine.sql.child import Limits, Link

# Soda reads both when it is imported: it would report home and load the project's .env
os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"
os.environ["PYTHON_DOTENV_DISABLED"] = "1"


def measured(
    pipeline: Pipeline,
    raw: Raw,
    spill: Path,
    wanted: Callable[[], None],
    limits: Limits = contained.DEFAULT,
) -> list[CheckResult]:
    """What every rule gives, in the order of the six dimensions and of the file. Raises as `rows.ask`."""
    return ask("measure", pipeline, raw, spill, returns=list[CheckResult], limits=limits, wanted=wanted,
               leaves=[spill])  # fmt: skip


def measure(pipeline: Pipeline, raw: Raw, spill: Path, link: Link) -> list[CheckResult]:
    """What `measured` has its child do."""
    with opened(pipeline, raw, spill, link) as (rows, checks):
        answers = _measure(rows.connection, [check for check in checks if check.soda], raw.now)
        return [_result(rows.connection, check, answers.get(id(check))) for check in checks]


def _measure(connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime) -> dict[int, Mapping[str, Any]]:
    """What Soda measured, by check. If one check breaks them all, each is asked alone."""
    measured = _ask_soda(connection, checks, now) if checks else {}
    if len(measured) < len(checks) and len(checks) > 1:
        for check in checks:
            if id(check) not in measured:
                measured |= _ask_soda(connection, [check], now)
    return measured


def _ask_soda(
    connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime
) -> dict[int, Mapping[str, Any]]:
    from soda_core.common.yaml import ContractYamlSource
    from soda_core.contracts.contract_verification import CheckOutcome, ContractVerificationSession
    from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

    # it logs what DuckDB says of a broken query, and DuckDB quotes values
    logging.getLogger("soda").setLevel(logging.CRITICAL + 1)
    session = ContractVerificationSession.execute(
        contract_yaml_sources=[ContractYamlSource.from_str(_as_yaml(_contract(checks)))],
        data_source_impls=[DuckDBDataSourceImpl.from_existing_cursor(connection.cursor(), name="raw")],
        variables={NOW: now.astimezone(UTC).isoformat()},
    )
    measured: dict[int, Mapping[str, Any]] = {}
    for result in session.results[0].check_results:
        if result.outcome in (CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.WARN):
            values = dict(result.diagnostic_metric_values or {})
            values["freshness_in_seconds"] = age = getattr(result, "freshness_in_seconds", None)
            values["newest"] = None if age is None else now.timestamp() - float(age)
            measured[id(checks[int(result.check.attributes["atlas"])])] = values
    return measured


def _contract(checks: list[Check]) -> dict[str, Any]:
    """The contract in Soda's language."""
    columns: dict[str, list[Any]] = {}
    whole: list[Any] = []
    for number, check in enumerate(checks):
        assert check.soda is not None
        ((kind, body),) = check.soda.items()
        entry = {kind: {**body, "qualifier": f"q{number}", "attributes": {"atlas": str(number)}}}
        (columns.setdefault(check.soda_column, []) if check.soda_column else whole).append(entry)
    contract: dict[str, Any] = {
        "dataset": f"raw/main/{ROWS}",
        "variables": {NOW: {}},
        "columns": [{"name": name, "checks": found} for name, found in columns.items()],
    }
    return {**contract, "checks": whole} if whole else contract


def _as_yaml(contract: dict[str, Any]) -> str:
    """JSON, which is YAML but for the letters that one of them escapes in two halves, breaks at or refuses."""
    text = json.dumps(contract, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _result(connection: duckdb.DuckDBPyConnection, check: Check, answer: Mapping[str, Any] | None) -> CheckResult:
    failed, tested, note = 0.0, 0.0, check.note
    newest = answer.get("newest") if answer else None
    if answer is not None:
        failed, tested, note = check.count(answer, check.allowed)
        if not tested:
            note = note or NO_ROWS
    elif check.soda:
        note = _why_not(connection, check)
    fault = f"{', '.join(check.duplicate_of)} comes twice" if check.duplicate_of else check.fault
    return CheckResult(
        check.name,
        check.dimension,
        check.column,
        float(failed or 0),
        float(tested or 0),
        check.weight,
        note,
        fault,
        newest,
    )


def _why_not(connection: duckdb.DuckDBPyConnection, check: Check) -> str:
    """Why a check that could be planned could not be measured."""
    try:
        connection.execute(f"SELECT count(*) FROM {ROWS} WHERE {check.failing or 'true'}").fetchall()
    except duckdb.Error as error:
        return sandbox.running_fault(error).removesuffix(".")
    return "Soda could not measure it"
