"""Takes out one safeguard of the code at a time, and sees whether a test fails.

    mutants.py [-j N] [--folder DIR] [--only TEXT] [--seconds N]   run the mutants of tests/mutants
    mutants.py --check                                             check the lists, and run nothing

A list has a block for each mutant, and a blank line after it:

    file: src/fault/handler.c           for the blocks below
    tests: truncation damage            those that run first; a block may have its own

    The loss is counted before the page is replaced.
    equivalent: why no test can tell    only for a mutant that changes nothing
    - text of the file                  it stands there exactly once
    + text in its place                 none: the text is taken out; more of both may follow

Each worker has a copy of the tree with a build folder. It applies a mutant, builds, runs the tests
named first and then all others of the C library, or for python/ext those of the package, until one
fails or does not end. Tests that fail without a mutant are left out and named. The exit status is 0
if at least 98 % of the mutants are caught, those that are equivalent left aside.

It needs a C compiler, Meson, Ninja, cmocka, and for python/ext what requirements/test.txt lists.
It needs no network. CC, PKG_CONFIG_PATH and LD_LIBRARY_PATH are passed on. If it may, each test
has a /dev/shm of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
LISTS = ROOT / "tests" / "mutants"
WANTED = 0.98
# What the build needs, and what the tests read.
COPIED = """
    CHANGELOG.md CONTRIBUTING.md Makefile README.md SECURITY.md LICENSE bench docs examples
    include machines meson.build meson_options.txt packaging pyproject.toml python requirements
    src tests tools
""".split()  # noqa: SIM905
PYTHON_TESTS = ("tests/python", "tests/compat")
# Python tests that no change of the extension concerns.
LEFT_OUT = {"benchmark", "docs", "fuzz", "readme", "stubs"}


@dataclass
class Mutant:
    """One change of one file."""

    place: str  # of the list
    file: str
    why: str
    changes: list[tuple[str, str]]  # a text of the file, and what takes its place
    tests: list[str]
    equivalent: str

    @property
    def in_python(self) -> bool:
        """True if the Python tests run."""
        return self.file.startswith("python/")

    def apply(self, root: Path) -> str:
        """Changes the file, and returns its text before."""
        before = (root / self.file).read_text()
        text = before
        for find, put in self.changes:
            text = text.replace(find, put)
        (root / self.file).write_text(text)
        return before


# ---- the lists -----------------------------------------------------------------------------------


def blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The blocks of a list, each with the number of its first line."""
    block: list[str] = []
    for number, line in enumerate([*path.read_text().splitlines(), ""], 1):
        if line:
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def parse_block(place: str, block: Sequence[str], file: str, tests: list[str]) -> Mutant:
    words: dict[str, list[str]] = {"why": [], "equivalent": []}
    changes: list[tuple[list[str], list[str]]] = []
    key = "why"
    for line in block:
        if line.startswith("tests: "):
            tests = line.split()[1:]
        elif line[:1] == "-":
            if not changes or changes[-1][1]:
                changes.append(([], []))
            changes[-1][0].append(line[2:])
        elif line[:1] == "+" and changes:
            changes[-1][1].append(line[2:])
        elif line.startswith("equivalent: "):
            key = "equivalent"
            words[key].append(line.removeprefix("equivalent: "))
        else:
            words[key].append(line)
    if not words["why"] or not changes:
        message = f"{place}: a mutant needs a reason and a text"
        raise ValueError(message)
    return Mutant(
        place=place,
        file=file,
        why=" ".join(words["why"]),
        changes=[("\n".join(find), "\n".join(put)) for find, put in changes],
        tests=tests,
        equivalent=" ".join(words["equivalent"]),
    )


def parse_lists(folder: Path = LISTS) -> list[Mutant]:
    """All mutants, in the order of the lists."""
    mutants = []
    for path in sorted(folder.glob("*.txt")):
        file = ""
        tests: list[str] = []
        for number, block in blocks(path):
            if block[0].startswith("file: "):
                file = block[0].removeprefix("file: ")
                tests = block[1].split()[1:] if len(block) > 1 else []
                continue
            mutants.append(parse_block(f"{path.name}:{number}", block, file, tests))
    return mutants


def check_lists(mutants: Iterable[Mutant], root: Path = ROOT) -> list[str]:
    """What is wrong with them: texts that are not in their file exactly once, and twins."""
    wrong = []
    seen: set[tuple[object, ...]] = set()
    for mutant in mutants:
        path = root / mutant.file
        text = path.read_text() if path.is_file() else ""
        for find, put in mutant.changes:
            if text.count(find) != 1:
                wrong.append(
                    f"{mutant.place}: in {mutant.file} its text is found {text.count(find)} times"
                )
            if find == put:
                wrong.append(f"{mutant.place}: changes nothing")
        key = (mutant.file, *mutant.changes)
        if key in seen:
            wrong.append(f"{mutant.place}: is there twice")
        seen.add(key)
    return wrong


# ---- running a program ---------------------------------------------------------------------------


def own_shared_memory() -> list[str]:
    """The command in front of a test, so that tests of two workers do not share their tags."""
    script = 'mount -t tmpfs -o size=256m none /dev/shm && exec "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return []
    return command if done.returncode == 0 else []


def limits() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass
class Run:
    """How a program ended."""

    status: int | None  # None: it did not end in time
    output: str
    seconds: float


def run(command: Sequence[str | Path], cwd: Path, env: dict[str, str], limit: float = 600.0) -> Run:
    """Runs a command, and ends all that it has left behind."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=limits,
        )
        try:
            status: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Run(status, text, time.monotonic() - start)


def failed_name(output: str) -> str:
    """The test in a program that failed, if the output names one."""
    found = re.search(r"\[  FAILED  \] ([a-z]\w*)|^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return (found[1] or found[2]) if found else ""


# ---- the tests -----------------------------------------------------------------------------------


@dataclass
class Test:
    """A test program, or a file of Python tests."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)  # of Ninja
    seconds: float = 0.0  # without a mutant

    def limit(self) -> float:
        return max(20.0, 10.0 + 5.0 * self.seconds)


@dataclass
class Tree:
    """A copy of the tree, and its build folder."""

    root: Path
    env: dict[str, str]
    ninja: list[str]
    wrapper: list[str]

    @property
    def build(self) -> Path:
        return self.root / "build"

    def make(self, targets: Sequence[str], jobs: int = 1) -> Run:
        return run([*self.ninja, "-C", self.build, f"-j{jobs}", *targets], self.root, self.env)

    def local(self, text: str) -> str:
        """The text with the paths of this tree."""
        return text.replace("@TREE@", str(self.root))

    def test(self, test: Test, extra: Sequence[str] = ()) -> Run:
        env = self.env | {key: self.local(value) for key, value in test.env.items()}
        scratch = self.root / "scratch"
        scratch.mkdir(exist_ok=True)
        scratch.chmod(0o1777)
        env |= {"TMPDIR": str(scratch), "PYTHONPATH": str(self.root / "packages")}
        libraries = "LD_LIBRARY_PATH"
        if libraries in test.env and libraries in self.env:
            env[libraries] += f":{self.env[libraries]}"
        command = [*self.wrapper, *(self.local(part) for part in test.command), *extra]
        return run(command, self.root, env, test.limit())


def c_tests(tree: Tree) -> list[Test]:
    """The test programs of the C library."""
    described = json.loads((tree.build / "meson-info" / "intro-tests.json").read_text())
    tests = []
    here = str(tree.root)
    for test in described:
        if not {"ironmap:unit", "ironmap:fault"} & set(test["suite"]):
            continue
        program = Path(test["cmd"][0])
        targets = [str(program.relative_to(tree.build))]
        built = (Path(value) for value in test["env"].values() if value.startswith(here))
        targets += [str(path.relative_to(tree.build)) for path in built if path.is_file()]
        tests.append(
            Test(
                name=test["name"],
                command=[part.replace(here, "@TREE@") for part in test["cmd"]],
                env={key: value.replace(here, "@TREE@") for key, value in test["env"].items()},
                targets=targets,
            )
        )
    return tests


def extension_target(tree: Tree) -> str:
    targets = json.loads((tree.build / "meson-info" / "intro-targets.json").read_text())
    for target in targets:
        if Path(target["filename"][0]).name.startswith("_ironmap."):
            return str(Path(target["filename"][0]).relative_to(tree.build))
    message = "the build has no extension"
    raise ValueError(message)


PYTEST = ["-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]


def python_tests(tree: Tree, python: str) -> list[Test]:
    tests = []
    for folder in PYTHON_TESTS:
        for path in sorted((tree.root / folder).glob("test_*.py")):
            name = path.stem.removeprefix("test_")
            file = str(path.relative_to(tree.root))
            if name not in LEFT_OUT:
                tests.append(Test(name=name, command=[python, *PYTEST, file]))
    return tests


def time_alone(tree: Tree, tests: list[Test], jobs: int) -> list[Test]:
    """Runs each test without a mutant. Returns those that pass, and names the others."""
    waiting: queue.SimpleQueue[Test] = queue.SimpleQueue()
    for test in tests:
        test.seconds = 60.0
        waiting.put(test)
    passed: list[Test] = []

    def work() -> None:
        while True:
            try:
                test = waiting.get_nowait()
            except queue.Empty:
                return
            done = tree.test(test)
            test.seconds = done.seconds
            if done.status == 0:
                passed.append(test)
            else:
                print(f"left out: {test.name} fails by itself: {failed_name(done.output)}")

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(passed, key=lambda test: test.seconds)


# ---- setting up ----------------------------------------------------------------------------------


def program(name: str, module: str) -> list[str]:
    """The command of a program of the build: of this Python, or of the system."""
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return [str(beside)]
    found = shutil.which(name)
    return [found] if found else [sys.executable, "-m", module]


def ignored(folder: str, names: list[str]) -> set[str]:
    top = Path(folder).parent == ROOT
    return {name for name in names if name == "__pycache__" or (top and name in {"build", ".venv"})}


def copy_if_changed(source: str, target: str) -> None:
    """Keeps the times of files that did not change, for the build."""
    if not Path(target).is_file() or Path(source).read_bytes() != Path(target).read_bytes():
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


def copy_tree(root: Path) -> None:
    for name in COPIED:
        source, target = ROOT / name, root / name
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=ignored, copy_function=copy_if_changed, dirs_exist_ok=True
            )
        elif source.is_file():
            copy_if_changed(str(source), str(target))


def set_up(folder: Path, jobs: int, python: str) -> Tree:
    """Copies the tree, and builds all of it, or what changed since the last run."""
    root = folder / "base"
    for left in folder.glob("worker*"):
        shutil.rmtree(left)
    root.mkdir(parents=True, exist_ok=True)
    copy_tree(root)
    env = dict(os.environ) | {"PYTHONDONTWRITEBYTECODE": "1"}
    tree = Tree(root, env, program("ninja", "ninja"), own_shared_memory())
    machine = folder / "machine.ini"
    machine.write_text(f"[binaries]\npython = '{python}'\n")
    options = ["-Dbuildtype=plain", "-Dwarning_level=0", "-Dc_args=-O1", "-Dtests=enabled"]
    options += ["-Dpython=enabled", "-Dexamples=disabled", f"--native-file={machine}"]
    meson = program("meson", "mesonbuild.mesonmain")
    shutil.rmtree(root / "packages", ignore_errors=True)
    for command in (
        [*meson, "setup", "build", *options],
        [*tree.ninja, "-C", "build", f"-j{jobs}"],
    ):
        done = run(command, root, env)
        if done.status != 0:
            sys.exit(f"{done.output}\nfailed: {' '.join(command)}")
    package = root / "packages" / "ironmap"
    package.mkdir(parents=True)
    for path in (root / "python" / "ironmap").iterdir():
        (package / path.name).symlink_to(Path("../../python/ironmap", path.name))
    built = extension_target(tree)
    (package / Path(built).name).symlink_to(Path("../../build", built))
    return tree


# ---- the mutants ---------------------------------------------------------------------------------


@dataclass
class Tests:
    """All tests, the quickest first."""

    c: list[Test]
    python: list[Test]
    extension: str
    named_only: bool


@dataclass
class Result:
    """What became of a mutant."""

    mutant: Mutant
    caught: str  # by which test; empty: by none
    seconds: float
    broken: str = ""  # what the compiler says


def run_c(tree: Tree, mutant: Mutant, tests: Tests) -> tuple[str, str]:
    first = [test for name in mutant.tests for test in tests.c if test.name == name]
    rest = [test for test in tests.c if test not in first]
    groups = [[test] for test in first] + ([] if tests.named_only else [rest])
    for group in groups:
        made = tree.make(sorted({target for test in group for target in test.targets}))
        if made.status != 0:
            return "", made.output
        for test in group:
            done = tree.test(test)
            if done.status != 0:
                how = "does not end" if done.status is None else failed_name(done.output)
                return f"{test.name}: {how or 'dies'}", ""
    return "", ""


def run_python(tree: Tree, mutant: Mutant, tests: Tests) -> tuple[str, str]:
    made = tree.make([tests.extension])
    if made.status != 0:
        return "", made.output
    first = [test for name in mutant.tests for test in tests.python if test.name == name]
    rest = [test for test in tests.python if test not in first]
    for group in (first, [] if tests.named_only else rest):
        if group:
            whole = Test("", group[0].command, seconds=sum(test.seconds for test in group))
            done = tree.test(whole, [test.command[-1] for test in group[1:]])
            if done.status != 0:
                how = "does not end" if done.status is None else failed_name(done.output)
                return how or f"{group[0].name}, …: dies", ""
    return "", ""


def run_mutant(tree: Tree, mutant: Mutant, tests: Tests) -> Result:
    start = time.monotonic()
    before = mutant.apply(tree.root)
    try:
        caught, broken = (run_python if mutant.in_python else run_c)(tree, mutant, tests)
    finally:
        (tree.root / mutant.file).write_text(before)
        run(["rm", "-rf", tree.root / "scratch"], tree.root, tree.env)
    return Result(mutant, caught, time.monotonic() - start, broken)


def work(
    tree: Tree, waiting: queue.SimpleQueue[Mutant], tests: Tests, results: list[Result], end: float
) -> None:
    """Runs mutants in this tree until none is left or the time is over."""
    while time.monotonic() < end:
        try:
            mutant = waiting.get_nowait()
        except queue.Empty:
            return
        result = run_mutant(tree, mutant, tests)
        results.append(result)
        verdict = f"BROKEN\n{result.broken}" if result.broken else result.caught or "NOT CAUGHT"
        equivalent = " (equivalent)" if mutant.equivalent else ""
        print(
            f"[{len(results)}] {result.seconds:5.1f} s  {mutant.file}: {mutant.why}{equivalent}\n"
            f"      {mutant.place}: {verdict}",
            flush=True,
        )


def copies(base: Tree, folder: Path, count: int) -> list[Tree]:
    trees = []
    for number in range(count):
        root = folder / f"worker{number}"
        subprocess.run(["cp", "-a", str(base.root), str(root)], check=True)
        trees.append(Tree(root, base.env, base.ninja, base.wrapper))
    return trees


def report(results: list[Result], not_run: int) -> int:
    """Prints the table. Returns the exit status."""
    table: dict[str, Counter[str]] = {}
    for result in results:
        kind = (
            "equivalent"
            if result.mutant.equivalent and not result.caught
            else "caught"
            if result.caught
            else "not caught"
        )
        for name in (str(Path(result.mutant.file).parent), "all"):
            table.setdefault(name, Counter())[kind] += 1
    print("\n| folder | mutants | caught | equivalent | not caught |")
    print("| --- | --- | --- | --- | --- |")
    for name, row in sorted(table.items(), key=lambda item: (item[0] == "all", item[0])):
        figures = [row.total(), row["caught"], row["equivalent"], row["not caught"]]
        print(f"| {name} | {' | '.join(str(figure) for figure in figures)} |")
    for result in results:
        if not result.caught and not result.mutant.equivalent:
            print(f"not caught: {result.mutant.place} {result.mutant.file}: {result.mutant.why}")
        if result.caught and result.mutant.equivalent:
            print(f"not equivalent: {result.mutant.place}: {result.caught}")
    if not_run:
        print(f"not run for lack of time: {not_run}")
    counted = table.get("all", Counter())
    real = counted["caught"] + counted["not caught"]
    broken = [result for result in results if result.broken]
    return int(bool(broken) or real == 0 or counted["caught"] < WANTED * real)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="check the lists alone")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutants")
    parser.add_argument("--only", default="", help="mutants whose place, file or reason has this")
    parser.add_argument("--python", default=sys.executable, help="for the extension and its tests")
    parser.add_argument("--named", action="store_true", help="run the tests named alone")
    parser.add_argument("--seconds", type=float, default=1e9, help="start none after this time")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    mutants = parse_lists()
    wrong = check_lists(mutants)
    print("\n".join([*wrong, f"{len(mutants)} mutants"]), flush=True)
    if options.check or wrong:
        return int(bool(wrong))
    pattern = re.compile(options.only)
    chosen = [m for m in mutants if pattern.search(f"{m.place} {m.file}: {m.why}")]
    folder = options.folder.resolve()
    base = set_up(folder, options.jobs, options.python)
    tests = Tests(
        c_tests(base), python_tests(base, options.python), extension_target(base), options.named
    )
    if options.named:
        named = {name for mutant in chosen for name in mutant.tests}
        tests.c = [test for test in tests.c if test.name in named]
        tests.python = [test for test in tests.python if test.name in named]
    kinds = {mutant.in_python for mutant in chosen}
    alone = time_alone(
        base,
        [*(tests.c if False in kinds else []), *(tests.python if True in kinds else [])],
        options.jobs,
    )
    tests.c = [test for test in tests.c if test in alone]
    tests.python = [test for test in tests.python if test in alone]
    for group in (tests.c, tests.python):
        group.sort(key=lambda test: test.seconds)
        total = sum(test.seconds for test in group)
        print(f"{len(group)} tests pass without a mutant, {total:.0f} s", flush=True)
    run(["rm", "-rf", base.root / "scratch"], base.root, base.env)
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in chosen:
        waiting.put(mutant)
    results: list[Result] = []
    threads = [
        threading.Thread(target=work, args=(tree, waiting, tests, results, end))
        for tree in copies(base, folder, options.jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report(results, len(chosen) - len(results))


if __name__ == "__main__":
    sys.exit(main())
