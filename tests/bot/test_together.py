"""What comes in while a request is under way goes with the next one, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.together import Together


def test_what_comes_meanwhile_goes_together_and_in_its_order() -> None:
    requests: list[list[int]] = []

    async def double(numbers: list[int]) -> Sequence[int]:
        requests.append(numbers)
        await asyncio.sleep(0.01)
        return [number * 2 for number in numbers]

    async def ask() -> list[int]:
        together = Together(double, 4)
        first = asyncio.create_task(together(0))
        await asyncio.sleep(0)
        answers = [await first, *await asyncio.gather(*(together(number) for number in range(1, 8)))]
        assert not together.busy
        return [*answers, await together(8)]

    assert asyncio.run(ask()) == [number * 2 for number in range(9)]
    assert requests == [[0], [1, 2, 3, 4], [5, 6, 7], [8]]


def test_what_fails_fails_for_those_in_it_alone() -> None:
    async def fails_once(numbers: list[int]) -> Sequence[int]:
        await asyncio.sleep(0.01)
        if 1 in numbers:
            raise ConnectionError("away")
        return numbers

    async def ask() -> list[int | BaseException]:
        together = Together(fails_once, 2)
        return await asyncio.gather(*(together(number) for number in range(4)), return_exceptions=True)

    zero, one, two, three = asyncio.run(ask())
    assert isinstance(zero, ConnectionError)
    assert isinstance(one, ConnectionError)
    assert (two, three) == (2, 3)


def test_who_no_longer_waits_takes_nothing_from_the_others() -> None:
    async def slowly(numbers: list[int]) -> Sequence[int]:
        await asyncio.sleep(0.02)
        return numbers

    async def ask() -> int:
        together = Together(slowly, 9)
        leaving, staying = (asyncio.create_task(together(number)) for number in (1, 2))
        await asyncio.sleep(0.01)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        return await staying

    assert asyncio.run(ask()) == 2
