/* Changes of shape in progress. While a mapping is suspended the registry has none of its
 * addresses, but code outside the library may still use one that was exported. A handler that finds
 * no mapping looks here if one was suspended meanwhile, and if so the access is retried.
 */
#ifndef IRONMAP_CHANGES_H
#define IRONMAP_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

/* Around the time in which a mapping is suspended. Thread-safe. */
void ironmap__change_begin(void);
void ironmap__change_end(void);

/* Call it before a look at the registry. Async-signal-safe, as the next. */
size_t ironmap__changes_ended(void);

/* True if a mapping was suspended at any moment since `ended` was read. */
bool ironmap__changed_since(size_t ended);

/* In a child of fork, in which no other thread changes a mapping. */
void ironmap__changes_after_fork(void);

#endif /* IRONMAP_CHANGES_H */
