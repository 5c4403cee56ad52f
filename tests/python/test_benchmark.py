"""A small run of the benchmark. It checks the answers, and README has the figures of the record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import run_python

if TYPE_CHECKING:
    from typing import Any

pytest.importorskip("numpy", reason="numpy is not here, without which there is no benchmark")

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
RECORD = BENCH / "record"


def bench(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BENCH / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def in_bench(code: str, *arguments: str | Path) -> str:
    """Runs code that can import the benchmark's modules. Returns its output."""
    return run_python(f"import sys; sys.path.insert(0, {str(BENCH)!r})\n{code}", *arguments)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a run on files of 1 MiB, with the peers that are installed."""
    folder = tmp_path_factory.mktemp("bench")
    record = folder / "record.json"
    plot = folder / "record.svg"
    few = ["--size", "1M", "--rounds", "1", "--seconds", "0.01"]
    done = bench("run.py", *few, "--folder", folder, "--json", record, "--svg", plot)
    assert done.returncode == 0, done.stderr
    assert "goals" in done.stdout
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []
    return record


def content(record: Path) -> Any:
    return json.loads(record.read_text())


def test_small_run_among_many_maps_has_every_row() -> None:
    done = bench("many.py", "--rounds", "1", "--maps", "1", "30")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[3:]}
    assert rows.keys() == {"open", "close", "fault", "store", "collect", "fork"}
    assert all(len(figures) == 4 and float(figures[2]) > 0 for figures in rows.values())


def test_small_run_measures_every_part(small: Path) -> None:
    record = content(small)
    groups = {row["group"] for row in record["rows"]}
    assert {"headlines", "worst cases", "absent needles in dna"} <= groups
    assert {"ironmap", "mmap"} <= record["rows"][0]["figures"].keys()
    assert {stall["contestant"] for stall in record["stalls"]} == {"", "ironmap", "mmap"}
    assert {"lose all pages, 4 TiB", "find, 1 GiB"} <= {s["what"] for s in record["operations"]}
    lines = next(row["figures"] for row in record["rows"] if row["kind"] == "lines")
    assert {"ironmap", "mmap", "no search"} <= lines.keys()
    assert record["shorts"]
    assert record["calls"]
    assert record["goals"]


def test_calls_are_timed_as_written_and_bound(small: Path) -> None:
    forms = {(call["call"], call["form"]) for call in content(small)["calls"]}
    for name in ("tell()", "read_byte()", "readline()", "seek(i)", "write_byte(v)"):
        assert {(name, "written"), (name, "bound")} <= forms
    assert ("m[i]", "written") in forms
    assert ("memoryview(m)", "export") in forms


def test_exports_are_no_goal(small: Path) -> None:
    goals = {goal["what"]: goal for goal in content(small)["goals"]}
    assert ", export" not in goals["slowest call, of mmap's time"]["note"]


def test_ratios_have_a_column_for_each_interpreter(tmp_path: Path) -> None:
    columns = []
    for version in ("3.9.20", "3.10.1"):
        calls = [
            {"call": "len(m)", "form": "written", "ratio": 1.25},
            {"call": "memoryview(m)", "form": "export", "ratio": 5.0},
        ]
        columns.append(tmp_path / f"{version}.json")
        columns[-1].write_text(json.dumps({"python": version, "calls": calls}))
    lines = [line.split() for line in bench("ratios.py", *reversed(columns)).stdout.splitlines()]
    assert lines == [
        ["call", "form", "3.9.20", "3.10.1"],
        ["len(m)", "written", "1.25", "1.25"],
        ["memoryview(m)", "export", "5.00", "5.00"],
        ["the", "largest", "1.25", "1.25"],
    ]


def test_record_names_the_processor_and_the_versions(small: Path) -> None:
    environment = content(small)["environment"]
    assert environment["processor"]
    assert {"ironmap", "python", "numpy"} <= environment["versions"].keys()


def test_plot_is_an_image_without_a_background(small: Path) -> None:
    plot = small.with_suffix(".svg").read_text()
    assert plot.startswith("<svg ")
    assert "<rect" not in plot


def test_record_is_read_as_it_was_written(small: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    code = """
from pathlib import Path
import record
first, second = map(Path, sys.argv[1:])
record.save(record.load(first), second, [])
"""
    in_bench(code, small, again)
    assert {**content(again), "goals": 0} == {**content(small), "goals": 0}


def test_wrong_answer_ends_the_run() -> None:
    code = """
from measure import Contestant, Effort, WrongAnswerError, measure
try:
    measure("a case", [Contestant("a liar", lambda: 1, 2, 1)], Effort(1, 1))
except WrongAnswerError as error:
    print(error)
"""
    assert in_bench(code) == "a case: a liar answers 1 instead of 2\n"


def test_answers_are_those_of_bytes() -> None:
    code = """
import corpora
for corpus in [*corpora.make_others(1 << 18), *corpora.make_repetitive(1 << 18)]:
    content = corpus.start(corpus.size)
    for needle in (corpus.block[100:104], corpus.absent(16), corpus.absent(2), corpus.commonest):
        if (corpus.block[-3:] + corpus.block[:3]).find(needle) >= 0 and len(needle) > 1:
            continue
        places = corpora.without_overlaps(corpora.naive_offsets(content, needle), len(needle))
        assert corpus.first_and_last(needle) == (content.find(needle), content.rfind(needle))
        assert corpus.hits(needle, corpus.size) == (content.count(needle), places.sum())
    assert corpus.unused not in content
"""
    in_bench(code)


def test_slow_contestants_run_fewer_rounds() -> None:
    code = """
import time
from measure import Contestant, Effort, measure
slow = Contestant("slow", lambda: time.sleep(0.01), None, 1)
quick = Contestant("quick", lambda: None, None, 1)
for least in (1, 2):
    figures = measure("a case", [slow, quick], Effort(5, 0.005, least))
    print(figures["slow"].rounds, figures["quick"].rounds)
"""
    assert in_bench(code) == "1 5\n2 5\n"


def test_the_standard_module_may_read_behind_its_map() -> None:
    """As find() of some versions does; the process would end there."""
    code = """
import mmap
from helper import address
from peers import has_memory_behind, map_page_behind

maps = {address(m): m for m in [mmap.mmap(-1, mmap.PAGESIZE) for _ in range(64)]}
place = next(place for place in maps if place + mmap.PAGESIZE in maps)
behind = place + mmap.PAGESIZE
assert not map_page_behind(maps[place])
assert has_memory_behind(maps[place], [maps[behind]])
maps.pop(behind).close()
assert map_page_behind(maps[place])
for line in open("/proc/self/maps"):
    first, last = (int(part, 16) for part in line.split()[0].split("-"))
    if first <= behind < last:
        print(line.split()[1][0])
"""
    assert in_bench(code) == "r\n"


def test_an_alarm_ends_repeated_work_at_any_moment() -> None:
    code = """
import stalls
for _ in range(2000):
    stalls.repeat(int, 1e-6)
"""
    in_bench(code)


def test_readme_says_what_the_newest_record_says() -> None:
    if not any(RECORD.glob("*.json")):
        pytest.skip("there is no record in bench/record/ yet")
    done = bench("readme.py", "--check")
    assert done.returncode == 0, done.stdout


def test_readme_is_filled_in_and_checked(small: Path, tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(
        "before\n<!-- proof: made by bench/readme.py -->\n<!-- end of proof -->\n"
        "<!-- benchmark: made by bench/readme.py -->\n<!-- end of benchmark -->\nafter\n"
    )
    assert bench("readme.py", small, tmp_path).returncode == 0
    text = copy.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nfind 16 absent bytes  " in text
    assert "| find 16 absent bytes | " in text
    assert bench("readme.py", "--check", tmp_path).returncode == 0

    copy.write_text(text.replace("GB/s", "GB/h", 1))
    assert bench("readme.py", "--check", tmp_path).returncode == 1
