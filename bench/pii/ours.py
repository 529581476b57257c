"""What Atlas does with the rows of one CSV file in a run, without the contract, the database and the models.

CSV in; the raw zone written, profiled and sampled; a verdict for every column; every cell masked; typed Parquet out.

python -m bench.pii.ours FILE       the peak memory of a process that does nothing else, in MB
"""

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from connectors import csv
from core.models import SourcePart
from core.roots import Roots
from engine.chart import write
from engine.explore import ingest, profile, sample
from engine.personal import detect
from engine.personal.mask import Masker

KEY = bytes(range(32))
ZONE = "Europe/Copenhagen"


def mask(source: Path, folder: Path, threads: int) -> list[Path]:
    """The charted files: the steps explore, verdicts and chart, their parts on as many threads as workers would be."""
    wanted = csv.Source.model_validate({"connector": "csv", "path": source.name}, context=Roots((source.parent,)))

    def explore(part: tuple[int, SourcePart]) -> ingest.Ingested:
        return ingest.ingest(csv.read(wanted, part[1]), folder / "raw", f"{part[0]:05}", _nothing)

    with ThreadPoolExecutor(threads) as workers:
        read = list(workers.map(explore, enumerate(csv.parts(wanted, source.parent))))
        types = profile.types(profile.merge([r.profile for r in read]))
        verdicts = detect.verdicts(sample.merge([r.sample_file for r in read]), types, {}, {"customer_id"})

        def chart(raw: Path) -> Path:
            target = folder / "charted" / raw.name
            none = write.rejected_rows(None, 0)
            write.charted(raw, none, Masker(verdicts, KEY, ZONE), types, ZONE, target, _nothing)
            return target

        return list(workers.map(chart, [Path(file.path) for r in read for file in r.files]))


def _nothing(_rows: int) -> None:
    """There is no one to tell."""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        mask(Path(sys.argv[1]), Path(name), 2)
    # ru_maxrss would begin with what the process that started this one has
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    print(int(peak) * 1024 / 1e6)
