"""One process of the cluster, as `atlas` starts it: `serve api`, `worker` or `beat`; `--without-fence` breaks it."""

import sys

from atlas.cli import main


def _break_the_fence() -> None:
    """A late worker's token and state are not looked at: shows that the matrix would notice."""
    from engine.store import leases
    from engine.store.tables import Part

    leases._held = lambda held: (Part.id == held.part,)


if __name__ == "__main__":
    if "--without-fence" in sys.argv:
        sys.argv.remove("--without-fence")
        _break_the_fence()
    sys.argv[0] = "atlas"
    main()
