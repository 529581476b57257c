"""People talk to Atlas in Teams: what they say is stored, acknowledged and answered."""

import json

from sqlalchemy import select

from bot.reply import Reply
from engine.store.tables import AuditEntry
from tests.mocks.teams import CHANNEL, KIM, THREAD, personal
from tests.teams.office import TeamsOffice

VERA, STRANGER = "8a1b2c3d-0000-4000-8000-00000000000b", "8a1b2c3d-0000-4000-8000-00000000000c"


def test_a_run_is_one_message_that_is_edited(office: TeamsOffice) -> None:
    answer = office.says("run customers", channel=CHANNEL, thread=THREAD)
    assert "Run #1 of customers" in answer.text
    assert "3 in, 3 out, 0 rejected" in answer.text
    assert [m.conversation for m in office.teams.messages] == [f"{CHANNEL}{THREAD}"]
    assert answer.edits
    assert office.teams.wrong == []


def test_a_message_to_the_bot_alone_is_answered_there(office: TeamsOffice) -> None:
    answer = office.says("pipelines")
    assert (answer.conversation, "customers" in answer.text) == (personal(), True)


def test_a_button_says_its_command_with_the_rights_of_whoever_clicks(office: TeamsOffice) -> None:
    office.link(VERA, "vera", "viewer")
    asked = office.says("pipelines", channel=CHANNEL)
    label = asked.card["actions"][0]["title"]
    assert (
        "You may not do this: it needs the role operator"
        in office.after(office.teams.click(label, asked, user=VERA)).text
    ), label
    assert office.after(office.teams.click(label, asked)).conversation == CHANNEL


def test_people_whom_nobody_knows_get_help_and_link_and_nothing_else(office: TeamsOffice) -> None:
    for said in ("whoami", "pipelines", "run customers", "show revenue_by_country", "cancel 1", "rubbish", "cancel"):
        assert "Nobody here knows you yet" in office.says(said, user=STRANGER).text, said
    assert "run PIPELINE" not in office.says("help", user=STRANGER).text
    assert "Your code is" in office.says("link", user=STRANGER).text


def test_in_a_channel_rows_go_to_the_person_alone(office: TeamsOffice) -> None:
    before = len(office.teams.messages)
    office.says("show revenue_by_country", channel=CHANNEL)
    alone, told = office.teams.messages[before:]
    assert (alone.conversation, "DK" in alone.text) == (personal(), True)
    assert (told.conversation, "DK" in told.text) == (CHANNEL, False)
    assert "went to whoever asked, alone" in told.text


def test_somebody_whom_the_bot_may_not_write_to_is_told_so_in_the_channel(office: TeamsOffice) -> None:
    office.teams.without_the_app.add(KIM)
    told = office.says("show revenue_by_country", channel=CHANNEL)
    assert (told.conversation, "DK" in told.text, "Atlas may not write to you" in told.text) == (CHANNEL, False, True)
    office.teams.without_the_app.clear()


def test_pictures_and_reports_come_by_a_link_that_is_noted(office: TeamsOffice) -> None:
    answer = office.says("lineage revenue_by_country", channel=CHANNEL)
    (link,) = answer.links.values()
    picture = office.fetch(link)
    assert (picture.content[:4], picture.headers["content-type"]) == (b"\x89PNG", "image/png")
    before = len(office.teams.messages)
    office.says("gdpr report", channel=CHANNEL)
    report = office.fetch(next(iter(office.teams.messages[before].links.values())))
    assert (report.content[:4], report.headers["content-disposition"][:10]) == (b"%PDF", "attachment")
    with office.office.atlas.home.database.read() as db:
        noted = db.execute(select(AuditEntry.action, AuditEntry.who, AuditEntry.through, AuditEntry.about)).all()
    assert ("file.fetch", None, "link", "gdpr-report.pdf") in [tuple(row) for row in noted]


def test_a_link_that_is_guessed_or_altered_shows_nothing(office: TeamsOffice) -> None:
    link = next(iter(office.says("lineage revenue_by_country").links.values()))
    assert office.fetch(link[:-1] + ("A" if link[-1] != "A" else "B")).status_code == 404
    assert office.fetch(link[:-1]).status_code == 422


def test_what_is_said_twice_is_answered_once(office: TeamsOffice) -> None:
    activity = office.teams.activity("status", channel=CHANNEL)
    before = len(office.teams.messages)
    office.after(activity)
    assert [office.send(activity).status_code for _ in range(3)] == [200, 200, 200]
    assert office.office.idle()
    assert len(office.teams.messages) == before + 1


def test_what_the_bot_itself_or_another_bot_says_is_not_heard(office: TeamsOffice) -> None:
    before = office.teams.calls["post"]
    for sender in ({"id": "28:another", "aadObjectId": KIM}, {"id": "29:x", "aadObjectId": KIM, "role": "bot"}):
        assert office.send(office.teams.activity("status", **{"from": sender})).status_code == 200
    assert office.send({**office.teams.activity("x"), "type": "typing"}).status_code == 200
    assert office.send({**office.teams.activity("x"), "type": "messageReaction", "text": None}).status_code == 200
    assert office.office.idle()
    assert office.teams.calls["post"] == before


def test_a_form_that_is_none_of_ours_says_nothing(office: TeamsOffice) -> None:
    before = office.teams.calls["post"]
    for value in ({"role": "admin"}, {"say": 7}, {"say": {"x": 1}}, {"say": None}):
        assert office.send(office.teams.activity(None, value=value)).status_code == 200
    assert office.teams.calls["post"] == before


def test_the_person_in_the_form_is_not_believed(office: TeamsOffice) -> None:
    value = {"say": "whoami", "from": {"aadObjectId": KIM}, "aadObjectId": KIM, "role": "admin"}
    answer = office.after(office.teams.activity(None, user=STRANGER, value=value))
    assert "Nobody here knows you yet" in answer.text


def test_alerts_are_posted_to_channels_and_people_and_edited(office: TeamsOffice) -> None:
    before = len(office.teams.messages)
    channel = office.post(CHANNEL, Reply("Run #7 failed.", holds="counts"), ref=None, key="alert-1")
    person = office.post(KIM, Reply("Run #7 failed.", holds="counts"), ref=None, key="alert-1")
    assert [m.conversation for m in office.teams.messages[before:]] == [CHANNEL, personal()]
    assert office.post(CHANNEL, Reply("It is over.", holds="counts"), ref=channel, key="alert-1") == channel
    assert "It is over." in office.teams.messages[before].text
    assert (
        office.post(KIM, Reply("Again.", holds="counts"), ref=None, key="alert-1") == person
    )  # somebody who is gone posted it
    assert len(office.teams.messages) == before + 2
    assert json.loads(person)["conversation"] == personal()


def test_nothing_that_teams_would_refuse_was_sent(office: TeamsOffice) -> None:
    assert office.teams.wrong == []
