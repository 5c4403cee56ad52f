/* Reservations: addresses that were a mapping's and were exported. Code may still use them, so the
 * system must not give them to anything else. They have no memory and no file: the system maps an
 * empty file there. The first access is a fault. The handler then puts zeros everywhere and notes
 * the place, so the access reads zeros and is told of later (ironmap__note_stale_use).
 *
 * A reservation is a mapping of its own, which no access of the library uses. A map that is closed
 * becomes one itself, which takes no memory and so cannot fail for want of it.
 */
#ifndef IRONMAP_RESERVATION_H
#define IRONMAP_RESERVATION_H

#include "base/error.h"
#include "fault/mapping.h"

typedef struct ironmap__reservation {
    ironmap__mapping mapping;
    struct ironmap__reservation *next; /* of the same map */
} ironmap__reservation;

/* Makes a reservation without addresses, in the registry, for addresses of `mapping`. */
int ironmap__reservation_new(ironmap__reservation **kept, const ironmap__mapping *mapping,
                             ironmap_error *error);

/* Unmaps the addresses and frees the reservation. Nothing may use them any more. */
void ironmap__reservation_free(ironmap__reservation *kept);

/* Says that the reservation has the addresses of `view`, whole pages, which `owner` has had until
 * now; none without a base. The owner is told of uses. While one of both is suspended, or for
 * addresses that both have had. */
void ironmap__reservation_set(ironmap__reservation *kept, ironmap__mapping *owner,
                              ironmap__view view);

/* Gives up what a part of a view shows, `pages`, which are whole, and keeps their addresses. If the
 * system cannot, the pages stay as they are: that is an error, and harms no code that uses them.
 * Where the system has no empty file they read as zeros, and no use is noted. */
int ironmap__give_up_pages(const ironmap__view *pages, const ironmap__mode *mode,
                           ironmap_error *error);

/* Gives up what the reservation's pages hold, so that the next use is noted again. */
void ironmap__reservation_renew(ironmap__reservation *kept);

/* Makes the mapping of a map that is closed a reservation, with all addresses of its view. Its file
 * is not used any more. After a failure it is one all the same, and its pages stay as they are. */
int ironmap__become_reservation(ironmap__mapping *mapping, ironmap_error *error);

#endif /* IRONMAP_RESERVATION_H */
