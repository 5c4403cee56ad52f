#include "support_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_system.h"

/* ---- codes ----------------------------------------------------------------------------------- */

const system_codes codes = {
    .not_found = ENOENT,
    .empty_path = ENOENT,
    .not_a_directory = ENOTDIR,
    .exists = EEXIST,
    .denied = EACCES,
    .bad_descriptor = EBADF,
    .not_mappable = ENODEV,
    .lost_page = EIO,
    .invalid = EINVAL,
    .no_memory = ENOMEM,
};

const system_traits traits = {
    .shared_memory_grows = false,
    .loses_whole_views = false,
    .grows_past_truncation = true,
    .restore_needs_the_file = true,
    .truncates_mapped_files = true,
    .flush_needs_the_file = false,
};

void system_words(char *text, size_t capacity, int32_t code)
{
    (void)snprintf(text, capacity, "%s", strerror(code));
}

/* ---- files ----------------------------------------------------------------------------------- */

bool directory_make(char *directory, size_t capacity)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(directory, capacity, "%s/ironmap-test-XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(directory) != NULL;
}

void directory_remove(const char *directory)
{
    DIR *entries = opendir(directory);

    if (entries != NULL) {
        for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                (void)unlinkat(dirfd(entries), entry->d_name, 0);
            }
        }
        (void)closedir(entries);
    }
    (void)rmdir(directory);
}

void file_truncate(const fixture *f, uint64_t length)
{
    if (ftruncate(f->fd, (off_t)length) != 0) {
        fail_msg("ftruncate: %s", strerror(errno));
    }
}

bool file_extend(const fixture *f, uint64_t length)
{
    return ftruncate(f->fd, (off_t)length) == 0;
}

void file_store(const fixture *f, uint64_t offset, const void *bytes, size_t length)
{
    assert_true(descriptor_store(f->fd, offset, bytes, length));
}

size_t file_load(void *bytes, const fixture *f, uint64_t offset, size_t length)
{
    ssize_t done = pread(f->fd, bytes, length, (off_t)offset);

    assert_return_code(done, errno);
    return (size_t)done;
}

void file_evict(const fixture *f)
{
    assert_return_code(fsync(f->fd), errno);
#ifdef POSIX_FADV_DONTNEED
    assert_int_equal(posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
#endif
}

bool file_exists(const fixture *f)
{
    return access(f->path, F_OK) == 0;
}

uint64_t file_length(const fixture *f)
{
    struct stat status;

    if (stat(f->path, &status) != 0) {
        fail_msg("%s: %s", f->path, strerror(errno));
    }
    return (uint64_t)status.st_size;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);

    if (fd < 0) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    return fd;
}

int descriptor_create(const char *path)
{
    return opened(path, O_RDWR | O_CREAT | O_TRUNC);
}

int descriptor_open(const fixture *f, descriptor_use use)
{
    static const int flags[] = {
        [TO_READ] = O_RDONLY, [TO_WRITE] = O_WRONLY, [TO_READ_AND_WRITE] = O_RDWR};

    return opened(f->path, flags[use]);
}

int descriptor_duplicate(int fd)
{
    int other = dup(fd);

    assert_return_code(other, errno);
    return other;
}

void descriptor_close(int fd)
{
    assert_return_code(close(fd), errno);
}

void descriptor_pipe(int ends[2])
{
    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
}

uint64_t descriptor_tell(int fd)
{
    off_t position = lseek(fd, 0, SEEK_CUR);

    assert_true(position >= 0);
    return (uint64_t)position;
}

void descriptor_seek(int fd, uint64_t position)
{
    assert_true(lseek(fd, (off_t)position, SEEK_SET) == (off_t)position);
}

void descriptor_write(int fd, const void *bytes, size_t length)
{
    const uint8_t *next = bytes;

    while (length > 0) {
        ssize_t done = write(fd, next, length);

        if (done <= 0) {
            fail_msg("write: %s", strerror(errno));
        }
        next += done;
        length -= (size_t)done;
    }
}

bool descriptor_store(int fd, uint64_t offset, const void *bytes, size_t length)
{
    return pwrite(fd, bytes, length, (off_t)offset) == (ssize_t)length;
}

size_t open_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) != -1;
    }
    return count;
}

/* ---- memory ---------------------------------------------------------------------------------- */

void map_memory(fixture *f, int flags, int prot, size_t length)
{
    ironmap_options options = options_of(0, length);

    options.flags = flags;
    options.prot = prot;
    assert_ok(ironmap_open_anonymous(&f->map, IRONMAP_SYSTEM, &options, &failure));
}

uint8_t *fenced_memory(size_t *size)
{
    size_t page = ironmap_page_size();
    size_t inside = (*size + page - 1) / page * page;
    uint8_t *whole = mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(whole != MAP_FAILED);
    assert_int_equal(mprotect(whole + page, inside, PROT_READ | PROT_WRITE), 0);
    *size = inside;
    return whole + page;
}

void fenced_free(uint8_t *memory, size_t size)
{
    size_t page = ironmap_page_size();

    assert_int_equal(munmap(memory - page, size + 2 * page), 0);
}

void memory_revoke(void *pages, size_t length)
{
    assert_int_equal(mprotect(pages, length, PROT_NONE), 0);
}

size_t mapped_regions(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t count = 0;
    char block[4096];
    ssize_t length;

    if (fd < 0) {
        return 0;
    }
    while ((length = read(fd, block, sizeof(block))) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            count += block[i] == '\n';
        }
    }
    (void)close(fd);
    return count;
}

bool proc_line(char *line, size_t capacity, const char *file, const void *address,
               const char *prefix)
{
    char path[64];
    char head[32];
    bool inside = false;
    bool found = false;
    FILE *proc;

    (void)snprintf(path, sizeof(path), "/proc/self/%s", file);
    (void)snprintf(head, sizeof(head), "%08" PRIxPTR "-", (uintptr_t)address);
    proc = fopen(path, "re");
    while (proc != NULL && !found && fgets(line, (int)capacity, proc) != NULL) {
        inside = inside || strncmp(line, head, strlen(head)) == 0;
        found = inside && strncmp(line, prefix, strlen(prefix)) == 0;
    }
    if (proc != NULL) {
        (void)fclose(proc);
    }
    return found;
}

int code_of_refused_map(size_t length)
{
    void *memory = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_equal(memory, MAP_FAILED);
    return errno;
}

size_t system_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t system_granularity(void)
{
    return system_page_size();
}

/* ---- processes ------------------------------------------------------------------------------- */

uint64_t process_number(void)
{
    return (uint64_t)getpid();
}

bool inside_qemu(void)
{
    return getenv("IRONMAP_TEST_QEMU") != NULL;
}

bool inside_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

int in_child(int (*work)(void *), void *argument)
{
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        _exit(work(argument));
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail_msg("fork: %s", strerror(errno));
    }
    if (!WIFEXITED(status)) {
        fail_msg("the child died of signal %d", WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

/* A child of fork has the program already. */
static const process_work *all_works;

void process_begin(const process_work *works)
{
    all_works = works;
}

typedef struct process_order {
    const process_work *work;
    const char *path;
} process_order;

static int run_order(void *argument)
{
    const process_order *order = argument;

    return order->work->run(order->path);
}

int in_process(const char *name, const char *path)
{
    process_order order = {all_works, path};

    while (strcmp(order.work->name, name) != 0) {
        order.work++;
        assert_non_null(order.work->name);
    }
    return in_child(run_order, &order);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *run_thread(void *argument)
{
    const test_thread *t = argument;

    t->work(t->argument);
    return NULL;
}

void thread_start(test_thread *t, void (*work)(void *), void *argument)
{
    pthread_t handle;

    t->work = work;
    t->argument = argument;
    assert_int_equal(pthread_create(&handle, NULL, run_thread, t), 0);
    t->handle = (uintptr_t)handle;
}

void thread_join(test_thread *t)
{
    assert_int_equal(pthread_join((pthread_t)t->handle, NULL), 0);
}

void thread_yield(void)
{
    (void)sched_yield();
}
