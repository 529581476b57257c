"""Two charted datasets join on a personal column that each wrote in its own way."""

from pathlib import Path

import pytest

from tests.program import Program

JOIN = "select m.number, o.total from members m join orders o on m.mail = o.customer order by 1"


@pytest.mark.parametrize("action", ["hash", "tokenize"])
def test_a_masked_address_joins_however_it_was_written(tmp_path: Path, action: str) -> None:
    program = Program(tmp_path)
    policy = "privacy: {columns: {COLUMN: ACTION}}\n".replace("ACTION", action)
    members = "number,mail\n1,Ida.Holm@Example.dk\n2,bo@example.dk\n3,åse@example.dk\n"
    orders = (
        "total,customer\n10, ida.holm@example.dk\n20,BO@EXAMPLE.DK\n30,a\u030ase@example.dk\n40,nobody@example.dk\n"
    )
    program.pipeline("members", members, policy.replace("COLUMN", "mail"))
    program.pipeline("orders", orders, policy.replace("COLUMN", "customer"), JOIN)
    assert program.say("run members")["ok"]
    assert program.say("run orders")["ok"]
    assert program.say("show orders_model")["facts"]["rows"] == [[1, 10], [2, 20], [3, 30]]
