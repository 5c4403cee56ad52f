/* What happens to the file below the map. */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Stores m->bytes into the file. Files of huge pages have no write call. */
static void write_bytes(model *m, size_t from, size_t length)
{
    if (!m->huge) {
        model_check(m, pwrite(m->fd, m->bytes, length, (off_t)from) == (ssize_t)length, "pwrite");
    } else {
        uint8_t *memory = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);

        model_check(m, memory != MAP_FAILED, "mmap");
        memcpy(memory + from, m->bytes, length);
        model_check(m, munmap(memory, m->size) == 0, "munmap");
    }
    memcpy(m->file + from, m->bytes, length);
    m->size = from + length > m->size ? from + length : m->size;
}

static void set_size(model *m, size_t size)
{
    if (ftruncate(m->fd, (off_t)size) != 0) {
        model_wrong(m, "ftruncate");
    }
    if (size < m->size) {
        memset(m->file + size, 0, m->size - size);
        model_drop_private(m, size, m->capacity);
    }
    m->size = size;
}

void model_lengthen(model *m, size_t size)
{
    set_size(m, m->huge ? m->capacity : size);
}

void model_file_create(model *m)
{
    m->fd = open(m->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    model_check(m, m->fd >= 0, "create the file");
    set_size(m, m->capacity);
    model_random_bytes(m, m->bytes, m->capacity);
    write_bytes(m, 0, m->capacity);
}

static span some_span(model *m, size_t end, size_t unit)
{
    size_t from = model_below(m, end) / unit * unit;
    size_t to = from + 1 + model_below(m, end - from);

    to = (to + unit - 1) / unit * unit;
    return (span){from, to < end ? to : end};
}

/* In a copy-on-write map of huge pages, a load from a hole makes a private page of zeros, and a
 * hole that is punched takes private pages with it. */
static bool is_unspecified(const model *m)
{
    return (m->huge || m->emulated) && m->access == IRONMAP_COPY;
}

/* ---- operations ------------------------------------------------------------------------------ */

void model_truncate(model *m)
{
    size_t size = model_below(m, m->capacity + 1);

    if (m->huge || !model_chance(m, 4)) {
        size = size / m->page * m->page;
    }
    if (m->emulated && size < m->offset + m->length) {
        return;
    }
    model_note(m, "truncate the file", size, 0);
    m->counts->file_changes++;
    set_size(m, size);
}

void model_file_write(model *m)
{
    span range = some_span(m, m->huge ? m->size + (m->size == 0) : m->capacity, 1);

    if (is_unspecified(m) || range.to > m->capacity) {
        return;
    }
    if (m->huge && m->size == 0) {
        set_size(m, m->capacity);
        return;
    }
    model_note(m, "write the file", range.from, range.to);
    m->counts->file_changes++;
    model_random_bytes(m, m->bytes, range.to - range.from);
    write_bytes(m, range.from, range.to - range.from);
}

/* False if the file system does not do this. */
static bool change_blocks(model *m, int mode, span range)
{
    int done = fallocate(m->fd, mode, (off_t)range.from, (off_t)(range.to - range.from));

    model_check(m, done == 0 || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS,
                "fallocate");
    m->counts->file_changes += done == 0;
    return done == 0;
}

static void clear_blocks(model *m, int mode, const char *what)
{
    if (m->size == 0 || is_unspecified(m)) {
        return;
    }
    span range = some_span(m, m->size, m->huge ? m->page : 1);
    model_note(m, what, range.from, range.to);
    if (change_blocks(m, mode | FALLOC_FL_KEEP_SIZE, range)) {
        memset(m->file + range.from, 0, range.to - range.from);
    }
}

void model_punch(model *m)
{
    clear_blocks(m, FALLOC_FL_PUNCH_HOLE, "punch the file");
}

void model_zero(model *m)
{
    clear_blocks(m, FALLOC_FL_ZERO_RANGE, "zero the file");
}

/* File systems differ in what becomes of private pages behind the range. */
void model_collapse(model *m)
{
    if (m->access == IRONMAP_COPY || m->emulated || m->size < 3 * m->page) {
        return;
    }
    span range = some_span(m, m->size / m->page * m->page - m->page, m->page);
    model_note(m, "collapse the file", range.from, range.to);
    if (change_blocks(m, FALLOC_FL_COLLAPSE_RANGE, range)) {
        size_t length = range.to - range.from;

        memmove(m->file + range.from, m->file + range.to, m->size - range.to);
        memset(m->file + m->size - length, 0, length);
        m->size -= length;
    }
}

void model_insert(model *m)
{
    if (m->access == IRONMAP_COPY || m->size < 2 * m->page || m->size + m->page > m->capacity) {
        return;
    }
    span range = {model_below(m, m->size / m->page - 1) * m->page, 0};
    range.to = range.from + m->page;
    model_note(m, "insert into the file", range.from, range.to);
    if (change_blocks(m, FALLOC_FL_INSERT_RANGE, range)) {
        memmove(m->file + range.to, m->file + range.from, m->size - range.from);
        memset(m->file + range.from, 0, m->page);
        m->size += m->page;
    }
}

/* Another file gets the name. The map keeps its own until it is opened again. */
void model_replace(model *m)
{
    char path[310];

    (void)snprintf(path, sizeof(path), "%s.new", m->path);
    model_note(m, "replace the file", 0, 0);
    m->counts->file_changes++;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    m->next_size = model_below(m, m->capacity + 1);
    model_random_bytes(m, m->next_file, m->next_size);
    model_check(m,
                fd >= 0 && write(fd, m->next_file, m->next_size) == (ssize_t)m->next_size &&
                    close(fd) == 0 && rename(path, m->path) == 0,
                "replace the file");
    m->replaced = true;
}

/* What is clean and not mapped leaves the memory. */
void model_evict(model *m)
{
    model_note(m, "evict the file", 0, 0);
    model_check(m, posix_fadvise(m->fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "evict");
}
