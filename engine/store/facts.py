"""What this installation remembers about itself."""

from sqlalchemy.orm import Session

from core.errors import Misconfigured
from engine.store.tables import Fact


def hold_masking_key(db: Session, fingerprint: str) -> None:
    """Remembers the masking key's fingerprint at first start. Raises Misconfigured if the key is another one."""
    known = db.get(Fact, "masking key")
    if known is None:
        db.add(Fact(name="masking key", value=fingerprint))
    elif known.value != fingerprint:
        raise Misconfigured(
            "ATLAS_MASKING_KEY is not the key this home was started with: hashes of old and new data would not join.",
            hint="Set the first key again.",
        )
