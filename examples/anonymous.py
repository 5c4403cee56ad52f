"""Share memory between a parent and a child process: an anonymous map and fork."""

import os

import ironmap

# -1 stands for no file: memory of 13 bytes, all zero, shared with the children.
map = ironmap.mmap(-1, 13)
map.write(b"Hello world!")

pid = os.fork()

if pid == 0:  # In the child process: read what the parent wrote, and answer in the same place.
    map.seek(0)
    print("child reads:", map.readline(), flush=True)
    map[:12] = b"Hello parent"
    map.close()
    os._exit(0)

os.waitpid(pid, 0)
print("parent reads:", map[:12])
map.close()
