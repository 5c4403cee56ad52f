/* What /proc of Linux shows of a map's memory: flushed pages, dropped pages, names. */
#include "support_posix.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGES = 8 };

static uint64_t smaps_kib(const void *address, const char *field)
{
    char line[512];

    if (!proc_line(line, sizeof(line), "smaps", address, field)) {
        skip_because("the system does not show the state of pages");
    }
    return strtoull(line + strlen(field), NULL, 10);
}

/* KiB of the map at `data` that still have to be written. */
static uint64_t dirty_kib(const void *data)
{
    return smaps_kib(data, "Shared_Dirty:") + smaps_kib(data, "Private_Dirty:");
}

/* A flush without flags writes all pages of its range, and no others. */
static void flush_cleans_its_pages(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint64_t page_kib = page / 1024;
    void *data;

    skip_on_emulated_pages("shows the system's pages");
    file_make(f, PAGES * page);
    map_file(f, IRONMAP_WRITE);
    data = ironmap_data(f->map);
    assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &failure));
    if (dirty_kib(data) != 0) {
        skip_because("this file system keeps its files in memory");
    }
    assert_ok(ironmap_fill(f->map, 0, 1, PAGES * page, &failure));
    assert_u64(dirty_kib(data), PAGES * page_kib);
    assert_ok(ironmap_flush(f->map, page + 1, 2 * page, 0, &failure));
    assert_u64(dirty_kib(data), (PAGES - 3) * page_kib);
    assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &failure));
    assert_u64(dirty_kib(data), 0);
}

/* Private stores are dropped from the first whole page of the range on. */
static void dontneed_drops_whole_pages(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    skip_on_emulated_pages("does not drop pages");
    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, PAGES * page);
    assert_ok(ironmap_fill(f->map, 0, 0xaa, PAGES * page, &failure));
    assert_ok(ironmap_advise(f->map, page + 1, 2 * page, IRONMAP_ADVICE_DONTNEED, &failure));
    assert_map_filled(f->map, 0, 2 * page, 0xaa);
    assert_map_filled(f->map, 2 * page, 2 * page, 0);
    assert_map_filled(f->map, 4 * page, (PAGES - 4) * page, 0xaa);
    assert_ok(ironmap_advise(f->map, 0, IRONMAP_TO_END, IRONMAP_ADVICE_DONTNEED, &failure));
    assert_map_filled(f->map, 0, PAGES * page, 0);
}

/* The stores of a COPY map are dropped. */
static void dontneed_restores_the_bytes_of_the_file(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    file_make(f, PAGES * page);
    map_file(f, IRONMAP_COPY);
    assert_ok(ironmap_fill(f->map, 0, 0xaa, PAGES * page, &failure));
    assert_ok(ironmap_advise(f->map, 0, IRONMAP_TO_END, IRONMAP_ADVICE_DONTNEED, &failure));
    assert_map_pattern(f->map, 0, PAGES * page);
}

/* REMOVE punches holes from the first whole page on. */
static void remove_keeps_the_bytes_before_its_range(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    skip_inside_qemu("punches no holes");
    file_make(f, 0);
    file_truncate(f, PAGES * page);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_fill(f->map, 0, 0xaa, PAGES * page, &failure));
    if (ironmap_advise(f->map, page + 7, 3 * page - 7, MADV_REMOVE, NULL) != IRONMAP_OK) {
        skip_because("this file system punches no holes");
    }
    assert_map_filled(f->map, 0, 2 * page, 0xaa);
    assert_map_filled(f->map, 2 * page, 2 * page, 0);
    assert_map_filled(f->map, 4 * page, (PAGES - 4) * page, 0xaa);
}

/* The number of mappings that core dumps leave out. */
static size_t undumped_regions(void)
{
    char line[512];
    size_t count = 0;
    FILE *proc = fopen("/proc/self/smaps", "re");

    while (proc != NULL && fgets(line, sizeof(line), proc) != NULL) {
        count += strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd") != NULL;
    }
    if (proc != NULL) {
        (void)fclose(proc);
    }
    return count;
}

/* Advice for no bytes touches no memory, and none of the library's. */
static void advice_for_no_bytes_touches_no_memory(void **state)
{
    fixture *f = *state;
    size_t before;

    file_make(f, 0);
    map_file(f, IRONMAP_WRITE);
    before = undumped_regions();
    assert_ok(ironmap_advise(f->map, 0, IRONMAP_TO_END, MADV_DONTDUMP, &failure));
    assert_u64(undumped_regions(), before);
    map_close(f);
    map_anonymous(f, IRONMAP_WRITE, 10000);
    assert_ok(ironmap_advise(f->map, 10000, IRONMAP_TO_END, MADV_DONTDUMP, &failure));
    assert_ok(ironmap_advise(f->map, 5000, 0, MADV_DONTDUMP, &failure));
    assert_u64(undumped_regions(), before);
    skip_inside_qemu("leaves nothing out of core dumps");
    assert_ok(ironmap_advise(f->map, 5000, 1, MADV_DONTDUMP, &failure));
    assert_u64(undumped_regions(), before + 1);
}

static void assert_name_shown(const fixture *f, const char *expected)
{
    char line[512];

    assert_true(proc_line(line, sizeof(line), "maps", ironmap_data(f->map), ""));
    if (strstr(line, expected) == NULL) {
        fail_msg("no %s in %s", expected, line);
    }
}

/* Names the map. Skips the test if the system has no names for memory. */
static void set_name_or_skip(fixture *f, const char *name)
{
    int result = ironmap_set_name(f->map, name, NULL);

    if (result == IRONMAP_E_UNSUPPORTED) {
        skip_because("the system has no names for memory");
    }
    assert_int_equal(result, IRONMAP_OK);
}

/* A name is shown until the map gets another. */
static void name_of_private_memory_is_shown(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, 10000);
    set_name_or_skip(f, "a private map");
    assert_name_shown(f, "[anon:a private map]");
    set_name_or_skip(f, "b");
    assert_name_shown(f, "[anon:b]");
}

/* The longest name is shown whole. */
static void name_of_shared_memory_is_shown(void **state)
{
    fixture *f = *state;
    char name[IRONMAP_NAME_MAX + 1];
    char shown[IRONMAP_NAME_MAX + 32];

    map_anonymous(f, IRONMAP_WRITE, 10000);
    memset(name, 'n', IRONMAP_NAME_MAX);
    name[IRONMAP_NAME_MAX] = '\0';
    set_name_or_skip(f, name);
    (void)snprintf(shown, sizeof(shown), "[anon_shmem:%s]", name);
    assert_name_shown(f, shown);
}

/* The old name stays. */
static void forbidden_characters_are_refused(void **state)
{
    static const char *const names[] = {"a[b", "a]b",  "a\\b", "a$b",
                                        "a`b", "a\nb", "\x7f", "\xc3\xa9"};
    fixture *f = *state;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, 10000);
    set_name_or_skip(f, "good");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_not_equal(ironmap_set_name(f->map, names[i], NULL), IRONMAP_OK);
    }
    assert_name_shown(f, "[anon:good]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(flush_cleans_its_pages),
        with_fixture(dontneed_drops_whole_pages),
        with_fixture(dontneed_restores_the_bytes_of_the_file),
        with_fixture(remove_keeps_the_bytes_before_its_range),
        with_fixture(advice_for_no_bytes_touches_no_memory),
        with_fixture(name_of_private_memory_is_shown),
        with_fixture(name_of_shared_memory_is_shown),
        with_fixture(forbidden_characters_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
