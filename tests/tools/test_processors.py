"""What prepares builds for other processors prints the names of their machine files alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool, on a system that lacks everything. Nothing is installed."""

    def tell(needs: list[Any]) -> None:
        print("installing", *(need.what for need in needs))

    monkeypatch.syspath_prepend(str(TOOLS))
    import processors

    monkeypatch.setattr(processors.setup, "get", tell)
    monkeypatch.setattr(processors, "sysroot", lambda _: print("unpacking cmocka"))
    return processors


@pytest.mark.parametrize("name", ["i386", "s390x"])
def test_installing_is_told_on_the_other_stream(
    processors: ModuleType, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    processors.main([name])
    output, messages = capsys.readouterr()
    assert set(output.split()) <= {name, f"{name}-qemu"}
    assert messages.startswith("installing a C compiler")
