"""The main job as a person does it: say it, read the answer."""

import json
from pathlib import Path

import pytest

from tests.program import Program

CUSTOMERS = """customer_id,name,email,country,spent
1,Åse Kjær,aase@mail.example,Denmark,10.50
2,Bo Lund,bo@mail.example,Sweden,20.25
3,Ida Holm,,Denmark,5.00
3,Ida Holm,ida@mail.example,Denmark,5.00
4,Per Dahl,per at mail,Norway,1.00
5,broken
"""
RULES = """key: [customer_id]
quality:
  completeness: [email]
  uniqueness: [customer_id]
  validity: [{column: email, format: email}]
  reject_rows: [validity, uniqueness]
"""
MODEL = "-- Spending by country\nselect country, sum(spent) as spent from customers group by 1 order by spent desc\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    made = Program(tmp_path_factory.mktemp("main job"), fresh=True)
    made.pipeline("customers", CUSTOMERS, RULES, MODEL)
    made.ran = made.say("run customers")  # type: ignore[attr-defined]
    return made


def test_a_run_tells_rows_scores_what_was_masked_and_what_was_built(program: Program) -> None:
    facts = program.ran["facts"]  # type: ignore[attr-defined]
    assert (facts["rows_in"], facts["rows_out"], facts["rows_rejected"]) == (6, 3, 3)
    assert facts["state"] == "succeeded"
    assert facts["dimensions"]["completeness"] == "80.0"
    assert facts["dimensions"]["accuracy"] is None
    assert {column["column"] for column in facts["personal_columns"]} == {"name", "email"}
    assert [table["name"] for table in facts["tables"]] == ["customers_model"]


def test_a_table_is_shown_in_its_own_order(program: Program) -> None:
    facts = program.say("show customers_model")["facts"]
    assert facts["rows"] == [["Sweden", "20.25"], ["Denmark", "15.50"]]
    assert facts["total_rows"] == 2


@pytest.mark.parametrize(
    "sentence",
    ["quality customers", "quality customers trend", "why customers", "pii customers", "lineage customers_model.spent",
     "impact customers", "dead customers", "gdpr report customers", "status", "status 1", "runs", "runs customers",
     "pipelines", "datasets", "whoami", "help", "help run"],
)  # fmt: skip
def test_everything_in_the_readme_can_be_said(program: Program, sentence: str) -> None:
    answer = program.say(sentence)
    assert (answer["ok"], answer["exit"]) == (True, 0)
    assert not any(person in str(answer) for person in ("Åse", "Lund", "mail.example"))
    assert all(Path(attachment["path"]).stat().st_size > 1000 for attachment in answer["attachments"])


@pytest.mark.parametrize(
    ("sentence", "code", "part"),
    [
        ("run custmers", 1, "Did you mean customers"),
        ("qualty customers", 2, "quality customers"),
        ("run", 2, "Which pipeline"),
        ("status 99", 1, "no run `#99`"),
        ("show nothing", 1, "nothing"),
        ("cancel 1", 1, "already succeeded"),
        ("retry 1", 1, "nothing to retry"),
        ("bake a cake", 2, "help"),
        (" ", 2, "Nothing was said"),
        ("cancel", 2, "None of the newest is queued or running."),
        ("schedule customers hver dag", 2, "five fields"),
    ],
)
def test_what_cannot_be_done_is_said_kindly(program: Program, sentence: str, code: int, part: str) -> None:
    answer = program.say(sentence)
    assert (answer["ok"], answer["exit"]) == (False, code)
    assert part.replace("`", "") in (answer["text"] + str(answer["actions"])).replace("`", "")


def test_what_is_said_on_the_command_line_needs_no_quotes(program: Program) -> None:
    said = program.run("say", "quality", "customers", "--json")
    assert json.loads(said.stdout)["facts"] == program.say("quality customers")["facts"]
    assert "--dear is too much here" in program.run("say", "run", "customers", "--dear").stdout.replace("`", "")


def test_a_replay_changes_nothing_but_what_the_rules_changed(program: Program) -> None:
    again = program.say("replay customers")["facts"]
    assert (again["rows_in"], again["rows_out"], again["rows_rejected"]) == (6, 3, 3)
    path = program.pipelines / "customers.yml"
    strict = path.read_text(encoding="utf-8")
    path.write_text(strict.replace("reject_rows: [validity, uniqueness]", "reject_rows: []"), encoding="utf-8")
    loose = program.say("replay customers")["facts"]
    path.write_text(strict, encoding="utf-8")
    assert (loose["rows_in"], loose["rows_out"], loose["rows_rejected"]) == (6, 4, 2)  # the key is published once


def test_a_score_below_the_minimum_is_refused_and_the_last_good_version_stays(tmp_path: Path) -> None:
    program = Program(tmp_path)
    rules = "quality: {completeness: [email], minimum_score: 90}\n"
    program.pipeline("members", "id,email\n1,a@mail.example\n", rules)
    assert program.say("run members")["ok"]
    (program.pipelines / "members.csv").write_text("id,email\n1,\n2,b@mail.example\n", encoding="utf-8")
    refused = program.say("run members")
    assert (refused["exit"], refused["facts"]["state"], refused["facts"]["score"]) == (1, "refused", "50.0")
    assert program.say("datasets")["facts"]["items"][0]["version"] == 1


def test_a_lost_column_fails_the_run_unless_it_is_meant(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.pipeline("members", "id,city\n1,Vejle\n")
    assert program.say("run members")["ok"]
    (program.pipelines / "members.csv").write_text("id\n1\n", encoding="utf-8")
    failed = program.say("run members")
    assert failed["exit"] == 1
    assert "city" in failed["text"]
    assert program.say("run members --full")["ok"]


def test_a_missing_file_fails_at_once_and_says_what_was_looked_for(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.pipeline("members", "")
    (program.pipelines / "members.csv").unlink()
    failed = program.say("run members")
    assert failed["exit"] == 1
    assert "members.csv" in failed["text"]


def test_a_broken_model_is_a_warning_and_not_a_failure(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.pipeline("members", "id\n1\n", model="select nothing from members")
    facts = program.say("run members")["facts"]
    assert facts["state"] == "succeeded"
    assert facts["tables"][0]["state"] == "failed"


def test_a_pipe_is_answered_line_by_line(program: Program) -> None:
    done = program.run("chat", text="whoami\n\nstatus\n")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "customers" in done.stdout


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ATLAS_HOME", "/etc/passwd"), ("ATLAS_HOME", "/proc/nope"), ("ATLAS_DATABASE_URL", "foo"),
     ("ATLAS_DATABASE_URL", "nosuch://x/y"), ("ATLAS_PIPELINES", "/nowhere"), ("ATLAS_TIMEZONE", "Mars")],
)  # fmt: skip
def test_a_wrong_setting_is_told_in_a_line_or_two(tmp_path: Path, variable: str, value: str) -> None:
    program = Program(tmp_path)
    program.environment[variable] = value
    done = program.run("say", "status")
    assert done.returncode == 1
    assert 0 < len((done.stdout + done.stderr).strip().splitlines()) <= 3


def test_a_file_that_cannot_be_masked_does_not_stop_the_others(tmp_path: Path) -> None:
    program = Program(tmp_path)
    (tmp_path / "bad.csv").write_text("", encoding="utf-8")
    (tmp_path / "good.csv").write_text("id,email\n1,anna@mail.example\n", encoding="utf-8")
    done = program.run("mask", "bad.csv", "good.csv", "--out", "masked", "--findings", "found.json")
    assert done.returncode == 1
    assert "bad.csv was not masked" in done.stderr
    assert "anna@" not in (tmp_path / "masked" / "good.csv").read_text(encoding="utf-8")
    assert (tmp_path / "found.json").exists()
    assert not (tmp_path / "masked" / "bad.csv").exists()
