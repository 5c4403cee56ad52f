"""Tags: named memory that processes share, which exists as long as a map of it."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ironmap
from support import PAGE, outcome, run_python
from system import PRIVATE, TAGS_ARE_FILES, needs_advice, needs_flags, needs_fork, needs_tag_files

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTH = 2 * PAGE + (100 if TAGS_ARE_FILES else 0)  # on Windows a tag has whole pages


def place() -> Path:
    """The folder of this user's tags, unless another user holds its name."""
    memory = Path("/dev/shm")
    base = memory if memory.is_dir() else Path(os.environ.get("TMPDIR", "/tmp"))
    return base / f"ironmap-{os.geteuid()}"


def tag_file(tag: str) -> Path:
    return place() / "".join(f"={c.lower()}" if c.isupper() else c for c in tag)


def is_there(tag: str) -> bool:
    """True if a process has the tag, or its file was left behind."""
    return tag_file(tag).exists() if TAGS_ARE_FILES else outcome(open_tag, tag, 0).error is None


@pytest.fixture
def tag() -> Iterator[str]:
    """A tag that no other process has. The test must leave no file of it."""
    name = f"Test.{uuid.uuid4().hex}"
    yield name
    assert not is_there(name)


def open_tag(tag: str, length: int = LENGTH, **options: int) -> ironmap.mmap:
    return ironmap.mmap(-1, length, tagname=tag, **options)


# ---- the memory ------------------------------------------------------------------------------


def test_new_tag_is_zero(tag: str) -> None:
    with open_tag(tag) as m:
        assert m[:] == bytes(LENGTH)
        assert m.size() == len(m) == LENGTH


def test_maps_of_a_tag_share_its_memory(tag: str) -> None:
    with open_tag(tag) as one, open_tag(tag) as two, open_tag(tag + "2") as other:
        one[5:10] = b"bytes"
        two[-1] = 7
        assert two[5:10] == b"bytes"
        assert one[-1] == 7
        assert other[:] == bytes(LENGTH)


def test_another_process_sees_the_memory_and_answers(tag: str) -> None:
    code = """
import ironmap, sys
with ironmap.mmap(-1, 0, tagname=sys.argv[1]) as m:
    print(len(m), m.readline())
    m[1000:1006] = b"answer"
"""
    with open_tag(tag) as m:
        m.write(b"a line\n")
        assert run_python(code, tag) == rf"{LENGTH} b'a line\n'" + "\n"
        assert m[1000:1006] == b"answer"


def test_tag_is_removed_by_the_last_close(tag: str) -> None:
    first = open_tag(tag)
    second = open_tag(tag)
    first[0] = 1
    first.close()
    third = open_tag(tag)
    second.close()
    assert third[0] == 1
    third.close()
    with open_tag(tag, 10) as m:
        assert m[:] == bytes(10)


def test_tag_is_removed_by_garbage_collection(tag: str) -> None:
    open_tag(tag)[0] = 1
    assert not is_there(tag)


def test_tag_outlives_its_creator(tag: str) -> None:
    """A process creates a tag, this one opens it, and the other closes it or exits."""
    code = """
import ironmap, sys
m = ironmap.mmap(-1, 100, tagname=sys.argv[1])
m[:3] = b"abc"
print("ready", flush=True)
sys.stdin.read()
if sys.argv[2] == "close":
    m.close()
"""
    for end in ("close", "leave"):
        process = subprocess.Popen(
            [sys.executable, "-c", code, tag, end],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with open_tag(tag, 0) as m:
            process.communicate()
            assert process.returncode == 0
            assert m[:4] == b"abc\0"
        assert not is_there(tag)


def test_program_that_exits_without_closing_leaves_nothing(tag: str) -> None:
    code = "import ironmap, sys; m = ironmap.mmap(-1, 10, tagname=sys.argv[1]); sys.exit()"
    run_python(code, tag)
    assert not is_there(tag)


# ---- length ----------------------------------------------------------------------------------


def test_larger_view_is_an_error(tag: str) -> None:
    with open_tag(tag):
        for length, offset in [(LENGTH + 1, 0), (LENGTH, 1), (1, LENGTH), (10 * LENGTH, 0)]:
            with pytest.raises(ValueError, match="greater than the length of the tag") as raised:
                open_tag(tag, length, offset=offset)
            assert tag in str(raised.value)
        with pytest.raises(ValueError, match="mmap offset is greater"):
            open_tag(tag, 0, offset=LENGTH)


def test_part_of_a_tag_can_be_mapped(tag: str) -> None:
    with open_tag(tag) as whole:
        whole[PAGE : PAGE + 5] = b"bytes"
        with open_tag(tag, 5, offset=PAGE) as part, open_tag(tag, 0, offset=PAGE + 1) as rest:
            assert part[:] == b"bytes"
            assert rest[:4] == b"ytes"
            assert len(rest) == LENGTH - PAGE - 1
            sizes = (LENGTH, LENGTH) if TAGS_ARE_FILES else (len(part), len(rest))
            assert (part.size(), rest.size()) == sizes
            assert "offset=4096" in repr(part) or PAGE != 4096


def test_length_zero_creates_nothing(tag: str) -> None:
    with pytest.raises(FileNotFoundError, match="no map has this tag") as raised:
        open_tag(tag, 0)
    assert raised.value.filename == tag
    assert not is_there(tag)


def test_offset_of_the_first_counts(tag: str) -> None:
    with open_tag(tag, 10, offset=PAGE + 3) as m, open_tag(tag, 0) as whole:
        assert len(whole) == (PAGE + 13 if TAGS_ARE_FILES else 2 * PAGE)
        m[0] = 5
        assert whole[PAGE + 3] == 5


# ---- access ----------------------------------------------------------------------------------


def test_access_applies_to_the_map_only(tag: str) -> None:
    with (
        open_tag(tag, access=ironmap.ACCESS_READ) as reader,
        open_tag(tag, access=ironmap.ACCESS_WRITE) as writer,
        open_tag(tag, access=ironmap.ACCESS_COPY) as copy,
        open_tag(tag, **PRIVATE) as private,
    ):
        with pytest.raises(TypeError):
            reader[0] = 1
        copy[0] = private[0] = 2
        assert reader[0] == 0
        writer[:3] = b"abc"
        assert reader[:3] == b"abc"


@needs_flags
def test_flags_and_prot_apply_to_the_map_only(tag: str) -> None:
    shared = ironmap.MAP_SHARED | ironmap.MAP_ANONYMOUS
    with open_tag(tag, flags=shared) as m, open_tag(tag, prot=ironmap.PROT_READ) as reader:
        m[0] = 1
        assert reader[0] == 1
        assert "ACCESS_READ" in repr(reader)


def test_resize_is_refused(tag: str) -> None:
    with open_tag(tag) as m:
        for length in (10, LENGTH, 2 * LENGTH):
            with pytest.raises(TypeError, match="mmap can't resize a memory map with a tagname"):
                m.resize(length)
        assert len(m) == LENGTH


def test_map_without_tracking_still_has_its_lock(tag: str) -> None:
    with open_tag(tag, trackfd=False) as m:
        m[0] = 1
        with open_tag(tag, 0) as other:
            assert other[0] == 1
        assert is_there(tag)


def test_flush_works_and_set_name_is_an_error(tag: str) -> None:
    with open_tag(tag) as m:
        m[0] = 1
        m.flush()
        with pytest.raises(ValueError, match="non-anonymous"):
            m.set_name("name")


@needs_advice
def test_advice_is_accepted(tag: str) -> None:
    with open_tag(tag) as m:
        m[0] = 1
        m.madvise(ironmap.MADV_WILLNEED)
        assert m[0] == 1


# ---- names -----------------------------------------------------------------------------------


def test_tagname_returns_the_tag(tag: str) -> None:
    with open_tag(tag) as m:
        assert m.tagname == tag
        assert repr(m).endswith(f"offset=0, tagname='{tag}'>")
    assert m.tagname is None
    with ironmap.mmap(-1, 1, tagname=None) as none, ironmap.mmap(-1, 1) as omitted:
        assert none.tagname is omitted.tagname is None


# TAG is the name of a tag that no other process has.
NAMES = [
    *[
        "TAG",
        "TAG.b_c-D9",
        "-TAG",
        ".TAG",
        "TAG ",
        "TAG=b",
        "=TAG",
        "%61TAG",
        "TAG\n",
        "TAG'",
        'TAG"',
    ],
    *["TAGé", "TAGÉ", "TAGe\u0301", "TAG\U0001f4be", "x" * 160 + "TAG", "X" * 160 + "TAG"],
]
NAMES_OF_UNIX = ["/TAG", "../TAG", "TAG/..", "a\\TAG", "Global\\TAG", "TAG\\", "/" * 160 + "TAG"]


def names_of(tag: str) -> list[str]:
    names = NAMES + NAMES_OF_UNIX * TAGS_ARE_FILES
    return [name.replace("TAG", tag) for name in names]


def test_any_text_is_a_name(tag: str) -> None:
    for name in names_of(tag):
        with open_tag(name) as m:
            assert m.tagname == name
            assert repr(m).endswith(f", tagname={name!r}>")
            with open_tag(name) as again:
                m[0] = 1
                assert again[0] == 1
        with pytest.raises(FileNotFoundError):
            open_tag(name, 0)


def test_names_that_differ_are_different_tags(tag: str) -> None:
    maps = [open_tag(name, 1) for name in names_of(tag)]
    for number, m in enumerate(maps):
        m[0] = number
    assert [m[0] for m in maps] == list(range(len(maps)))
    for m in maps:
        m.close()


def test_local_prefix_means_the_tag_behind_it(tag: str) -> None:
    with open_tag(tag) as m, open_tag(f"Local\\{tag}") as local:
        m[0] = 1
        assert local[0] == 1
        assert local.tagname == f"Local\\{tag}"


@needs_tag_files
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "tag name is empty"),
        ("Local\\", "tag name is empty"),
        ("x" * 201, "tag name is longer than 200 bytes"),
        ("é" * 101, "tag name is longer than 200 bytes"),
        ("a\0b", "null character"),
        ("\0", "null character"),
        ("\udc80", "surrogates not allowed"),
    ],
)
def test_bad_name_is_an_error(name: str, message: str, path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        open_tag(name)
    with path.open("r+b") as file, pytest.raises(ValueError, match=message):
        ironmap.mmap(file.fileno(), 0, tagname=name)


@pytest.mark.parametrize("name", [1, b"a", 1.5, ["a"]])
def test_name_of_a_wrong_type_is_an_error(name: object) -> None:
    assert outcome(lambda: ironmap.mmap(-1, 1, tagname=name)).error is TypeError


def test_case_matters(tag: str) -> None:
    with open_tag(tag) as one, open_tag(tag.lower()) as two, open_tag(tag.upper()) as three:
        one[0] = 1
        assert two[0] == three[0] == 0


# ---- tags of files ---------------------------------------------------------------------------


def test_tag_of_a_file_maps_the_file(tag: str, path: Path) -> None:
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0, tagname=tag) as one:
        assert one.tagname == tag
        assert one[:] == path.read_bytes()
        with ironmap.mmap(file.fileno(), 5, tagname=tag) as two:
            two[:3] = b"ONE"
            assert one[:3] == b"ONE"
            assert path.read_bytes()[:3] == b"ONE"
        with pytest.raises(TypeError, match="tagname"):
            one.resize(5)


@needs_tag_files
def test_tag_of_another_file_or_none_is_taken(tag: str, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes())
    with path.open("r+b") as file, other.open("r+b") as second:
        with ironmap.mmap(file.fileno(), 0, tagname=tag):
            for use in (
                lambda: ironmap.mmap(second.fileno(), 0, tagname=tag),
                lambda: open_tag(tag, 5),
            ):
                with pytest.raises(FileExistsError, match="tag belongs to another") as raised:
                    use()
                assert raised.value.filename == tag
        with open_tag(tag), pytest.raises(FileExistsError):
            ironmap.mmap(file.fileno(), 0, tagname=tag)
        ironmap.mmap(second.fileno(), 0, tagname=tag).close()


def test_larger_view_of_a_files_tag_is_an_error(tag: str, path: Path) -> None:
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 5, tagname=tag):
        with pytest.raises(ValueError, match="mmap length is greater than file size"):
            ironmap.mmap(file.fileno(), 6, tagname=tag)
        with ironmap.mmap(file.fileno(), 0, tagname=tag) as m:
            assert len(m) == 5


# ---- owner -----------------------------------------------------------------------------------


@needs_tag_files
def test_tag_belongs_to_the_user(tag: str) -> None:
    with open_tag(tag):
        status = tag_file(tag).stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_uid == place().stat().st_uid == os.geteuid()
        assert stat.S_IMODE(place().stat().st_mode) == 0o700


@needs_tag_files
def test_folder_of_another_user_is_an_error_with_the_owner(tag: str) -> None:
    """In a system of its own, which takes root."""
    code = """
import ctypes, os, sys
import ironmap
libc = ctypes.CDLL(None, use_errno=True)
NEWNS, REC, PRIVATE = 0x20000, 0x4000, 0x40000
if libc.unshare(NEWNS) or libc.mount(b"none", b"/", b"none", REC | PRIVATE, None):
    sys.exit()
for folder in b"/dev/shm", b"/run":
    if libc.mount(b"tags", folder, b"tmpfs", 0, b"size=1m"):
        sys.exit()
folder = f"/dev/shm/ironmap-{os.geteuid()}"
os.mkdir(folder)
os.chown(folder, 1, -1)
try:
    ironmap.mmap(-1, 1, tagname=sys.argv[1])
except PermissionError as error:
    print(error)
"""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a private /dev/shm takes root")
    told = run_python(code, tag)
    if not told:
        pytest.skip("a private /dev/shm takes more rights")
    assert told == f"[Errno 1] /dev/shm/ironmap-0 belongs to user 1: '{tag}'\n"


@needs_tag_files
@pytest.mark.parametrize("what", ["link", "pipe", "readable", "other"])
def test_files_of_other_users_are_not_used(tag: str, what: str, tmp_path: Path) -> None:
    if what == "other" and os.geteuid() != 0:
        pytest.skip("giving files away takes root")
    file = tag_file(tag)
    target = tmp_path / "target"
    target.write_bytes(b"not to be touched")
    with open_tag(tag + "2"):  # creates the folder
        if what == "link":
            file.symlink_to(target)
        elif what == "pipe":
            os.mkfifo(file, 0o600)
        else:
            file.write_bytes(b"not to be touched")
            file.chmod(0o644 if what == "readable" else 0o600)
            os.chown(file, 1 if what == "other" else -1, -1)
        try:
            with pytest.raises(PermissionError) as raised:
                open_tag(tag)
            assert raised.value.errno == errno.EPERM
            assert raised.value.filename == tag
            assert what == "pipe" or file.read_bytes() == b"not to be touched"
        finally:
            file.unlink()


# ---- fork ------------------------------------------------------------------------------------


def in_child(work: object) -> int:
    """Runs `work` in a forked child, and returns its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert callable(work)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_tag_files
def test_waiting_for_a_tag_can_be_interrupted(tag: str) -> None:
    """Ctrl-C works while another process, perhaps a stopped one, has the lock of the tags."""
    import fcntl

    code = """
import ironmap, signal, sys
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    ironmap.mmap(-1, 10, tagname=sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""
    with open_tag(tag + "2"):
        folder = os.open(place(), os.O_RDONLY | os.O_DIRECTORY)
        release = threading.Timer(60, fcntl.flock, (folder, fcntl.LOCK_UN))
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            release.start()
            assert run_python(code, tag) == "interrupted\n"
            assert release.is_alive()  # otherwise it was not interrupted
        finally:
            release.cancel()
            release.join()
            os.close(folder)


@needs_fork
def test_parent_keeps_the_tag_when_the_child_closes(tag: str) -> None:
    with open_tag(tag) as m:
        m[0] = 1
        assert in_child(m.close) == 0
        assert in_child(int) == 0  # a child that exits without closing
        with open_tag(tag, 0) as other:
            assert other[0] == 1


@needs_fork
def test_child_keeps_the_tag_when_the_parent_closes(tag: str) -> None:
    m = open_tag(tag)
    m[0] = 1
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        m.close()
        os._exit(0)
    os.close(read)
    m.close()
    with open_tag(tag, 0) as other:
        assert other[0] == 1
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    with open_tag(tag) as fresh:
        assert fresh[0] == 0


# ---- processes that are killed ---------------------------------------------------------------


def use_until_killed(tag: str, epoch: bytes, seed: int) -> None:
    """Opens, writes and closes in a loop. Exits with 1 if there are bytes of an earlier epoch."""
    chance = random.Random(seed)
    while True:
        try:
            m = open_tag(tag, chance.randrange(1, LENGTH))
        except ValueError:  # another process has just created a shorter one
            continue
        if m[:1] not in (b"\0", epoch):
            os._exit(1)
        m[:] = epoch * len(m)
        if chance.randrange(2):
            m.close()


@needs_fork
def test_two_hundred_rounds_of_kill_leave_no_stale_tag(tag: str) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for number in range(200):
        epoch = bytes([1 + number % 255])
        children = []
        for _ in range(2):
            own = chance.randrange(1 << 32)
            child = os.fork()
            if child == 0:
                try:
                    use_until_killed(tag, epoch, own)
                finally:
                    os._exit(2)
            children.append(child)
        for child in children:
            time.sleep(chance.random() / 500)
            os.kill(child, signal.SIGKILL)
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        if number % 2:
            length = chance.randrange(1, 2 * LENGTH)
            with open_tag(tag, length) as m:
                assert m.size() == length
                assert m[:] == bytes(length)
            assert not tag_file(tag).exists()
    open_tag(tag + "2").close()
    assert not tag_file(tag).exists()
