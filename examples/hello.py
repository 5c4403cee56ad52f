"""Map a file, read it like a file and like bytes, and change it in place."""

from pathlib import Path

import ironmap

# Write a simple example file.
path = Path("hello.txt")
path.write_bytes(b"Hello Python!\n")

# Map it: length 0 means the whole file.
with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as map:
    # Read as from a file...
    print("readline:", map.readline())  # b"Hello Python!\n"
    # ...or as from bytes.
    print("map[:5]:", map[:5])  # b"Hello"
    # Change the file in place: a slice takes as many bytes as it has.
    map[6:] = b" world!\n"
    # Go back to the beginning and read the line again.
    map.seek(0)
    print("readline:", map.readline())  # b"Hello  world!\n"

print("the file now holds:", path.read_bytes())
