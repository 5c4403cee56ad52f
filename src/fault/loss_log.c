#include "fault/loss_log.h"

#include <stdbool.h>

/* A place in the log. The version is odd while a handler writes it. */
typedef struct loss_place {
    atomic_size_t version;
    atomic_size_t owner; /* 0: none yet */
    atomic_size_t number;
    atomic_size_t failed;
    atomic_size_t from;
    atomic_size_t to;
} loss_place;

/* Loss number n of the process stands at n % capacity. */
static loss_place loss_places[IRONMAP__LOSS_LOG_CAPACITY];
static atomic_size_t logged;

static atomic_size_t owners;

/* Two handlers may come at once: both use the number of the one that wins. */
static size_t owner_number(ironmap__loss_owner *owner)
{
    size_t number = atomic_load(owner);
    if (number == 0) {
        size_t made = atomic_fetch_add(&owners, 1) + 1;
        if (atomic_compare_exchange_strong(owner, &number, made)) {
            number = made;
        }
    }
    return number;
}

/* A place is written by one handler at a time. Another that comes meanwhile leaves its loss out. */
void ironmap__log_loss(ironmap__loss_owner *owner, size_t number, const ironmap__loss *loss)
{
    size_t known = owner_number(owner);
    size_t at = atomic_fetch_add(&logged, 1) % IRONMAP__LOSS_LOG_CAPACITY;
    loss_place *place = &loss_places[at];
    size_t version = atomic_load(&place->version);
    if (version % 2 != 0 ||
        !atomic_compare_exchange_strong(&place->version, &version, version + 1)) {
        return;
    }
    atomic_store(&place->owner, known);
    atomic_store(&place->number, number);
    atomic_store(&place->failed, loss->failed);
    atomic_store(&place->from, loss->replaced.from);
    atomic_store(&place->to, loss->replaced.to);
    atomic_store(&place->version, version + 2);
}

/* Gets the loss of a place. False if it is none of the owner's losses [first, last), or changes. */
static bool read_place(ironmap__loss *loss, const loss_place *place, size_t owner, size_t first,
                       size_t last)
{
    size_t version = atomic_load(&place->version);
    if (version % 2 != 0 || atomic_load(&place->owner) != owner ||
        atomic_load(&place->number) - first >= last - first) {
        return false;
    }
    loss->failed = atomic_load(&place->failed);
    loss->replaced.from = atomic_load(&place->from);
    loss->replaced.to = atomic_load(&place->to);
    return atomic_load(&place->version) == version;
}

/* Goes back from the last one: those of an access that has just ended are not far. */
size_t ironmap__logged_losses(const ironmap__loss_owner *owner, size_t first, size_t last,
                              ironmap__loss_visit *visit, void *context)
{
    size_t known = atomic_load(owner);
    size_t end = atomic_load(&logged);
    size_t found = 0;
    for (size_t back = 1; back <= IRONMAP__LOSS_LOG_CAPACITY && found < last - first; back++) {
        ironmap__loss loss;
        const loss_place *place = &loss_places[(end - back) % IRONMAP__LOSS_LOG_CAPACITY];
        if (known != 0 && read_place(&loss, place, known, first, last)) {
            visit(context, &loss);
            found++;
        }
    }
    return found;
}

/* What is half written is a loss of no owner. Places that were never used are not looked at: the
 * system would have to map their memory into each child. */
void ironmap__loss_log_after_fork(void)
{
    size_t used = atomic_load(&logged);
    for (size_t i = 0; i < IRONMAP__LOSS_LOG_CAPACITY && i < used; i++) {
        size_t version = atomic_load(&loss_places[i].version);
        if (version % 2 != 0) {
            atomic_store(&loss_places[i].owner, 0);
            atomic_store(&loss_places[i].version, version + 1);
        }
    }
}
