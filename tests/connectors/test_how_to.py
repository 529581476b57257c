"""The examples of the how-to pages for connectors do what the pages say."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.mocks.source import Query, Server
from tests.whole import Whole

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


def example(page: str, name: str) -> str:
    """The block of a page that is the pipeline file of that name, without its first two lines."""
    text = (PAGES / page).read_text("utf-8")
    (block,) = re.findall(rf"```yaml\nname: {name}\nowner: .*\n((?:(?!```).*\n)+)```", text)
    return str(block)


def test_a_total_that_counts_hidden_records_is_left_alone(tmp_path: Path) -> None:
    server = Server()

    def answer(query: Query, _: Server) -> Any:
        first = int(query["startAt"])
        seen = [n for n in range(first, min(first + int(query["maxResults"]), 120)) if n % 50 != 7]
        return {"startAt": first, "total": 120, "issues": [{"id": n} for n in seen]}

    server.paths["/v1/issues"] = answer
    atlas = Whole(tmp_path, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1")
    try:
        text = example("read-a-rest-api.md", "issues").replace("https://api.example.dk/", server.at("/"))
        atlas.pipeline("issues", text)
        run = atlas.run("issues")
        assert run["state"] == "succeeded", run["error"]
        assert sorted(atlas.rows("issues")["id"]) == [n for n in range(120) if n % 50 != 7]
        assert "the newest row of each stays" in " ".join(run["warnings"])
        atlas.pipeline("issues", text.replace("total: none", "total: $.total"))
        run = atlas.run("issues")
        assert run["error"]["message"] == "The source of `issues` has 120 records, as it says, and gave 117."
        assert "total: none" in run["error"]["hint"]
    finally:
        atlas.close()
        server.stop()


@pytest.mark.services
def test_arrays_are_masked_inside_and_an_empty_text_is_missing(dsn: str, tmp_path: Path) -> None:
    page = (PAGES / "read-postgresql.md").read_text("utf-8")
    (array, masked) = re.findall(r'`(\{"Ida .*?\})` becomes `(.*?)`', page)[0]
    (rule,) = re.findall(r"`(\{column: note, empty: keep\})`", page)
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("CREATE TABLE arrays (id int, members text[], note text)")
        db.execute("INSERT INTO arrays VALUES (1, %s, ''), (2, NULL, ' '), (3, '{}', 'x'), (4, NULL, NULL)", [array])
    atlas = Whole(tmp_path, ATLAS_SECRET_DSN=dsn)
    source = 'source: {connector: postgres, dsn: "${secret:DSN}", table: public.arrays}\n'
    try:
        atlas.pipeline("arrays", f"{source}quality:\n  completeness: [note, {rule}]\n")
        run = atlas.run("arrays")
        assert run["state"] == "succeeded", run["error"]
        rows = atlas.rows("arrays").sort("id")
        assert rows["members"].to_list() == [masked, None, "{}", None]
        assert rows["note"].to_list() == ["", " ", "x", None]
        assert run["dimensions"]["completeness"] == "50.0"  # of 25 and 75
    finally:
        atlas.close()
