"""Share named memory between processes: a tag. Any program of the same user can open it."""

import multiprocessing
import os

import ironmap


def answer(tag: str) -> None:
    # Length 0 maps all memory of the tag. If no process has the tag, it is a FileNotFoundError.
    with ironmap.mmap(-1, 0, tagname=tag) as m:
        print("the other process reads:", m.readline(), flush=True)
        m[:12] = b"Hello parent"


if __name__ == "__main__":
    tag = f"example-{os.getpid()}"
    with ironmap.mmap(-1, 4096, tagname=tag) as m:
        m.write(b"Hello world!\n")

        # A separate process, which knows only the name.
        other = multiprocessing.get_context("spawn").Process(target=answer, args=(tag,))
        other.start()
        other.join()

        print("this process reads:", m[:12])

    # The last map of the tag was closed, so its memory is gone.
    try:
        ironmap.mmap(-1, 0, tagname=tag)
    except FileNotFoundError as error:
        print(error)
