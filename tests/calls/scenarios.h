/* What programs do with a map, one operation each. */
#ifndef IRONMAP_TESTS_SCENARIOS_H
#define IRONMAP_TESTS_SCENARIOS_H

#include "support.h"

/* The names of tags that no other process uses. */
extern char scenario_tag[64];
extern char scenario_tag_of_file[64];

/* Kinds of scenarios. CLOSES: the map is gone after every failure. REPAIRS: what a failed operation
 * has restored may stay restored. LOSES: loses a page, so the process ends if mmap(2) never works
 * again. RECORDS: another program's handler is recorded, which allocates once and for good. */
enum { CLOSES = 1, REPAIRS = 2, LOSES = 4, RECORDS = 8 };

typedef struct scenario {
    const char *name;
    void (*prepare)(fixture *f);
    int (*operate)(fixture *f, ironmap_error *error);
    unsigned kinds;
} scenario;

extern const scenario scenarios[];
extern const size_t scenario_count;

/* Sets the names. Called once. */
void scenarios_begin(void);

/* Opens and closes the whole file of the fixture, as f->map. */
int open_whole(fixture *f, ironmap_error *error);
int close_map(fixture *f, ironmap_error *error);

/* Ends this process if the call has failed: the scenario cannot be prepared. */
enum { NOT_PREPARED = 2, NOT_KEPT = 4 };
void must(int status);

#endif /* IRONMAP_TESTS_SCENARIOS_H */
