#include "fault/page_set.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/range.h"

enum { WORD_BITS = sizeof(size_t) * 8, LEVELS_MAX = 11 };

static const size_t no_tail = SIZE_MAX;

/* The levels of a set, from the lowest on. */
typedef struct levels {
    atomic_size_t *words[LEVELS_MAX];
    size_t bits[LEVELS_MAX];
    unsigned count;
} levels;

static size_t words_of(size_t bits)
{
    return bits / WORD_BITS + (bits % WORD_BITS != 0);
}

static levels levels_of(size_t pages, atomic_size_t *words)
{
    levels all = {.count = 0};
    size_t bits = pages;
    do {
        all.words[all.count] = words;
        all.bits[all.count] = bits;
        all.count++;
        words = words == NULL ? NULL : words + words_of(bits);
        bits = words_of(bits);
    } while (bits > 1);
    return all;
}

size_t ironmap__page_set_words(size_t pages)
{
    const levels all = levels_of(pages, NULL);
    size_t words = 0;
    if (pages <= WORD_BITS) {
        return 0;
    }
    for (unsigned level = 0; level < all.count; level++) {
        words += words_of(all.bits[level]);
    }
    return words;
}

void ironmap__page_set_init(ironmap__page_set *set, size_t pages)
{
    set->pages = pages;
    atomic_store(&set->word, 0);
    atomic_store(&set->words, NULL);
    atomic_store(&set->tail, no_tail);
}

void ironmap__page_set_give(ironmap__page_set *set, atomic_size_t *words)
{
    atomic_store(&set->words, words);
}

/* NULL: only a tail fits. */
static atomic_size_t *words_of_set(const ironmap__page_set *set)
{
    /* Looking changes no word; adding and removing have a set that they may change. */
    return set->pages <= WORD_BITS ? (atomic_size_t *)(uintptr_t)&set->word
                                   : atomic_load(&set->words);
}

/* ---- one level ---- */

static size_t bit_of(size_t index)
{
    return (size_t)1 << (index % WORD_BITS);
}

/* The bits of word number `word` that stand for pages of the run. */
static size_t word_mask(size_t word, ironmap__page_run run)
{
    size_t first = word * WORD_BITS;
    size_t low = run.from > first ? run.from - first : 0;
    size_t high = run.to - first < WORD_BITS ? run.to - first : WORD_BITS;
    size_t up_to_high = high == WORD_BITS ? SIZE_MAX : ((size_t)1 << high) - 1;
    return up_to_high & ~(((size_t)1 << low) - 1);
}

static size_t lowest_bit(size_t word)
{
    size_t index = 0;
    while ((word & 1) == 0) {
        word >>= 1;
        index++;
    }
    return index;
}

/* The first bit of a level from `from` on in the same word that is `set`, or the word's end. */
static size_t next_in_word(const atomic_size_t *words, size_t from, bool set)
{
    size_t word = atomic_load(&words[from / WORD_BITS]);
    size_t wanted = (set ? word : ~word) >> (from % WORD_BITS);
    return wanted == 0 ? (from / WORD_BITS + 1) * WORD_BITS : from + lowest_bit(wanted);
}

/* ---- all levels ---- */

/* Sets the bits above word number `word` of the lowest level. */
static void set_summaries(const levels *all, size_t word)
{
    for (unsigned level = 1; level < all->count; level++) {
        atomic_fetch_or(&all->words[level][word / WORD_BITS], bit_of(word));
        word /= WORD_BITS;
    }
}

/* Clears the bits above word number `word`, which is 0. A handler may set a bit in it meanwhile: it
 * then sets the summaries after, or this function sees the bit and sets them again. */
static void clear_summaries(const levels *all, size_t word)
{
    for (unsigned level = 1; level < all->count; level++) {
        atomic_size_t *summary = &all->words[level][word / WORD_BITS];
        size_t before = atomic_fetch_and(summary, ~bit_of(word));
        if (atomic_load(&all->words[level - 1][word]) != 0) {
            atomic_fetch_or(summary, bit_of(word));
            return;
        }
        if ((before & ~bit_of(word)) != 0) {
            return;
        }
        word /= WORD_BITS;
    }
}

/* The first page from `from` on whose bit is set, or `to`. It goes up where a word is 0, and down
 * where a bit is set. */
static size_t next_set(const levels *all, size_t from, size_t to)
{
    unsigned level = 0;
    size_t at = from;
    while (level < all->count && at < all->bits[level]) {
        size_t found = next_in_word(all->words[level], at, true);
        bool is_there = found / WORD_BITS == at / WORD_BITS;
        if (is_there && level == 0) {
            return found < to ? found : to;
        }
        at = is_there ? found * WORD_BITS : at / WORD_BITS + 1;
        level = is_there ? level - 1 : level + 1;
    }
    return to;
}

static size_t next_clear(const levels *all, size_t from, size_t to)
{
    while (from < to) {
        size_t found = next_in_word(all->words[0], from, false);
        if (found / WORD_BITS == from / WORD_BITS) {
            return found < to ? found : to;
        }
        from = found;
    }
    return to;
}

/* ---- the set ---- */

static void lower_tail(ironmap__page_set *set, size_t from)
{
    size_t tail = atomic_load(&set->tail);
    while (from < tail && !atomic_compare_exchange_weak(&set->tail, &tail, from)) {
    }
}

void ironmap__page_set_add(ironmap__page_set *set, ironmap__page_run run)
{
    if (run.to >= set->pages) {
        lower_tail(set, run.from);
        return;
    }
    const levels all = levels_of(set->pages, words_of_set(set));
    for (size_t word = run.from / WORD_BITS; word * WORD_BITS < run.to; word++) {
        atomic_fetch_or(&all.words[0][word], word_mask(word, run));
        set_summaries(&all, word);
    }
}

void ironmap__page_set_remove(ironmap__page_set *set, ironmap__page_run run)
{
    size_t tail = atomic_load(&set->tail);
    if (tail >= run.from && run.to >= set->pages) {
        (void)atomic_compare_exchange_strong(&set->tail, &tail, no_tail);
    }
    atomic_size_t *words = words_of_set(set);
    if (words == NULL) {
        return;
    }
    const levels all = levels_of(set->pages, words);
    size_t at = next_set(&all, run.from, run.to);
    while (at < run.to) {
        size_t word = at / WORD_BITS;
        size_t mask = word_mask(word, run);
        if ((atomic_fetch_and(&all.words[0][word], ~mask) & ~mask) == 0) {
            clear_summaries(&all, word);
        }
        at = next_set(&all, (size_t)ironmap__min((word + 1) * WORD_BITS, run.to), run.to);
    }
}

ironmap__page_run ironmap__page_set_next(const ironmap__page_set *set, ironmap__page_run within)
{
    size_t tail = (size_t)ironmap__min(atomic_load(&set->tail), within.to);
    size_t from = tail;
    size_t to = tail;
    atomic_size_t *words = words_of_set(set);
    if (words != NULL && within.from < tail) {
        const levels all = levels_of(set->pages, words);
        from = next_set(&all, within.from, tail);
        to = next_clear(&all, from, tail);
    }
    from = (size_t)ironmap__max(from, within.from);
    return (ironmap__page_run){from, to == tail ? within.to : to};
}
