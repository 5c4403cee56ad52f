/* The private pages of a copy-on-write view whose addresses are reserved. */
#ifndef IRONMAP_WINDOWS_PRIVATE_PAGES_H
#define IRONMAP_WINDOWS_PRIVATE_PAGES_H

#include "record.h"

/* Saves the private pages of a view into record->saved, as far as there is memory. Does not use the
 * heap. */
void ironmap__private_pages_save(ironmap__record *record);

/* Writes them back into the view, which is mapped again, and discards them. A page whose file page
 * is unavailable stays lost. */
void ironmap__private_pages_restore(ironmap__record *record);

void ironmap__private_pages_discard(ironmap__record *record);

#endif /* IRONMAP_WINDOWS_PRIVATE_PAGES_H */
