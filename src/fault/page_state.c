#include "fault/page_state.h"

#include <stdint.h>
#include <stdlib.h>

enum { WORD_BITS = sizeof(size_t) * 8 };

bool ironmap__page_state_reserve(ironmap__page_state *state, size_t pages)
{
    size_t words = pages / WORD_BITS + 1;
    if (words <= state->words) {
        return true;
    }
    atomic_size_t *made = calloc(IRONMAP__LOSS_KINDS * words, sizeof(*made));
    if (made == NULL) {
        return false;
    }
    free(state->marks);
    state->marks = made;
    state->words = words;
    return true;
}

void ironmap__page_state_free(ironmap__page_state *state)
{
    free(state->marks);
    state->marks = NULL;
    state->words = 0;
}

/* ---- the bitmaps ---- */

static atomic_size_t *marks_of(const ironmap__page_state *state, ironmap__loss_kind kind)
{
    return state->marks + (size_t)kind * state->words;
}

/* The bits of word number `word` that stand for pages of the run. */
static size_t word_mask(size_t word, ironmap__page_run run)
{
    size_t first = word * WORD_BITS;
    size_t low = run.from > first ? run.from - first : 0;
    size_t high = run.to < first + WORD_BITS ? run.to - first : WORD_BITS;
    size_t up_to_high = high == WORD_BITS ? SIZE_MAX : ((size_t)1 << high) - 1;
    return up_to_high & ~(((size_t)1 << low) - 1);
}

void ironmap__mark_pages(ironmap__page_state *state, ironmap__loss_kind kind, ironmap__page_run run)
{
    atomic_size_t *marks = marks_of(state, kind);
    for (size_t word = run.from / WORD_BITS; word * WORD_BITS < run.to; word++) {
        atomic_fetch_or(&marks[word], word_mask(word, run));
    }
}

void ironmap__unmark_pages(ironmap__page_state *state, ironmap__loss_kind kind,
                           ironmap__page_run run)
{
    atomic_size_t *marks = marks_of(state, kind);
    for (size_t word = run.from / WORD_BITS; word * WORD_BITS < run.to; word++) {
        atomic_fetch_and(&marks[word], ~word_mask(word, run));
    }
}

/* The first page in [from, to) whose mark is `set`, or `to`. Skips whole words: a bitmap is long
 * and almost all of it is the same. */
static size_t find_bit(const atomic_size_t *marks, size_t from, size_t to, bool set)
{
    while (from < to) {
        size_t word = atomic_load(&marks[from / WORD_BITS]) >> (from % WORD_BITS);
        size_t wanted = set ? word : ~word;
        size_t left = WORD_BITS - from % WORD_BITS;
        if (!set && from % WORD_BITS != 0) {
            wanted &= ((size_t)1 << left) - 1;
        }
        if (wanted == 0) {
            from += left;
            continue;
        }
        while ((wanted & 1) == 0) {
            wanted >>= 1;
            from++;
        }
        return from < to ? from : to;
    }
    return to;
}

ironmap__page_run ironmap__next_marked(const ironmap__page_state *state, ironmap__loss_kind kind,
                                       ironmap__page_run within)
{
    if (state->marks == NULL) {
        return (ironmap__page_run){within.to, within.to};
    }
    const atomic_size_t *marks = marks_of(state, kind);
    size_t from = find_bit(marks, within.from, within.to, true);
    return (ironmap__page_run){from, find_bit(marks, from, within.to, false)};
}

/* ---- notes ---- */

void ironmap__log_loss(ironmap__page_state *state, size_t number, size_t failed,
                       ironmap__page_run run)
{
    ironmap__loss *loss = &state->log[number % IRONMAP__LOSS_LOG_CAPACITY];
    atomic_store(&loss->failed, failed);
    atomic_store(&loss->from, run.from);
    atomic_store(&loss->to, run.to);
}

void ironmap__note_restoring(ironmap__page_state *state, ironmap__loss_kind kind,
                             ironmap__page_run run)
{
    atomic_store(&state->run_kind, (size_t)kind);
    atomic_store(&state->run_from, run.from);
    atomic_store(&state->run_to, run.to);
}

void ironmap__page_state_after_fork(ironmap__page_state *state)
{
    if (state->run_to != 0) {
        ironmap__page_run run = {state->run_from, state->run_to};
        ironmap__mark_pages(state, (ironmap__loss_kind)state->run_kind, run);
        atomic_store(&state->run_to, 0);
    }
    atomic_store(&state->handlers, 0);
    atomic_flag_clear(&state->restoring);
}
