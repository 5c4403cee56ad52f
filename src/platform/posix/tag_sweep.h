/* Removal of the files of tags without users. */
#ifndef IRONMAP_TAG_SWEEP_H
#define IRONMAP_TAG_SWEEP_H

/* Removes all files of the folder that have no users. Not in every call if there are many files. */
void ironmap__tag_sweep(int folder);

#endif /* IRONMAP_TAG_SWEEP_H */
