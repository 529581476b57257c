import json
from datetime import UTC, datetime
from typing import Any

from core.models import PERSONAL_TYPES
from core.pipeline import LegalBasis, Privacy
from engine.compliance.record import BASES, KINDS, Activity, record

NOW = datetime(2026, 11, 23, 4, 19, tzinfo=UTC)
CONTROLLER = {
    "name": "Eksempel Handel A/S",
    "contact": "Ærøgade 1, 5970 Ærøskøbing",
    "dpo": "Bo Jensen, dpo@example.dk",
}


def finding(column: str, *types: str, action: str = "keep", masked: int = 0) -> dict[str, Any]:
    return {"column": column, "types": list(types), "confidence": 0.987, "reason": "", "action": action,
            "scope": "column", "rows": 100, "masked": masked}  # fmt: skip


DECLARED = Privacy(
    purpose="Order handling",
    legal_basis="contract",
    retention_days=730,
    persons=["customers"],
    recipients=["the parcel carrier"],
    transfers=[],
)
CUSTOMERS = Activity(
    "customers",
    "crm-team",
    "Customers from the CRM export",
    DECLARED,
    [
        finding("id"),
        finding("email", "EMAIL", action="hash", masked=98),
        finding("cpr", "CPR", action="hash", masked=100),
        finding("notes", "PERSON", action="redact", masked=12),
    ],
    {"score": 94.1, "dimensions": {"completeness": 91.0, "accuracy": None}},
    {"number": 7, "run": 12, "rows": 100, "published_at": NOW},
    ["customers.csv"],
    ["customers_by_country"],
)


def cells(made: dict[str, Any], activity: int = 0) -> dict[str, Any]:
    return {cell["label"]: cell for cell in made["activities"][activity]["cells"]}


def test_the_record_is_plain_json() -> None:
    made = record([CUSTOMERS], CONTROLLER, NOW)
    assert json.loads(json.dumps(made)) == made


def test_every_item_of_article_30_is_there() -> None:
    made = record([CUSTOMERS], CONTROLLER, NOW)
    articles = {cell["article"] for cell in [*made["controller"], *made["activities"][0]["cells"]]}
    assert {f"Art. 30(1)({letter})" for letter in "abcdef"} | {"Art. 30(1)(g), 32(1)"} <= articles


def test_each_cell_says_who_knows_it() -> None:
    found = cells(record([CUSTOMERS], CONTROLLER, NOW))
    assert found["Purpose"]["status"] == "declared"
    assert found["Purpose"]["source"] == "customers.yml"
    assert found["Categories of personal data"] == {
        "label": "Categories of personal data",
        "article": "Art. 30(1)(c)",
        "value": "e-mail addresses, Danish civil registration numbers (CPR), names",
        "status": "observed",
        "source": "found in the data",
        "needed": True,
    }
    assert found["Legal basis"]["value"] == "contract, Art. 6(1)(b)"


def test_a_complete_record_has_nothing_to_fill_in() -> None:
    made = record([CUSTOMERS], CONTROLLER, NOW)
    assert made["to_fill_in"] == []
    assert made["attention"] == []
    assert made["totals"] == {
        "datasets": 1,
        "rows": 100,
        "missing": 0,
        "personal_columns": 3,
        "masked_columns": 3,
        "unmasked_columns": 0,
    }


def test_what_nobody_stated_is_missing_with_what_to_do() -> None:
    silent = Activity("people", verdicts=[finding("name", "PERSON", action="hash", masked=1)])
    made = record([silent, CUSTOMERS], {}, NOW)
    gaps = {gap["what"]: gap for gap in made["to_fill_in"]}
    assert gaps.keys() == {
        "Controller", "Contact of the controller", "Data protection officer", "Purpose", "Legal basis",
        "Categories of data subjects", "Categories of recipients", "Transfers to third countries",
        "Time limit for erasure",
    }  # fmt: skip
    assert gaps["Purpose"]["where"] == ["people"]
    assert gaps["Controller"]["where"] == ["controller"]
    assert "purpose:" in gaps["Purpose"]["todo"]
    assert made["totals"]["missing"] == 9


def test_an_empty_list_that_somebody_wrote_says_none() -> None:
    assert cells(record([CUSTOMERS], {}, NOW))["Transfers to third countries"]["value"] == "none"
    silent = Activity("a", verdicts=[finding("name", "PERSON")])
    assert cells(record([silent], {}, NOW))["Transfers to third countries"]["status"] == "missing"


def test_where_no_personal_data_were_found_nothing_must_be_stated() -> None:
    made = record([Activity("countries", verdicts=[finding("code")])], CONTROLLER, NOW)
    assert made["to_fill_in"] == []
    assert cells(made)["Categories of personal data"]["value"] == "none found"
    assert not cells(made)["Purpose"]["needed"]


def test_where_nobody_has_looked_nothing_is_claimed() -> None:
    found = cells(record([Activity("new")], CONTROLLER, NOW))["Categories of personal data"]
    assert (found["status"], found["value"]) == ("missing", None)


def test_retention_tells_whether_it_is_enforced() -> None:
    found = cells(record([CUSTOMERS], {}, NOW))
    assert found["Time limit for erasure"]["value"] == "730 days (2 years); declared, not yet enforced"
    assert found["Raw data, before masking"]["source"] == "default of Atlas"
    enforced = cells(record([CUSTOMERS], {}, NOW, retention_enforced=True, raw_retention_enforced=True))
    assert enforced["Time limit for erasure"]["value"] == "730 days (2 years); deleted by Atlas"
    assert enforced["Raw data, before masking"]["value"] == "7 days; deleted by Atlas"


def test_hashing_is_called_pseudonymisation() -> None:
    measures = cells(record([CUSTOMERS], {}, NOW, measures=["access by role"]))["Security measures"]["value"]
    assert measures.startswith("pseudonymisation (Art. 4(5)) of 2 columns by keyed hash")
    assert measures.endswith("1 column redacted; access by role")


def test_personal_data_that_are_kept_need_attention() -> None:
    kept = Activity("people", verdicts=[finding("cpr", "CPR"), finding("name", "PERSON", action="hash")])
    made = record([kept], CONTROLLER, NOW)
    assert made["attention"] == [
        "people: personal and not masked: cpr.",
        "people: unmasked CPR numbers; see the Danish Data Protection Act § 11.",
        "people: no version is published yet.",
    ]
    assert made["totals"]["unmasked_columns"] == 1


def test_times_are_told_in_the_zone_and_in_utc() -> None:
    made = record([CUSTOMERS], CONTROLLER, NOW)
    assert made["made_at"] == "2026-11-23T04:19:00+00:00"
    assert made["made_at_local"] == "23 November 2026, 05:19"


def test_it_never_calls_anything_compliant() -> None:
    assert "complian" not in json.dumps(record([CUSTOMERS], {}, NOW)).lower()


def test_every_kind_and_every_basis_has_words() -> None:
    assert set(KINDS) == set(PERSONAL_TYPES)
    assert set(BASES) == set(LegalBasis.__args__)  # type: ignore[attr-defined]
