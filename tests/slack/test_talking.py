"""People talk to Atlas in Slack: what they say is stored, acknowledged and answered."""

from tests.mocks.slack import BOT_USER, CHANNEL
from tests.slack.office import Office


def test_a_run_is_one_message_that_is_edited(office: Office) -> None:
    answer = office.says("run customers", channel=CHANNEL)
    assert "*Run #1 of customers*" in answer.text
    assert "3 in, 3 out, 0 rejected" in answer.text
    assert [m.channel for m in office.slack.messages] == [CHANNEL]
    assert answer.edits
    assert office.slack.wrong == []


def test_a_mention_is_answered_in_its_thread(office: Office) -> None:
    before = len(office.slack.messages)
    body = office.slack.event(f"<@{BOT_USER}> status customers", thread="1700000000.000100")
    assert office.send(body).status_code == 200
    answer = office.answer(before)
    assert "Run #1 of customers" in answer.text
    assert answer.thread == "1700000000.000100"


def test_a_direct_message_is_answered_there(office: Office) -> None:
    before = len(office.slack.messages)
    body = office.slack.event("pipelines", kind="message", channel=office.slack.direct())
    assert office.send(body).status_code == 200
    answer = office.answer(before)
    assert (answer.channel, answer.thread) == (office.slack.direct(), None)
    assert "customers" in answer.text


def test_a_button_says_its_command_with_the_rights_of_whoever_clicks(office: Office) -> None:
    office.link("U0VIEWER", "vera", "viewer")
    asked = office.says("pipelines", channel=CHANNEL)
    before = len(office.slack.messages)
    assert office.send(office.slack.click("run customers", asked, user="U0VIEWER")).status_code == 200
    answer = office.answer(before)
    assert "You may not do this: it needs the role operator" in answer.text
    assert answer.thread == asked.ts


def test_people_whom_nobody_knows_get_help_and_link_and_nothing_else(office: Office) -> None:
    for said in ("whoami", "pipelines", "run customers", "show revenue_by_country", "cancel 1", "rubbish", "cancel"):
        assert "Nobody here knows you yet" in office.says(said, user="U0STRANGER").text, said
    assert "link" in office.says("help", user="U0STRANGER").text
    assert "run PIPELINE" not in office.says("help", user="U0STRANGER").text
    assert "Your code is" in office.says("link", user="U0STRANGER").text


def test_in_a_channel_rows_go_to_the_person_alone(office: Office) -> None:
    before = len(office.slack.messages)
    office.says("show revenue_by_country", channel=CHANNEL)
    alone, told = office.slack.messages[before:]
    assert (alone.to, "DK" in alone.text) == ("U2147483697", True)
    assert (told.to, "DK" in told.text) == (None, False)
    assert "went to whoever asked, alone" in told.text


def test_where_the_bot_is_no_member_the_person_is_answered_alone(office: Office) -> None:
    answer = office.says("pipelines", channel="C0ELSEWHERE")
    assert (answer.to, "customers" in answer.text) == ("U2147483697", True)


def test_pictures_and_reports_come_as_files(office: Office) -> None:
    answer = office.says("lineage revenue_by_country", channel=CHANNEL)
    picture = office.slack.files[-1]
    assert picture.content.startswith(b"\x89PNG")
    assert (picture.channel, picture.thread) == (CHANNEL, answer.ts)
    office.says("gdpr report", channel=CHANNEL)
    report = office.slack.files[-1]
    assert report.content.startswith(b"%PDF")
    assert report.channel == office.slack.direct()


def test_what_is_said_twice_is_answered_once(office: Office) -> None:
    body = office.slack.command("status", channel=CHANNEL)
    before = len(office.slack.messages)
    assert [office.send(body).status_code for _ in range(3)] == [200, 200, 200]
    office.answer(before)
    assert len(office.slack.messages) == before + 1


def test_nothing_that_slack_would_refuse_was_sent(office: Office) -> None:
    assert office.slack.wrong == []
