"""A class of ours is a frozen dataclass in all that can be told from outside."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reconcile.dataclass import dataclass as ours

MAKERS = [ours, dataclasses.dataclass]


def made(maker: Any) -> Any:
    @maker(frozen=True)
    class Point:
        """A place."""

        x: int
        y: tuple[int, ...] = ()
        names: list[str] = dataclasses.field(default_factory=list, compare=False)
        secret: str = dataclasses.field(default="", repr=False)

        @property
        def double(self) -> int:
            return 2 * self.x

    return Point


@pytest.mark.parametrize("maker", MAKERS)
def test_equal_fields_make_equal_values(maker: Any) -> None:
    point = made(maker)

    assert point(1, (2,)) == point(1, y=(2,))
    assert point(1, (2,)) != point(1, (3,))
    assert point(1) != 1


@pytest.mark.parametrize("maker", MAKERS)
def test_values_of_two_classes_are_never_equal(maker: Any) -> None:
    assert made(maker)(1) != made(maker)(1)


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_not_compared_makes_no_difference(maker: Any) -> None:
    point = made(maker)

    assert point(1, names=["a"]) == point(1, names=["b"])
    assert hash(point(1, names=["a"])) == hash(point(1, names=["b"]))


@pytest.mark.parametrize("maker", MAKERS)
def test_every_value_has_its_own_default(maker: Any) -> None:
    first, second = made(maker)(1), made(maker)(1)

    first.names.append("a")

    assert [] == second.names


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", ["x", "new", "double"])
def test_nothing_is_assigned_or_deleted(maker: Any, name: str) -> None:
    value = made(maker)(1)

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(value, name)

    assert 1 == value.x


@pytest.mark.parametrize("maker", MAKERS)
def test_its_text_names_the_shown_fields(maker: Any) -> None:
    assert repr(made(maker)(1, (2,), secret="s")).endswith("Point(x=1, y=(2,), names=[])")


@pytest.mark.parametrize("maker", MAKERS)
def test_the_standard_functions_know_it(maker: Any) -> None:
    value = made(maker)(1)

    assert {"x": 1, "y": (), "names": [], "secret": ""} == dataclasses.asdict(value)
    assert 5 == dataclasses.replace(value, x=5).x


@pytest.mark.parametrize("maker", MAKERS)
def test_a_missing_or_unknown_field_is_refused(maker: Any) -> None:
    for wrong in ({}, {"x": 1, "z": 1}, {"z": 1}):
        with pytest.raises(TypeError):
            made(maker)(**wrong)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_field_is_given_once(maker: Any) -> None:
    with pytest.raises(TypeError):
        made(maker)(1, x=1)
    with pytest.raises(TypeError):
        made(maker)(1, (), [], "", 5)


@pytest.mark.parametrize("maker", MAKERS)
def test_fields_can_be_given_by_their_names_alone(maker: Any) -> None:
    @maker(frozen=True, kw_only=True)
    class Named:
        """Two values."""

        first: int = 1
        second: int

    assert (1, 2) == (Named(second=2).first, Named(second=2).second)
    with pytest.raises(TypeError):
        Named(1, 2)


@pytest.mark.parametrize("maker", MAKERS)
def test_one_that_may_change_has_no_hash(maker: Any) -> None:
    @maker(frozen=False)
    class Count:
        """How many."""

        count: int = 0

    one = Count()
    one.count += 1

    assert (1, Count(1)) == (one.count, one)
    with pytest.raises(TypeError):
        hash(one)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_subclass_has_the_fields_of_both(maker: Any) -> None:
    @maker(frozen=True)
    class Base:
        """A name and its tags."""

        name: str
        tags: list[str] = dataclasses.field(default_factory=list)

    @maker(frozen=True)
    class Sub(Base):
        """With a size."""

        size: int = 1

    assert ["name", "tags", "size"] == [one.name for one in dataclasses.fields(Sub)]
    assert {"name": "a", "tags": [], "size": 1} == dataclasses.asdict(Sub("a"))
    assert dataclasses.is_dataclass(Base)


def test_threads_that_make_the_first_values_share_their_defaults_rightly() -> None:
    for _ in range(50):
        point = made(ours)
        with ThreadPoolExecutor(8) as pool:
            values = list(pool.map(lambda x, kind=point: kind(x), range(16)))

        assert [(x, (), [], "") for x in range(16)] == [
            (one.x, one.y, one.names, one.secret) for one in values
        ]
