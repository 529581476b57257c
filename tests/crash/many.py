"""Six first starts at once, and ten runs of different pipelines at once on one SQLite home: 20 times each."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.test_many import test_six_first_starts_make_one_home, test_ten_pipelines_and_one_of_them_twice

TIMES = 20
WHAT: dict[str, Callable[[Path], None]] = {
    "six first starts": test_six_first_starts_make_one_home,
    "ten runs": test_ten_pipelines_and_one_of_them_twice,
}


def main(times: int) -> None:
    wrong = dict.fromkeys(WHAT, 0)
    for n in range(1, times + 1):
        for name, do in WHAT.items():
            begun = time.monotonic()
            with TemporaryDirectory(prefix="atlas-many-") as folder:
                try:
                    do(Path(folder))
                    told = "ok"
                except AssertionError as error:
                    wrong[name] += 1
                    told = f"wrong: {error}"
            print(f"{n:3}  {name:17} {time.monotonic() - begun:5.1f} s  {told}", flush=True)
    print("; ".join(f"{name}: {times - wrong[name]} of {times} all right" for name in WHAT))
    sys.exit(1 if any(wrong.values()) else 0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TIMES)
