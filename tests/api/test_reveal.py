"""What a token stands for over HTTP: to who may, on the record, and of no other dataset."""

from sqlalchemy import select

from engine.home import Home
from engine.store import access
from engine.store.tables import AuditEntry
from tests.api.conftest import Client
from tests.test_vault import ADDRESSES, run


def test_a_value_is_shown_to_who_may_and_that_is_on_the_record(home: Home, client: Client) -> None:
    token = run(home, ADDRESSES)[0]
    asked = {"token": token, "because": "she asked for it"}
    for role in ("viewer", "operator", "steward"):
        assert client(role).post("/api/v1/reveal", json=asked).status_code == 403
    answer = client("dpo").post("/api/v1/reveal", json=asked, headers={"Idempotency-Key": "once"})
    assert answer.json() == {
        "token": token, "value": ADDRESSES[0].lower(), "type": "EMAIL", "datasets": ["people"],
    }  # fmt: skip
    with home.database.read() as db:
        rows = list(db.scalars(select(AuditEntry).where(AuditEntry.action == "token.reveal")))
    assert [(row.who, row.about, row.result) for row in rows] == [
        ("dpo", f"token {token}: she asked for it", "done")
    ]  # fmt: skip
    kept = b"".join(path.read_bytes() for path in home.settings.home.glob("atlas.db*"))
    assert b"kanarie.example" not in kept.lower()  # no answer is kept for the key


def test_a_token_of_another_dataset_or_of_none_is_unknown(home: Home, client: Client) -> None:
    token = run(home, ADDRESSES)[0]
    with home.database.write() as db:
        limited = access.issue(db, access.user(db, "dpo"), 60, datasets=["orders"])
    asked = client(None)
    answer = asked.post("/api/v1/reveal", json={"token": token}, headers={"Authorization": f"Bearer {limited}"})
    assert answer.status_code == 404
    assert client("dpo").post("/api/v1/reveal", json={"token": f"t_{'a' * 26}"}).status_code == 404
    assert client("dpo").post("/api/v1/reveal", json={"token": ADDRESSES[0]}).status_code == 422
