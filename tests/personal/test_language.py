"""What is asked of language models, and by how many at once."""

from concurrent.futures import ThreadPoolExecutor

from engine.personal import language
from tests.personal import counted_model


def test_two_threads_never_use_one_model_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        ask = lambda n: language.entities([f"It is {n}"] * 20, ["it is"] * 20, {"en": counted_model.__name__})  # noqa: E731
        assert list(threads.map(ask, range(8))) == [[[]] * 20] * 8
    assert counted_model.most == 1


def test_what_the_real_model_finds_is_the_same_from_many_threads() -> None:
    texts = ["Please call Margaret Thatcher about the contract.", "It was sent to London by Peter Smith."] * 20
    alone = language.entities(texts, texts, language.MODELS)
    assert any(alone)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: language.entities(texts, texts, language.MODELS), range(4))) == [alone] * 4
