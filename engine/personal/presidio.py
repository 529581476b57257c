"""Presidio's way in: each recognizer of ours as one of Presidio's, for its analyzer and its registry.

Nothing else may import Presidio: it loads spaCy, which takes longer than most runs.
"""

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from engine.personal.recognizer import Recognizer


class EntityOf(EntityRecognizer):  # type: ignore[misc]  # presidio has no types
    """Finds in a text what a recognizer of ours finds there."""

    def __init__(self, ours: Recognizer) -> None:
        self._ours = ours
        super().__init__([ours.type], name=f"Atlas{ours.type.title().replace('_', '')}Recognizer")

    def load(self) -> None:
        """Nothing: the patterns and lists are loaded already."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """What Presidio asks for; all kinds if no entity is named."""
        if entities and self._ours.type not in entities:
            return []
        return [RecognizerResult(self._ours.type, start, end, score) for start, end, score in self._ours.find(text)]
