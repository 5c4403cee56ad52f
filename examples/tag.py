"""Share memory between processes by a name: a tag. Any program of the user can join in."""

import multiprocessing
import os

import ironmap


def answer(tag: str) -> None:
    # Length 0: all the memory that the tag has. Where nobody has it, that is a FileNotFoundError.
    with ironmap.mmap(-1, 0, tagname=tag) as map:
        print("the other process reads:", map.readline(), flush=True)
        map[:12] = b"Hello parent"


if __name__ == "__main__":
    tag = f"example-{os.getpid()}"
    with ironmap.mmap(-1, 4096, tagname=tag) as map:
        map.write(b"Hello world!\n")

        # A process of its own, which has nothing of this one but the name.
        other = multiprocessing.get_context("spawn").Process(target=answer, args=(tag,))
        other.start()
        other.join()

        print("this process reads:", map[:12])

    # With the last map of the tag, its memory is gone.
    try:
        ironmap.mmap(-1, 0, tagname=tag)
    except FileNotFoundError as error:
        print(error)
