/* The log of the last losses of all mappings, from which an access learns what it lost. It is one
 * for the process, so a mapping needs no memory for it, however many of them lose pages. No lock
 * and no system call: the fault handler may use it. Units are pages, counted from the beginning of
 * the view. */
#ifndef IRONMAP_LOSS_LOG_H
#define IRONMAP_LOSS_LOG_H

#include <stdatomic.h>
#include <stddef.h>

#include "fault/page_set.h"

/* One loss: the page that was unavailable, and all that were replaced with it. Where the system
 * replaces no single pages, the others may have been available. */
typedef struct ironmap__loss {
    size_t failed;
    ironmap__page_run replaced;
} ironmap__loss;

/* More losses than there are, as a rule, while the system suspends a thread in the middle of an
 * access: one takes some 4 us, and the system handles those of one process one after the other. If
 * there are more, the access is done again (map/access_loop.h). */
enum { IRONMAP__LOSS_LOG_CAPACITY = 4096 };

/* The number of a mapping in the log: 0 until its first loss. No two mappings have the same. */
typedef atomic_size_t ironmap__loss_owner;

/* Writes loss `number` of the owner into the log. */
void ironmap__log_loss(ironmap__loss_owner *owner, size_t number, const ironmap__loss *loss);

typedef void ironmap__loss_visit(void *context, const ironmap__loss *loss);

/* Calls `visit` with each of the owner's losses [first, last) that the log has. Returns how many
 * these were. Missing are those before the last ones of the process, and those whose handler was
 * stopped in the middle, or met one that was, while the log went once around. */
size_t ironmap__logged_losses(const ironmap__loss_owner *owner, size_t first, size_t last,
                              ironmap__loss_visit *visit, void *context);

/* In a child of fork: gives back the places that threads of the parent were writing. */
void ironmap__loss_log_after_fork(void);

#endif /* IRONMAP_LOSS_LOG_H */
