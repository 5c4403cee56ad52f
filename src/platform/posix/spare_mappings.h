/* Mappings that are kept, to be given back where the process may have no more. */
#ifndef IRONMAP_POSIX_SPARE_MAPPINGS_H
#define IRONMAP_POSIX_SPARE_MAPPINGS_H

/* Maps all of them again if one was given back and the process may have them. One thread at a time.
 */
void ironmap__spare_mappings_keep(void);

#endif /* IRONMAP_POSIX_SPARE_MAPPINGS_H */
