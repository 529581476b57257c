"""What Atlas is measured beside: Presidio's own batch path as installed, and DuckDB's copy from CSV to Parquet."""

import csv
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import duckdb
from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine, NlpEngineProvider
from presidio_anonymizer import BatchAnonymizerEngine

from engine.personal.language import MODELS

Table = dict[str, list[str]]


class NoOp(NlpEngine):  # type: ignore[misc]  # presidio has no types
    """No language model at all: what is left is Presidio's patterns and its own work."""

    def load(self) -> None:
        pass

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        return NlpArtifacts([], [], [], [], self, language)

    def process_batch(self, texts: list[str], language: str, **_: object) -> Iterator[tuple[str, NlpArtifacts]]:
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return False

    def is_punct(self, word: str, language: str) -> bool:
        return False

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def table(path: Path, rows: int) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        first = list(islice(csv.DictReader(file), rows))
    return {name: [row[name] for row in first] for name in first[0]}


def presidio(language_model: bool, batch_size: int | None) -> Callable[[Table], None]:
    """Presidio's BatchAnalyzerEngine and BatchAnonymizerEngine, with what they have by default."""
    if language_model:
        names = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": MODELS["en"]}]}
        engine = NlpEngineProvider(nlp_configuration=names).create_engine()
    else:
        engine = NoOp()
    analyzer, anonymizer = BatchAnalyzerEngine(AnalyzerEngine(nlp_engine=engine)), BatchAnonymizerEngine()
    more = {"batch_size": batch_size} if batch_size else {}

    def mask(rows: Table) -> None:
        anonymizer.anonymize_dict(analyzer.analyze_dict(rows, language="en", **more))

    return mask


def copy(source: Path, target: Path, threads: int) -> None:
    with duckdb.connect(config={"threads": threads}) as database:
        database.execute(f"copy (from read_csv('{source}')) to '{target}' (format parquet)")
