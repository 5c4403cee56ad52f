"""Arguments that are given by name: of the constructor, find_all(), flush() and lines()."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

import ironmap
from support import Index, assert_same_error, outcome
from system import needs_flags

LARGE = 2**80
# Wrong arguments of the constructor that the standard module has on every system.
WRONG: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((-1,), {}),
    ((), {"fileno": -1}),
    ((), {"length": 10}),
    ((-1, 10), {"fileno": -1}),
    ((-1, 10), {"length": 10}),
    ((-1, 10), {"other": 1}),
    ((-1, 10), {"other": 1, "length": 10}),
    ((-1, 10), {"Length": 10}),
    *(((-1, 10), {name: "1"}) for name in ("access", "offset")),
    *(((-1, 10), {name: 1.0}) for name in ("access", "offset")),
    *(((-1, 10), {name: None}) for name in ("access", "offset")),
    *(((-1, 10), {name: LARGE}) for name in ("access", "offset")),
    *(((-1, 10), {name: -LARGE}) for name in ("access", "offset")),
    ((-1, 10), {"access": 2**40}),
    *(((), {"fileno": wrong, "length": 10}) for wrong in ("1", 1.0, None, LARGE, -LARGE, 2**40)),
    *(((), {"fileno": -1, "length": wrong}) for wrong in ("1", 1.0, None, LARGE, -LARGE)),
    ((LARGE, "1"), {}),
    (("1", LARGE), {}),
    ((-1, 10), {"access": "1", "offset": LARGE}),
    ((-1, 10), {"offset": LARGE, "access": "1"}),
]


@pytest.mark.parametrize(("args", "keywords"), WRONG)
def test_wrong_arguments_are_the_errors_of_the_standard_module(
    args: tuple[Any, ...], keywords: dict[str, Any]
) -> None:
    assert_same_error(lambda module: module.mmap(*args, **keywords))


@needs_flags
@pytest.mark.parametrize("name", ["flags", "prot"])
@pytest.mark.parametrize("value", ["1", 1.0, None, LARGE, 2**40])
def test_wrong_flags_are_the_errors_of_the_standard_module(name: str, value: object) -> None:
    assert_same_error(lambda module: module.mmap(-1, 10, **{name: value}))


@needs_flags
def test_keywords_are_in_any_order_and_any_integer() -> None:
    options = {"offset": Index(0), "access": Index(2), "prot": 3, "flags": 1, "length": Index(10)}
    with ironmap.mmap(**options, fileno=Index(-1)) as m:  # type: ignore[arg-type]
        assert len(m) == 10


def test_keywords_alone_are_not_given_by_position() -> None:
    positional = (-1, 10, 1, 3, 0, 0) if hasattr(ironmap, "MAP_SHARED") else (-1, 10, None, 0, 0)
    with ironmap.mmap(*positional) as m:
        assert len(m) == 10
    with pytest.raises(TypeError, match="takes at most"):
        ironmap.mmap(*positional, True)  # type: ignore[arg-type]  # noqa: FBT003


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"fileno": -1}, r"mmap\(\) missing required argument 'length' \(pos 2\)"),
        ({"length": 1}, r"mmap\(\) missing required argument 'fileno' \(pos 1\)"),
        ({"fileno": -1, "len": 1}, r"mmap\(\) got an unexpected keyword argument 'len'"),
        ({"fileno": -1, "length": 1, "tagname": 1}, "tagname must be str or None, not int"),
    ],
)
def test_error_names_the_argument(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ironmap.mmap(**keywords)


def test_argument_given_twice_is_named() -> None:
    with pytest.raises(TypeError, match=r"mmap\(\) got multiple values for argument 'length'"):
        ironmap.mmap(-1, 10, length=10)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tagname", "error"), [("a\0b", ValueError), ("\udc80", UnicodeEncodeError), (b"a", TypeError)]
)
def test_tagname_is_text(tagname: Any, error: type[Exception]) -> None:
    assert outcome(lambda: ironmap.mmap(-1, 10, tagname=tagname)).error is error


def test_tagname_may_be_none() -> None:
    with ironmap.mmap(-1, 10, tagname=None) as m:
        assert m.tagname is None


class Undecided:
    def __bool__(self) -> bool:
        raise KeyError


@pytest.mark.parametrize("name", ["trackfd", "preallocate"])
def test_truth_is_that_of_any_object(name: str) -> None:
    truths: dict[str, Any] = {"trackfd": [1], "preallocate": ""}
    with ironmap.mmap(-1, 10, **{name: truths[name]}) as m:
        assert m.size() == 10
    assert outcome(lambda: ironmap.mmap(-1, 10, **{name: Undecided()})).error is KeyError


METHODS = [("find_all", (b"a",), "overlapping"), ("lines", (), "keepends"), ("flush", (), "flags")]


@pytest.mark.parametrize(("method", "args", "keyword"), METHODS)
def test_methods_take_their_keyword_alone(
    anonymous: ironmap.mmap, method: str, args: tuple[Any, ...], keyword: str
) -> None:
    call = getattr(anonymous, method)
    with contextlib.suppress(OSError):
        call(*args, **{keyword: 0})
    for wrong in ({"other": 1}, {keyword: 0, "other": 1}, {keyword.upper(): 0}):
        with pytest.raises(TypeError, match=rf"{method}\(\) got an unexpected keyword argument"):
            call(*args, **wrong)
    error = TypeError if method == "flush" else KeyError
    assert outcome(lambda: call(*args, **{keyword: Undecided()})).error is error
