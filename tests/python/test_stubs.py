"""The type stubs declare exactly what the built module has."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ironmap
from system import HAS_FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

STUB = Path(ironmap.__file__).with_name("__init__.pyi")
# Attributes of every class, and of Python itself.
OF_EVERY_CLASS = set(vars(object)) | {"__module__", "__weaklistoffset__", "__getattribute__"}
# A stub cannot depend on the processor.
OF_SOME_PROCESSORS = {"MAP_32BIT"}
# Operations that a class supports by its slots, without a method of that name.
BY_SLOTS = {"__contains__", "__iter__"}
if sys.version_info < (3, 12):
    BY_SLOTS |= {"__buffer__", "__release_buffer__"}


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements for this interpreter, with `if sys.version_info ...` evaluated."""
    for statement in body:
        if isinstance(statement, ast.If):
            holds = eval(ast.unparse(statement.test), {"sys": sys})
            yield from statements(statement.body if holds else statement.orelse)
        else:
            yield statement


def declared(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """The names that a module or a class of the stub declares."""
    names: dict[str, ast.stmt] = {}
    for statement in statements(body):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names[statement.name] = statement
        elif isinstance(statement, ast.AnnAssign):
            names[ast.unparse(statement.target)] = statement
        elif isinstance(statement, ast.Assign):
            names.update((ast.unparse(target), statement) for target in statement.targets)
        elif isinstance(statement, ast.ImportFrom):
            names.update((a.asname, statement) for a in statement.names if a.asname == a.name)
    return names


MODULE = declared(ast.parse(STUB.read_text()).body)
CLASS = declared(MODULE["mmap"].body) if isinstance(MODULE.get("mmap"), ast.ClassDef) else {}


def public(names: set[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_stub_and_marker_are_installed() -> None:
    assert STUB.is_file()
    assert STUB.with_name("py.typed").is_file()


def test_every_name_of_the_module_is_in_the_stub() -> None:
    assert names_of_the_module() - set(MODULE) == set()


def names_of_the_module() -> set[str]:
    modules = {name for name, value in vars(ironmap).items() if inspect.ismodule(value)}
    return public(set(dir(ironmap))) - modules


def test_every_name_of_the_stub_is_in_the_module() -> None:
    missing = public(set(MODULE)) - names_of_the_module()
    assert missing - OF_SOME_PROCESSORS == set()


def test_all_of_the_stub_is_that_of_the_module() -> None:
    told = []
    for statement in statements(ast.parse(STUB.read_text()).body):
        if ast.unparse(statement).startswith("__all__"):
            assert isinstance(statement, ast.Assign | ast.AugAssign)
            told += ast.literal_eval(statement.value)
    assert len(told) == len(set(told))
    assert set(told) - OF_SOME_PROCESSORS == set(ironmap.__all__) - OF_SOME_PROCESSORS


def test_every_name_of_the_class_is_in_the_stub() -> None:
    assert set(vars(ironmap.mmap)) - OF_EVERY_CLASS - set(CLASS) == set()


def test_every_name_of_the_stub_is_in_the_class() -> None:
    missing = {name for name in CLASS if not hasattr(ironmap.mmap, name)}
    assert missing == BY_SLOTS


@pytest.mark.parametrize("name", sorted(n for n in MODULE if n.isupper() and hasattr(ironmap, n)))
def test_constant_is_of_the_type_of_the_stub(name: str) -> None:
    statement = MODULE[name]
    assert isinstance(statement, ast.AnnAssign)
    assert ast.unparse(statement.annotation) in ("int", "Final[int]", "Final")
    assert type(getattr(ironmap, name)) is int


def signature_of(function: ast.FunctionDef) -> list[tuple[str, str, bool]]:
    """The name, the kind, and whether there is a default, of each parameter after self."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [False] * (len(positional) - len(arguments.defaults))
    defaults += [True] * len(arguments.defaults)
    kinds = ["POSITIONAL_ONLY"] * len(arguments.posonlyargs)
    kinds += ["POSITIONAL_OR_KEYWORD"] * len(arguments.args)
    result = [(p.arg, k, d) for p, k, d in zip(positional, kinds, defaults, strict=True)]
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        result.append((parameter.arg, "KEYWORD_ONLY", default is not None))
    return result[1:]


METHODS = sorted(
    name
    for name, node in CLASS.items()
    if isinstance(node, ast.FunctionDef) and not name.startswith("_") and not node.decorator_list
)


def test_stub_has_methods() -> None:
    assert set(METHODS) == {
        name for name in public(set(vars(ironmap.mmap))) if callable(getattr(ironmap.mmap, name))
    }


@pytest.mark.parametrize("name", METHODS)
def test_signature_is_that_of_the_stub(name: str) -> None:
    node = CLASS[name]
    assert isinstance(node, ast.FunctionDef)
    real = list(inspect.signature(getattr(ironmap.mmap, name)).parameters.values())[1:]
    expected = [(p.name, p.kind.name, p.default is not p.empty) for p in real]
    assert signature_of(node) == expected


def test_constructor_has_the_parameters_of_the_stub() -> None:
    node = CLASS.get("__new__") or CLASS.get("__init__")
    assert isinstance(node, ast.FunctionDef)
    names = [parameter for parameter, _, _ in signature_of(node)]
    third = ["flags", "prot"] if HAS_FLAGS else ["tagname"]
    by_position = ["fileno", "length", *third, "access", "offset"]
    by_name = ["trackfd", "preallocate"] + ["tagname"] * HAS_FLAGS
    assert names == by_position + by_name
    assert signature_of(node)[len(by_position) :] == [(n, "KEYWORD_ONLY", True) for n in by_name]


def test_stubtest_agrees(tmp_path: Path) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed: pip install mypy")
    allowed = [rf"ironmap\.mmap\.{name}" for name in sorted(BY_SLOTS)]
    if not set(ironmap.__all__) >= OF_SOME_PROCESSORS:
        allowed += [rf"ironmap\.{name}" for name in OF_SOME_PROCESSORS] + [r"ironmap\.__all__"]
    allowlist = tmp_path / "allowlist"
    allowlist.write_text("\n".join(allowed))
    options = ["--ignore-unused-allowlist", "--allowlist", str(allowlist)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "ironmap", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
