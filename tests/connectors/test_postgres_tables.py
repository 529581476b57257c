"""Tables of any types, made by a seed, are published as PostgreSQL writes them, or the run is refused with a reason."""

from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests.connectors.tables import OWN_TYPES, Made, differences
from tests.whole import Whole

pytestmark = pytest.mark.services
FEW = range(4)
MANY = [pytest.param(range(n, n + 10), marks=pytest.mark.long) for n in range(0, 100, 10)]


@pytest.mark.parametrize("seeds", [FEW, *MANY], ids=str)
def test_a_table_is_published_as_it_is_or_refused(seeds: range, url: str, tmp_path: Path) -> None:
    dsn = url.replace("postgresql+psycopg://", "postgresql://")
    atlas = Whole(tmp_path, ATLAS_SECRET_DSN=dsn, ATLAS_TIMEZONE="UTC")
    ended: Counter[str] = Counter()
    wrong: list[str] = []
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(OWN_TYPES)
        try:
            for seed in seeds:
                made = Made(seed, db)
                atlas.pipeline(made.name, made.source)
                run = atlas.run(made.name)
                if run["state"] != "succeeded":
                    ended["refused"] += 1
                    wrong.append(f"{seed}: {run['error']}")  # nothing in these tables is wrong
                    continue
                ended["published"] += 1
                rows = atlas.rows(made.name).sort("nr")
                for column, truth in made.truth(db).items():
                    for told in differences(truth, rows[column].to_list()):
                        wrong.append(f"{seed} {made.kinds[int(column[1:])]} {rows[column].dtype}: {told}")
                    ended["columns"] += 1
        finally:
            atlas.close()
    print(dict(ended), *wrong, sep="\n")  # noqa: T201 - the figures are read by whoever measures
    assert not wrong
