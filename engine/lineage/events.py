"""OpenLineage events of a run, and their way to a lineage server. Names and counts only, never a value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import requests
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_dataset,
    data_quality_metrics_input_dataset,
    dataset_version_dataset,
    documentation_dataset,
    documentation_job,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    ownership_dataset,
    ownership_job,
    parent_run,
    schema_dataset,
    sql_job,
)
from openlineage.client.serde import Serde
from openlineage.client.transport.http import HttpConfig, HttpTransport

from core.models import CheckResult
from engine.lineage import names
from engine.lineage.columns import INDIRECT
from engine.lineage.edges import Edge

NAMESPACE = "atlas"
set_producer("urn:atlas:engine")  # a URI that names no host

State = Literal["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"]
_SUBTYPES = {
    "unchanged": "IDENTITY",
    "joined on": "JOIN",
    "grouped by": "GROUP_BY",
    "filtered by": "FILTER",
    "sorted by": "SORT",
    "depending on": "CONDITIONAL",
}


@dataclass(frozen=True)
class Dataset:
    """A dataset in an event. `edges` are the column edges into it; of other datasets they are ignored.

    `metrics` are counts by column: nulls, distinct.
    """

    name: str
    namespace: str = NAMESPACE
    columns: Mapping[str, str] = field(default_factory=dict)
    edges: Sequence[Edge] = ()
    owner: str | None = None
    description: str | None = None
    version: str | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    metrics: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    checks: Sequence[CheckResult] = ()


@dataclass(frozen=True)
class Step:
    """A job of Atlas: `customers.explore`, `customers.chart`, `navigate.orders_daily`."""

    name: str
    namespace: str = NAMESPACE
    owner: str | None = None
    description: str | None = None
    sql: str | None = None

    @staticmethod
    def explore(pipeline: str, owner: str | None = None, description: str | None = None) -> "Step":
        return Step(f"{pipeline}.explore", owner=owner, description=description)

    @staticmethod
    def chart(pipeline: str, owner: str | None = None, description: str | None = None) -> "Step":
        return Step(f"{pipeline}.chart", owner=owner, description=description)

    @staticmethod
    def navigate(model: str, sql: str, owner: str | None = None, description: str | None = None) -> "Step":
        return Step(f"navigate.{model}", owner=owner, description=description, sql=sql)


@dataclass(frozen=True)
class Forwarded:
    """Whether a server took an event, and if not, whether to try again later."""

    sent: bool
    retry: bool = False
    reason: str | None = None


def event(
    state: State,
    step: Step,
    run_id: str,
    at: datetime,
    inputs: Iterable[Dataset] = (),
    outputs: Iterable[Dataset] = (),
    *,
    parent: tuple[str, str] | None = None,
    nominal: datetime | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    """One OpenLineage RunEvent as plain JSON values.

    `run_id` is a UUID (version 7 sorts by time), `parent` the run id and job name of the whole run,
    `nominal` the time it was scheduled for, `error` what an AtlasError says.
    """
    read, written = list(inputs), list(outputs)
    run_facets: dict[str, RunFacet] = {}
    if parent:
        run_facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=parent[0]), job=parent_run.Job(namespace=step.namespace, name=parent[1])
        )
    if nominal:
        run_facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(nominalStartTime=_time(nominal))
    if error:
        run_facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=error, programmingLanguage="Python")
    built = RunEvent(
        eventType=RunState(state),
        eventTime=_time(at),
        run=Run(runId=run_id, facets=run_facets),
        job=_job(step),
        inputs=[_input(dataset) for dataset in read],
        outputs=[_output(dataset) for dataset in written],
    )
    return Serde.to_dict(built)


def forward(url: str, payload: dict[str, Any], timeout: float = 3) -> Forwarded:
    """Sends one event to a server that speaks OpenLineage, such as Marquez; tries once."""
    once = {"total": 0, "connect": 0, "read": False, "status_forcelist": []}  # errors are raised as they are
    try:
        transport = HttpTransport(HttpConfig.from_dict({"url": url, "timeout": timeout, "retry": once}))
    except ValueError:
        return Forwarded(False, False, "its address is no URL")
    try:
        transport.emit(payload)  # type: ignore[arg-type]  # it serialises what it gets; ours is serialised already
    except requests.HTTPError as error:
        status = error.response.status_code
        return Forwarded(False, status >= 500 or status in (408, 425, 429), f"it answered HTTP {status}")
    except requests.Timeout:
        return Forwarded(False, True, f"no answer in {timeout:g} s")
    except requests.ConnectionError:
        return Forwarded(False, True, "it cannot be reached")
    except requests.RequestException as error:
        return Forwarded(False, False, f"it cannot be sent there: {type(error).__name__}")
    finally:
        transport.close()
    return Forwarded(True)


def _job(step: Step) -> Job:
    facets: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="ATLAS", jobType="MODEL" if step.sql else "JOB"
        )
    }
    if step.sql:
        facets["sql"] = sql_job.SQLJobFacet(query=step.sql, dialect="duckdb")
    if step.owner:
        facets["ownership"] = ownership_job.OwnershipJobFacet(
            owners=[ownership_job.Owner(name=f"team:{step.owner}", type="MAINTAINER")]
        )
    if step.description:
        facets["documentation"] = documentation_job.DocumentationJobFacet(description=step.description)
    return Job(namespace=step.namespace, name=step.name, facets=facets)


def _facets(dataset: Dataset) -> dict[str, DatasetFacet]:
    facets: dict[str, DatasetFacet] = {}
    if dataset.columns:
        fields = [
            schema_dataset.SchemaDatasetFacetFields(name=name, type=str(type_), ordinal_position=position, fields=None)
            for position, (name, type_) in enumerate(dataset.columns.items(), 1)
        ]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    if dataset.owner:
        owner = ownership_dataset.Owner(name=f"team:{dataset.owner}", type="MAINTAINER")
        facets["ownership"] = ownership_dataset.OwnershipDatasetFacet(owners=[owner])
    if dataset.description:
        facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(description=dataset.description)
    if dataset.version:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.version)
    return facets


def _input(dataset: Dataset) -> InputDataset:
    facets: dict[str, InputDatasetFacet] = {}
    if dataset.metrics or dataset.rows is not None:
        facets["dataQualityMetrics"] = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
            rowCount=dataset.rows,
            columnMetrics={
                name: data_quality_metrics_input_dataset.ColumnMetrics(
                    nullCount=counts.get("nulls"), distinctCount=counts.get("distinct"), quantiles=None
                )
                for name, counts in dataset.metrics.items()
            },
        )
    measured = [check for check in dataset.checks if check.tested]  # nothing tested is neither a success nor a failure
    if measured:
        facets["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[_assertion(check) for check in measured]
        )
    return InputDataset(
        namespace=dataset.namespace, name=dataset.name, facets=_facets(dataset), inputFacets=facets or None
    )


def _assertion(check: CheckResult) -> data_quality_assertions_dataset.Assertion:
    return data_quality_assertions_dataset.Assertion(
        assertion=check.dimension,
        success=not check.failed,
        column=check.column,
        name=check.check,
        expected="0 failed",
        actual=f"{check.failed:g} of {check.tested:g} failed",
        params=None,
    )


def _output(dataset: Dataset) -> OutputDataset:
    facets = _facets(dataset)
    lineage = _column_lineage(dataset)
    if lineage:
        facets["columnLineage"] = lineage
    if dataset.metrics:
        facets["dataQualityMetrics"] = data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
            rowCount=dataset.rows,
            columnMetrics={
                name: data_quality_metrics_dataset.ColumnMetrics(
                    nullCount=counts.get("nulls"), distinctCount=counts.get("distinct"), quantiles=None
                )
                for name, counts in dataset.metrics.items()
            },
        )
    written: dict[str, OutputDatasetFacet] = {}
    if dataset.rows is not None:
        written["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=dataset.rows, size=dataset.bytes, fileCount=dataset.files
        )
    return OutputDataset(namespace=dataset.namespace, name=dataset.name, facets=facets, outputFacets=written or None)


def _column_lineage(dataset: Dataset) -> column_lineage_dataset.ColumnLineageDatasetFacet | None:
    edges = [e for e in dataset.edges if e["to_dataset"] == dataset.name and e["from_column"] and e["to_column"]]
    by_column: dict[str, list[Edge]] = {}
    for edge in edges:
        by_column.setdefault(edge["to_column"], []).append(edge)
    if not by_column:
        return None
    fields = {}
    for column, into in by_column.items():
        masked = [edge["via"] for edge in into if edge["masked"]]
        identity = len(into) == 1 and into[0]["via"] == "unchanged"
        fields[column] = column_lineage_dataset.Fields(
            inputFields=[_input_field(edge, dataset.namespace) for edge in into],
            transformationType="MASKED" if masked else "IDENTITY" if identity else None,  # all that Marquez reads
            transformationDescription=masked[0] if masked else min(into, key=lambda e: e["via"] in INDIRECT)["via"],
        )
    return column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields, dataset=None)


def _input_field(edge: Edge, namespace: str) -> column_lineage_dataset.InputField:
    via = str(edge["via"])
    aggregated = via.startswith(("the ", "a sum", "an average"))
    subtype = _SUBTYPES.get(via, "AGGREGATION" if aggregated else "TRANSFORMATION")
    transformation = column_lineage_dataset.Transformation(
        type="INDIRECT" if via in INDIRECT else "DIRECT",
        subtype=subtype,
        description=via,
        masking=bool(edge["masked"]),
    )
    read = names.read(edge["from_dataset"]) or names.Named(namespace, edge["from_dataset"])
    return column_lineage_dataset.InputField(
        namespace=read.namespace, name=read.name, field=edge["from_column"], transformations=[transformation]
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
