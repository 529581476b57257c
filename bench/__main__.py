"""`make bench`: every figure that the README names, in one run.

python -m bench            all
python -m bench say run    some of: say, run, million, contained, workers, postgres, api, scrape, chat
"""

import sys

from bench import api, chat, contained, million, postgres_source, run, say, scrape, workers

BENCHES = {
    "say": say.measure,
    "run": run.measure,
    "million": million.measure,
    "contained": contained.measure,
    "workers": workers.measure,
    "postgres": postgres_source.measure,
    "api": api.measure,
    "scrape": scrape.measure,
    "chat": chat.measure,
}


def main() -> None:
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(BENCHES)}.")
    for name in wanted:
        BENCHES[name]()


main()
