#include "scenarios.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "fault_support_posix.h"

char scenario_tag[64];
char scenario_tag_of_file[64];
static size_t page;

void scenarios_begin(void)
{
    page = ironmap_page_size();
    (void)snprintf(scenario_tag, sizeof(scenario_tag), "failing-%ld", (long)getpid());
    (void)snprintf(scenario_tag_of_file, sizeof(scenario_tag_of_file), "failing-file-%ld",
                   (long)getpid());
}

static size_t page;

void must(int status)
{
    if (status != IRONMAP_OK) {
        print_error("cannot prepare: %s\n", ironmap_status_name(status));
        _exit(NOT_PREPARED);
    }
}

/* ---- preparing ---- */

static void no_file(fixture *f)
{
    file_make(f, 0);
    (void)unlink(f->path);
}

static void empty_file(fixture *f)
{
    file_make(f, 0);
}

static void short_file(fixture *f)
{
    file_make(f, page + 100);
}

static void file_of_4(fixture *f)
{
    file_make(f, 4 * page);
}

static void map_with(fixture *f, ironmap_access access, ironmap_options options)
{
    must(ironmap_open_path(&f->map, f->path, access, &options, NULL));
    (void)ironmap_seek(f->map, 0, IRONMAP_SEEK_END, NULL);
}

static void map_of_4(fixture *f)
{
    file_of_4(f);
    map_with(f, IRONMAP_WRITE, (ironmap_options){0});
}

static void map_of_nothing(fixture *f)
{
    file_make(f, 0);
    map_with(f, IRONMAP_WRITE, (ironmap_options){0});
}

static void map_at_an_offset(fixture *f)
{
    file_make(f, 4 * page + 77);
    map_with(f, IRONMAP_WRITE, (ironmap_options){.offset = 1234});
}

static void map_of_a_longer_file(fixture *f)
{
    file_make(f, 12 * page);
    map_with(f, IRONMAP_WRITE, (ironmap_options){.length = 4 * page});
}

static void map_with_blocks(fixture *f)
{
    file_of_4(f);
    map_with(f, IRONMAP_WRITE, (ironmap_options){.open = IRONMAP_OPEN_PREALLOCATE});
}

/* Advice for a part splits the view, which mremap(2) then does not move. */
static void split(fixture *f)
{
    must(ironmap_advise(f->map, page, page, IRONMAP_ADVICE_RANDOM, NULL));
}

static void map_in_pieces(fixture *f)
{
    map_of_4(f);
    split(f);
}

static void private_map(fixture *f)
{
    const ironmap_options options = {.flags = MAP_PRIVATE, .prot = PROT_READ | PROT_WRITE};

    file_of_4(f);
    must(ironmap_open_fd(&f->map, f->fd, IRONMAP_SYSTEM, &options, NULL));
    must(ironmap_put(f->map, 5, "private", 7, NULL));
}

static void private_map_in_pieces(fixture *f)
{
    private_map(f);
    split(f);
}

static void private_memory(fixture *f)
{
    const ironmap_options options = {
        .length = 4 * page, .flags = MAP_PRIVATE, .prot = PROT_READ | PROT_WRITE};

    file_make(f, 0);
    must(ironmap_open_anonymous(&f->map, IRONMAP_SYSTEM, &options, NULL));
    must(ironmap_fill(f->map, 0, 'p', 4 * page, NULL));
}

static void shared_memory(fixture *f)
{
    file_make(f, 0);
    must(ironmap_open_anonymous(&f->map, IRONMAP_WRITE, &(ironmap_options){.length = 4 * page},
                                NULL));
    must(ironmap_fill(f->map, 0, 's', 4 * page, NULL));
}

static void map_of_a_tag(fixture *f)
{
    file_make(f, page);
    must(ironmap_open_anonymous(&f->map, IRONMAP_WRITE,
                                &(ironmap_options){.length = 4 * page, .tag = scenario_tag}, NULL));
    must(ironmap_put(f->map, 0, "shared", 6, NULL));
}

/* Pinned once, so that code may use the map's addresses without a pin. */
static void exported_map(fixture *f)
{
    map_of_4(f);
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
}

static void exported_memory(fixture *f)
{
    private_memory(f);
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
}

/* Something else lies right behind it, which stays: it is mapped as what is not counted. */
static void exported_map_without_room(fixture *f)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;

    exported_map(f);
    void *behind = mmap((uint8_t *)ironmap_data(f->map) + 4 * page, page, PROT_NONE, flags, -1, 0);
    (void)munmap(behind, page);
    (void)mmap(behind, page, PROT_NONE, flags | MAP_FIXED, -1, 0);
}

/* Its room to grow is what it has left. */
static void exported_map_that_was_cut(fixture *f)
{
    exported_map(f);
    must(ironmap_resize(f->map, page, NULL));
}

static void exported_tag(fixture *f)
{
    map_of_a_tag(f);
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
}

static void truncated_map(fixture *f)
{
    map_of_4(f);
    file_truncate(f, page);
}

/* A page was lost, and the file is long again. */
static void map_with_a_lost_page(fixture *f)
{
    uint8_t byte = 0;

    truncated_map(f);
    if (ironmap_get_byte(&byte, f->map, 2 * page, NULL) != IRONMAP_E_FAULT) {
        _exit(NOT_PREPARED);
    }
    file_truncate(f, 4 * page);
}

static void damaged_map(fixture *f)
{
    truncated_map(f);
    if (peek(f->map, 3 * page) != 0) {
        _exit(NOT_PREPARED);
    }
    file_truncate(f, 4 * page);
}

static void one_handler(int number)
{
    (void)number;
}

static void other_handler(int number)
{
    (void)number;
}

/* Another program has installed a handler since the last map was opened. */
static void file_and_a_new_handler(fixture *f)
{
    static bool other;
    struct sigaction action = {.sa_handler = other ? other_handler : one_handler};

    file_of_4(f);
    other = !other;
    if (sigaction(SIGBUS, &action, NULL) != 0) {
        _exit(NOT_PREPARED);
    }
}

/* ---- operating ---- */

static int open_with(fixture *f, ironmap_options options, ironmap_error *error)
{
    return ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, error);
}

int open_whole(fixture *f, ironmap_error *error)
{
    return open_with(f, (ironmap_options){0}, error);
}

static int open_untracked(fixture *f, ironmap_error *error)
{
    return open_with(f, (ironmap_options){.open = IRONMAP_OPEN_NO_TRACK}, error);
}

static int open_descriptor(fixture *f, ironmap_error *error)
{
    return ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, NULL, error);
}

static int create(fixture *f, ironmap_error *error)
{
    return open_with(
        f, (ironmap_options){.length = 3 * page, .open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND},
        error);
}

static int extend(fixture *f, ironmap_error *error)
{
    return open_with(
        f, (ironmap_options){.offset = 10, .length = 3 * page, .open = IRONMAP_OPEN_EXTEND}, error);
}

static int extend_with_blocks(fixture *f, ironmap_error *error)
{
    return open_with(f,
                     (ironmap_options){.offset = 10,
                                       .length = 3 * page,
                                       .open = IRONMAP_OPEN_EXTEND | IRONMAP_OPEN_PREALLOCATE},
                     error);
}

static int open_memory(fixture *f, ironmap_error *error)
{
    return ironmap_open_anonymous(&f->map, IRONMAP_WRITE, &(ironmap_options){.length = 3 * page},
                                  error);
}

static int open_tag(fixture *f, ironmap_error *error)
{
    return ironmap_open_anonymous(
        &f->map, IRONMAP_WRITE, &(ironmap_options){.length = 3 * page, .tag = scenario_tag}, error);
}

static int open_tag_of_file(fixture *f, ironmap_error *error)
{
    return open_with(f,
                     (ironmap_options){.length = 3 * page,
                                       .open = IRONMAP_OPEN_EXTEND,
                                       .tag = scenario_tag_of_file},
                     error);
}

/* A second map of a tag, which the operation closes again. */
static int open_tag_again(fixture *f, ironmap_error *error)
{
    ironmap_map *second = NULL;

    (void)f;
    int status = ironmap_open_anonymous(
        &second, IRONMAP_WRITE, &(ironmap_options){.length = page, .tag = scenario_tag}, error);
    return status == IRONMAP_OK ? ironmap_close(second, error) : status;
}

static int resize_to_9(fixture *f, ironmap_error *error)
{
    return ironmap_resize(f->map, 9 * page, error);
}

static int resize_to_600(fixture *f, ironmap_error *error)
{
    return ironmap_resize(f->map, 600 * page, error);
}

static int resize_to_2(fixture *f, ironmap_error *error)
{
    return ironmap_resize(f->map, 2 * page, error);
}

static int resize_inside_a_page(fixture *f, ironmap_error *error)
{
    return ironmap_resize(f->map, 2 * page + 100, error);
}

static int resize_to_nothing(fixture *f, ironmap_error *error)
{
    return ironmap_resize(f->map, 0, error);
}

/* Without the failure, what grows again is zeros. */
static int resize_to_2_and_4(fixture *f, ironmap_error *error)
{
    int status = ironmap_resize(f->map, 2 * page, error);

    if (status == IRONMAP_OK) {
        (void)calls_end();
        status = ironmap_resize(f->map, 4 * page, error);
    }
    return status;
}

int close_map(fixture *f, ironmap_error *error)
{
    ironmap_map *map = f->map;

    f->map = NULL;
    return ironmap_close(map, error);
}

static int flush(fixture *f, ironmap_error *error)
{
    return ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, error);
}

static int file_size(fixture *f, ironmap_error *error)
{
    uint64_t size = 0;

    return ironmap_file_size(&size, f->map, error);
}

static int get_all(fixture *f, ironmap_error *error)
{
    static uint8_t bytes[1 << 20];
    size_t length = ironmap_length(f->map);

    return ironmap_get(f->map, 0, bytes, length < sizeof(bytes) ? length : sizeof(bytes), error);
}

static int put_some(fixture *f, ironmap_error *error)
{
    return ironmap_put(f->map, 2 * page, "stored", 6, error);
}

static int clear_damage(fixture *f, ironmap_error *error)
{
    return ironmap_clear_damage(f->map, error);
}

/* The operation is to fail as without another failure. */
static int get_a_lost_byte(fixture *f, ironmap_error *error)
{
    uint8_t byte = 0;
    int status = ironmap_get_byte(&byte, f->map, 2 * page, error);

    return status == IRONMAP_E_FAULT ? IRONMAP_OK : IRONMAP_E_INVALID;
}

static int peek_at_a_lost_byte(fixture *f, ironmap_error *error)
{
    (void)error;
    return peek(f->map, 3 * page) == 0 && ironmap_is_damaged(f->map) ? IRONMAP_OK
                                                                     : IRONMAP_E_INVALID;
}

static int lock_pages(fixture *f, ironmap_error *error)
{
    return ironmap_lock_pages(f->map, 0, page, error);
}

static int unlock_pages(fixture *f, ironmap_error *error)
{
    return ironmap_unlock_pages(f->map, 0, page, error);
}

static int advise(fixture *f, ironmap_error *error)
{
    return ironmap_advise(f->map, 0, page, IRONMAP_ADVICE_WILLNEED, error);
}

static int file_path(fixture *f, ironmap_error *error)
{
    char path[1024];

    return ironmap_file_path(f->map, path, sizeof(path), error);
}

static int guard(fixture *f, ironmap_error *error)
{
    ironmap_guard guard;
    int status = ironmap_guard_begin(&guard, f->map, error);

    return status == IRONMAP_OK ? ironmap_guard_end(&guard, error) : status;
}

static int pin(fixture *f, ironmap_error *error)
{
    (void)error;
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    return IRONMAP_OK;
}

static int find_nothing(fixture *f, ironmap_error *error)
{
    uint64_t index = 0;

    return ironmap_find(&index, f->map, "not in the file", 15, 0, IRONMAP_TO_END, error);
}

/* From memory of its own, into the map. */
static int copy_from_another_map(fixture *f, ironmap_error *error)
{
    const ironmap_options options = {.length = page};
    ironmap_map *source = NULL;
    int status = ironmap_open_anonymous(&source, IRONMAP_WRITE, &options, error);

    if (status == IRONMAP_OK) {
        status = ironmap_copy(f->map, page, source, 0, page, error);
        (void)ironmap_close(source, NULL);
    }
    return status;
}

static int move(fixture *f, ironmap_error *error)
{
    return ironmap_move(f->map, 10, page, 2 * page, error);
}

static int put_strided(fixture *f, ironmap_error *error)
{
    return ironmap_put_strided(f->map, 0, 7, (uint8_t *)ironmap_data(f->map) + page, 500, error);
}

static int get_strided(fixture *f, ironmap_error *error)
{
    return ironmap_get_strided(f->map, 0, 7, (uint8_t *)ironmap_data(f->map) + page, 500, error);
}

/* The child closes its map of the tag, and the parent keeps its own. */
static int fork_and_close(fixture *f, ironmap_error *error)
{
    int status = 0;
    pid_t child = fork();

    (void)error;
    if (child == 0) {
        _exit(ironmap_close(f->map, NULL) == IRONMAP_OK ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? IRONMAP_OK : IRONMAP_E_INVALID;
}

/* The addresses show zeros. If the system could do nothing, they show what they showed. */
static int close_and_use(fixture *f, ironmap_error *error)
{
    ironmap_reservation *kept = NULL;
    const volatile uint8_t *last = (const uint8_t *)ironmap_data(f->map) + 4 * page - 1;
    const uint8_t before = *last;
    int status = ironmap_close_reserving(&kept, f->map, error);

    f->map = NULL;
    if (kept == NULL || (*last != 0 && (status == IRONMAP_OK || *last != before))) {
        print_error("the addresses were not kept\n");
        _exit(NOT_KEPT);
    }
    ironmap_reservation_free(kept);
    return status;
}

const scenario scenarios[] = {
    {"creating a file", no_file, create, 0},
    {"extending a file", short_file, extend, 0},
    {"extending a file with blocks", short_file, extend_with_blocks, 0},
    {"opening a file", file_of_4, open_whole, 0},
    {"opening an empty file", empty_file, open_whole, 0},
    {"opening without tracking", file_of_4, open_untracked, 0},
    {"opening a descriptor", file_of_4, open_descriptor, 0},
    {"opening memory", no_file, open_memory, 0},
    {"making a tag", no_file, open_tag, 0},
    {"opening a tag", map_of_a_tag, open_tag_again, 0},
    {"making a tag of a file", short_file, open_tag_of_file, 0},
    {"growing", map_of_4, resize_to_9, 0},
    {"growing at an offset", map_at_an_offset, resize_to_9, 0},
    {"growing much", map_of_4, resize_to_600, 0},
    {"growing into a longer file", map_of_a_longer_file, resize_to_9, 0},
    {"growing with blocks", map_with_blocks, resize_to_9, 0},
    {"growing in pieces", map_in_pieces, resize_to_9, 0},
    {"growing much in pieces", map_in_pieces, resize_to_600, 0},
    {"growing a private map", private_map, resize_to_9, 0},
    {"growing a private map in pieces", private_map_in_pieces, resize_to_9, 0},
    {"growing private memory", private_memory, resize_to_9, 0},
    {"growing from nothing", map_of_nothing, resize_to_9, 0},
    {"growing with a lost page", map_with_a_lost_page, resize_to_9, REPAIRS},
    {"shrinking", map_of_4, resize_to_2, 0},
    {"shrinking inside a page", map_at_an_offset, resize_inside_a_page, 0},
    {"shrinking in a longer file", map_of_a_longer_file, resize_to_2, 0},
    {"shrinking in pieces", map_in_pieces, resize_to_2, 0},
    {"shrinking a private map", private_map, resize_inside_a_page, 0},
    {"shrinking private memory", private_memory, resize_to_2, 0},
    {"shrinking private memory and back", private_memory, resize_to_2_and_4, 0},
    {"shrinking shared memory", shared_memory, resize_to_2, 0},
    {"shrinking with a lost page", map_with_a_lost_page, resize_to_2, REPAIRS},
    {"shrinking to nothing", map_of_4, resize_to_nothing, 0},
    {"private memory to nothing", private_memory, resize_to_nothing, 0},
    {"shared memory to nothing", shared_memory, resize_to_nothing, 0},
    {"growing an exported map", exported_map, resize_to_9, 0},
    {"growing an exported map much", exported_map, resize_to_600, 0},
    {"moving an exported map", exported_map_without_room, resize_to_9, 0},
    {"growing exported memory", exported_memory, resize_to_9, 0},
    {"growing into what was left", exported_map_that_was_cut, resize_to_2, 0},
    {"growing beyond what was left", exported_map_that_was_cut, resize_to_9, 0},
    {"shrinking an exported map", exported_map, resize_to_2, 0},
    {"shrinking exported memory", exported_memory, resize_to_2, 0},
    {"an exported map to nothing", exported_map, resize_to_nothing, 0},
    {"closing", map_of_4, close_map, CLOSES},
    {"closing memory", private_memory, close_map, CLOSES},
    {"closing a tag", map_of_a_tag, close_map, CLOSES},
    {"closing an exported map", exported_map, close_and_use, CLOSES | LOSES},
    {"closing exported memory", exported_memory, close_and_use, CLOSES | LOSES},
    {"closing an exported tag", exported_tag, close_and_use, CLOSES | LOSES},
    {"flushing", map_of_4, flush, 0},
    {"asking for the file's size", map_of_4, file_size, 0},
    {"asking for the file's path", map_of_4, file_path, 0},
    {"locking pages", map_of_4, lock_pages, 0},
    {"unlocking pages", map_of_4, unlock_pages, 0},
    {"advising", map_of_4, advise, 0},
    {"guarding", map_of_4, guard, 0},
    {"guarding with a lost page", map_with_a_lost_page, guard, REPAIRS},
    {"pinning", map_of_4, pin, 0},
    {"pinning with a lost page", map_with_a_lost_page, pin, REPAIRS},
    {"finding nothing", map_of_4, find_nothing, 0},
    {"finding with a lost page", map_with_a_lost_page, find_nothing, REPAIRS},
    {"opening after another's handler", file_and_a_new_handler, open_whole, RECORDS},
    {"copying from another map", map_of_4, copy_from_another_map, 0},
    {"moving", map_of_4, move, 0},
    {"putting strided from the map", map_of_4, put_strided, 0},
    {"getting strided into the map", map_of_4, get_strided, 0},
    {"getting a lost page", map_with_a_lost_page, get_all, REPAIRS},
    {"putting into a lost page", map_with_a_lost_page, put_some, REPAIRS},
    {"clearing damage", damaged_map, clear_damage, REPAIRS},
    {"losing a page", truncated_map, get_a_lost_byte, REPAIRS | LOSES},
    {"losing an exported page", truncated_map, peek_at_a_lost_byte, REPAIRS | LOSES},
    {"forking with a tag", map_of_a_tag, fork_and_close, 0},
};

const size_t scenario_count = COUNT_OF(scenarios);
