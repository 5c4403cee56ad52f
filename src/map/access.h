/* Copies between two mappings. */
#ifndef IRONMAP_ACCESS_H
#define IRONMAP_ACCESS_H

#include "base/error.h"
#include "fault/mapping.h"

/* Copies `length` bytes from the start of one mapping to the start of another, both guarded. */
int ironmap__copy_between(ironmap__mapping *target, const ironmap__mapping *source, size_t length,
                          ironmap_error *error);

#endif /* IRONMAP_ACCESS_H */
