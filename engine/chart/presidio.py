"""Presidio as Atlas uses it: what a recognizer is, without those it brings itself."""

import sys
from types import ModuleType

THEIRS = ModuleType("presidio_analyzer.predefined_recognizers")  # their patterns take half a second to load
THEIRS.__dict__.update(SpacyRecognizer=None, StanzaRecognizer=None, TransformersRecognizer=None)
unused = sys.modules.setdefault(THEIRS.__name__, THEIRS) is THEIRS
from presidio_analyzer import EntityRecognizer, RecognizerResult  # noqa: E402 - it needs the lines above
from presidio_analyzer.nlp_engine import NlpArtifacts  # noqa: E402

if unused:
    del sys.modules[THEIRS.__name__]

__all__ = ["EntityRecognizer", "NlpArtifacts", "RecognizerResult"]
