"""The standard library's own tests of mmap pass with ironmap instead of mmap."""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType


def load_runner() -> ModuleType:
    path = Path(__file__).with_name("run.py")
    spec = importlib.util.spec_from_file_location("compat_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runner = load_runner()


@pytest.fixture(scope="module", params=runner.SUITES)
def results(request: pytest.FixtureRequest) -> dict[str, runner.Result]:
    if missing := runner.missing_suite(request.param):
        pytest.skip(missing)
    return {module: runner.run_in_child(module, request.param) for module in runner.MODULES}


def test_standard_suite_passes_with_ironmap(results: dict[str, runner.Result]) -> None:
    print(*(runner.summary(result) for result in results.values()), sep="\n")
    assert runner.problems(results["ironmap"], results["mmap"]) == []


def test_standard_suite_is_the_interpreters_own(results: dict[str, runner.Result]) -> None:
    library = Path(sysconfig.get_path("stdlib")).resolve()
    for result in results.values():
        path = Path(result["suite"]).resolve()
        assert library in path.parents or "test_free_threading" in path.parts
        assert result["ran"] > (10 if "test_free_threading" in path.parts else 30)


@pytest.mark.parametrize("field", ["failures", "errors", "skipped"])
def test_difference_is_reported(results: dict[str, runner.Result], field: str) -> None:
    broken = {**results["mmap"], field: {**results["mmap"][field], "a test": "a reason"}}
    assert runner.problems(results["mmap"], results["mmap"]) == []
    assert len(runner.problems(broken, results["mmap"])) == 1
