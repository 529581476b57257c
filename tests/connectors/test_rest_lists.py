"""Lists made by a seed are published whole and once, or the run is refused with a reason."""

from collections import Counter
from pathlib import Path

import pytest

from tests.connectors.lists import Listed
from tests.mocks.source import Server
from tests.whole import Whole

ALWAYS = ("none", "the list is null at the end", "204 at the end", "404 at the end", "500 once", "nested deeply")
FEW = range(6)
MANY = [pytest.param(range(n, n + 10), marks=pytest.mark.long) for n in range(0, 120, 10)]


@pytest.mark.parametrize("seeds", [FEW, *MANY], ids=str)
def test_a_list_is_published_as_it_is_or_refused(seeds: range, tmp_path: Path) -> None:
    server = Server()
    atlas = Whole(tmp_path, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1")
    ended: Counter[str] = Counter()
    wrong: list[str] = []
    try:
        for seed in seeds:
            made = Listed(seed)
            server.paths["/list"] = made.answer
            atlas.pipeline(f"list{seed}", made.source(server))
            run = atlas.run(f"list{seed}")
            told = f"{seed}: {made.how}, {made.fault}, total {made.told}, key {made.keyed}, size {made.sized}"
            if run["state"] != "succeeded":
                ended["refused"] += 1
                told += f": {run['error']}"
                if made.fault in ALWAYS or not run["error"]["message"] or "bug" in run["error"]["message"]:
                    wrong.append(told)
                continue
            ended["published"] += 1
            rows = atlas.rows(f"list{seed}")
            found = dict(zip(rows["id"], rows["v"] if "v" in rows.columns else [None] * len(rows), strict=True))
            must = {id_: row["v"] or None for id_, row in made.must.items()}
            if len(found) < len(rows) or found != must | {k: found.get(k) for k in made.may & found.keys()}:
                wrong.append(f"{told}: published {sorted(rows['id'])} for {sorted(must)}; {run['warnings']}")
    finally:
        atlas.close()
        server.stop()
    print(dict(ended), *wrong, sep="\n")  # noqa: T201 - the figures are read by whoever measures
    assert not wrong
    assert ended["published"] > len(seeds) / 3
