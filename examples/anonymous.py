"""Share memory between a parent and a child process: an anonymous map and fork."""

import os

import ironmap

# -1 means no file. The map is 13 zero bytes, which child processes share.
m = ironmap.mmap(-1, 13)
m.write(b"Hello world!")

pid = os.fork()

if pid == 0:  # In the child process: read what the parent wrote, and answer in the same bytes.
    m.seek(0)
    print("child reads:", m.readline(), flush=True)
    m[:12] = b"Hello parent"
    m.close()
    os._exit(0)

os.waitpid(pid, 0)
print("parent reads:", m[:12])
m.close()
