"""Map a file, read it like a file and like bytes, and change it in place."""

from pathlib import Path

import ironmap

# Write a simple example file.
path = Path("hello.txt")
path.write_bytes(b"Hello Python!\n")

# Map it: length 0 means the whole file.
with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
    # Read as from a file...
    print("readline:", m.readline())  # b"Hello Python!\n"
    # ...or as from bytes.
    print("m[:5]:", m[:5])  # b"Hello"
    # Change the file in place. The new bytes must be as many as the slice has.
    m[6:] = b" world!\n"
    # Go back to the beginning and read the line again.
    m.seek(0)
    print("readline:", m.readline())  # b"Hello  world!\n"

print("the file now holds:", path.read_bytes())
