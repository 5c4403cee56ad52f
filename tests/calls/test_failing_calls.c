/* Fails every system call and allocation of every scenario, one at a time, once and for good.
 *
 * A scenario prepares a file and a map, and does one operation. Each failure has a process of its
 * own. An operation that fails leaves map, file, descriptors, memory and tags as they were. One
 * that succeeds in spite of the failure leaves them as without it. After the map is closed nothing
 * is left in either case. */
#include "calls.h"
#include "fault_support_posix.h"
#include "scenarios.h"
#include "support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what there is --------------------------------------------------------------------------- */

enum { DESCRIPTORS = 256 };

typedef struct picture {
    bool file_exists;
    uint64_t file_length;
    uint32_t file_sum;
    bool map_exists;
    size_t map_length;
    uint64_t map_position;
    int map_status; /* of reading all of it */
    uint32_t map_sum;
    bool tag_exists;
    bool open[DESCRIPTORS];
    size_t mapped;
    size_t allocations;
} picture;

static uint32_t sum_of(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 5381;

    for (size_t i = 0; i < length; i++) {
        sum = sum * 33 + bytes[i];
    }
    return sum;
}

static uint32_t file_sum(const fixture *f, uint64_t length)
{
    uint8_t *bytes = malloc((size_t)length + 1);
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    bool loaded = bytes != NULL && pread(fd, bytes, (size_t)length, 0) == (ssize_t)length;
    uint32_t sum = loaded ? sum_of(bytes, (size_t)length) : 0;

    (void)close(fd);
    free(bytes);
    return sum;
}

static void look_at_map(picture *p, const ironmap_map *map)
{
    p->map_exists = map != NULL;
    if (map == NULL) {
        return;
    }
    p->map_length = ironmap_length(map);
    p->map_position = ironmap_tell(map);
    uint8_t *bytes = malloc(p->map_length + 1);
    p->map_status = ironmap_get(map, 0, bytes, p->map_length, NULL);
    p->map_sum = p->map_status == IRONMAP_OK ? sum_of(bytes, p->map_length) : 0;
    free(bytes);
}

/* A tag that another process uses can be opened without a length. */
static bool tag_is_in_use(const char *name)
{
    const ironmap_options options = {.tag = name};
    ironmap_map *map = NULL;
    int status = ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL);

    (void)ironmap_close(map, NULL);
    return status != IRONMAP_E_NO_TAG;
}

static void look(picture *p, const fixture *f)
{
    memset(p, 0, sizeof(*p));
    p->file_exists = file_exists(f);
    if (p->file_exists) {
        p->file_length = file_length(f);
        p->file_sum = file_sum(f, p->file_length);
    }
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        p->open[fd] = fcntl(fd, F_GETFD) != -1;
    }
    p->mapped = calls_mapped_bytes();
    p->allocations = calls_allocations();
    look_at_map(p, f->map);
    p->tag_exists = tag_is_in_use(scenario_tag) || tag_is_in_use(scenario_tag_of_file);
}

/* ---- one failure ----------------------------------------------------------------------------- */

/* What a child process tells. */
enum { AS_PROMISED = 0, WRONG = 1, NO_SUCH_CALL = 3 };

typedef struct injection {
    const scenario *s;
    fixture *f;
    unsigned number; /* of the call; 0: none */
    bool for_good;
} injection;

/* True if the failure leaves no way to undo what was done to the file. */
static bool cannot_undo(const injection *i, const char *failed)
{
    return i->for_good && (strcmp(failed, "ftruncate") == 0 || strcmp(failed, "fstat") == 0);
}

static bool differs(const char *what, uint64_t now, uint64_t expected)
{
    if (now != expected) {
        print_error("%s: %llu, not %llu\n", what, (unsigned long long)now,
                    (unsigned long long)expected);
    }
    return now != expected;
}

static bool descriptors_differ(const picture *now, const picture *expected)
{
    bool wrong = false;

    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (now->open[fd] != expected->open[fd]) {
            print_error("descriptor %d is %s\n", fd, now->open[fd] ? "open" : "closed");
            wrong = true;
        }
    }
    return wrong;
}

static bool file_differs(const picture *now, const picture *expected)
{
    return differs("the file exists", now->file_exists, expected->file_exists) |
           differs("length of the file", now->file_length, expected->file_length) |
           differs("bytes of the file", now->file_sum, expected->file_sum);
}

static bool map_differs(const picture *now, const picture *expected)
{
    bool wrong = differs("the map exists", now->map_exists, expected->map_exists);

    wrong |= differs("length of the map", now->map_length, expected->map_length);
    wrong |= differs("position of the map", now->map_position, expected->map_position);
    wrong |= differs("the tag exists", now->tag_exists, expected->tag_exists);
    return wrong;
}

static bool bytes_differ(const picture *now, const picture *expected)
{
    return differs("status of reading the map", (unsigned)now->map_status,
                   (unsigned)expected->map_status) ||
           differs("bytes of the map", now->map_sum, expected->map_sum);
}

/* Memory that could not be unmapped is unmapped with the next map. */
static void open_and_close_another(void)
{
    const ironmap_options options = {.length = 1};
    ironmap_map *map = NULL;

    must(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL));
    must(ironmap_close(map, NULL));
}

/* After the map is closed. */
static bool something_is_left(const scenario *s, fixture *f, const picture *start)
{
    picture end;
    bool wrong = false;

    if (f->map != NULL) {
        wrong = ironmap_close(f->map, NULL) != IRONMAP_OK;
        f->map = NULL;
    }
    open_and_close_another();
    look(&end, f);
    wrong |= descriptors_differ(&end, start);
    wrong |= differs("mapped bytes left", end.mapped, start->mapped);
    wrong |= (s->kinds & RECORDS) == 0 &&
             differs("allocations left", end.allocations, start->allocations);
    wrong |= differs("the tag is left", end.tag_exists, false);
    return wrong;
}

/* The first map installs the fault handler, and the first file keeps its descriptor. */
static void take_start(picture *start, fixture *f)
{
    file_make(f, 1);
    must(open_whole(f, NULL));
    must(close_map(f, NULL));
    look(start, f);
}

static bool failure_is_wrong(const scenario *s, const fixture *f, const picture *before,
                             bool file_too)
{
    picture now;

    if ((s->kinds & CLOSES) != 0) {
        return f->map != NULL;
    }
    look(&now, f);
    bool wrong = file_too && file_differs(&now, before);
    wrong |= map_differs(&now, before);
    wrong |= (s->kinds & REPAIRS) == 0 && bytes_differ(&now, before);
    wrong |= descriptors_differ(&now, before);
    wrong |= differs("mapped bytes", now.mapped, before->mapped);
    wrong |= (s->kinds & (REPAIRS | RECORDS)) == 0 &&
             differs("allocations", now.allocations, before->allocations);
    return wrong;
}

static bool success_is_wrong(const fixture *f, const picture *expected)
{
    picture now;

    look(&now, f);
    return file_differs(&now, expected) | map_differs(&now, expected) |
           bytes_differ(&now, expected) | descriptors_differ(&now, expected);
}

/* What the operation leaves if nothing fails. */
static void look_at_success(picture *expected, const scenario *s, fixture *f)
{
    s->prepare(f);
    must(s->operate(f, NULL));
    look(expected, f);
    (void)ironmap_close(f->map, NULL);
    f->map = NULL;
}

static int inject(void *argument)
{
    const injection *i = argument;
    const scenario *s = i->s;
    fixture *f = i->f;
    static picture start;
    static picture before;
    static picture expected;
    ironmap_error error = {0};

    end_if_hanging(30);
    take_start(&start, f);
    look_at_success(&expected, s, f);
    s->prepare(f);
    look(&before, f);
    calls_begin(i->number, i->for_good);
    int status = s->operate(f, &error);
    const char *failed = calls_end();
    if (failed == NULL) {
        return NO_SUCH_CALL;
    }
    bool wrong = status == IRONMAP_OK ? success_is_wrong(f, &expected)
                                      : failure_is_wrong(s, f, &before, !cannot_undo(i, failed));
    wrong |= status != IRONMAP_OK &&
             differs("status of the error", (unsigned)error.status, (unsigned)status);
    wrong |= something_is_left(s, f, &start);
    if (wrong) {
        print_error("%s: %s, call %u fails %s: %s\n%s\n", s->name, failed, i->number,
                    i->for_good ? "for good" : "once", ironmap_status_name(status), calls_made());
    }
    return wrong ? WRONG : AS_PROMISED;
}

/* ---- all failures ---------------------------------------------------------------------------- */

static unsigned injections;
static unsigned deaths; /* that are documented */

/* Fails call number `number`. */
static int fate_of_injection(const scenario *s, fixture *f, unsigned number, bool for_good)
{
    injection i = {s, f, number, for_good};
    int result = fate_of(inject, &i);

    if ((s->kinds & LOSES) != 0 && for_good && result == -SIGBUS) {
        deaths++;
        return AS_PROMISED;
    }
    return result;
}

/* Fails the calls of a scenario one after the other. Returns how often that went wrong. */
static unsigned fail_each_call(const scenario *s, fixture *f, bool for_good)
{
    unsigned wrong = 0;
    int result = AS_PROMISED;

    for (unsigned number = 1; result != NO_SUCH_CALL && result != NOT_PREPARED; number++) {
        result = fate_of_injection(s, f, number, for_good);
        injections += result != NO_SUCH_CALL;
        if (result != AS_PROMISED && result != NO_SUCH_CALL) {
            print_error("%s, call %u %s: result %d\n", s->name, number,
                        for_good ? "for good" : "once", result);
            wrong++;
        }
    }
    return wrong;
}

static void every_call_may_fail(void **state)
{
    fixture *f = *state;
    unsigned wrong = 0;

    for (size_t i = 0; i < scenario_count; i++) {
        wrong += fail_each_call(&scenarios[i], f, false);
        wrong += fail_each_call(&scenarios[i], f, true);
    }
    print_message("%zu scenarios, %u failures, %u deaths where mmap never works again\n",
                  scenario_count, injections, deaths);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(every_call_may_fail),
    };

    scenarios_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
