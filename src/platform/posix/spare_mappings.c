/* Linux refuses every mmap(2) of a process that has more than vm.max_map_count mappings, also one
 * that takes the place of a whole other. So some are kept that are good for nothing else. The first
 * that is given back is enough for all further losses, unless another thread takes it: so there are
 * four. They lie between pages of other protection, since the system makes neighbours that are
 * alike one mapping:
 *
 *     none | SPARE read | none | SPARE read | none | SPARE read | none | SPARE read | none
 */
#include "features.h"

#include "spare_mappings.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "platform/platform.h"

enum { SPARES = 4, REGION_PAGES = 2 * SPARES + 1 };

static _Atomic(uint8_t *) region;   /* NULL: not made yet */
static atomic_bool is_kept[SPARES]; /* page 2n + 1 of the region is a spare */

static uint8_t *spare_of(uint8_t *made, size_t number)
{
    return made + (2 * number + 1) * ironmap__page_size();
}

/* A region with all spares, or NULL: then the process has not that many mappings left, and should
 * have them itself. */
static uint8_t *make_region(void)
{
    size_t page = ironmap__page_size();
    size_t length = REGION_PAGES * page;
    void *made = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) {
        return NULL;
    }
    for (size_t i = 0; i < SPARES; i++) {
        if (mprotect(spare_of(made, i), page, PROT_READ) == -1) {
            (void)munmap(made, length);
            return NULL;
        }
    }
    return made;
}

/* What of an earlier region was given back may be somebody else's by now. */
static void unmap_region(uint8_t *made)
{
    size_t page = ironmap__page_size();
    for (size_t i = 0; i <= SPARES; i++) {
        (void)munmap(made + 2 * i * page, page);
    }
    while (ironmap__spare_mapping_give()) {
    }
}

bool ironmap__mappings_are_scarce(void)
{
    bool all_kept = true;
    for (size_t i = 0; i < SPARES; i++) {
        all_kept = all_kept && atomic_load_explicit(&is_kept[i], memory_order_relaxed);
    }
    return !all_kept;
}

void ironmap__spare_mappings_keep(void)
{
    uint8_t *made = ironmap__mappings_are_scarce() ? make_region() : NULL;
    if (made == NULL) {
        return;
    }
    if (atomic_load(&region) != NULL) {
        unmap_region(atomic_load(&region));
    }
    atomic_store(&region, made);
    for (size_t i = 0; i < SPARES; i++) {
        atomic_store(&is_kept[i], true);
    }
}

bool ironmap__spare_mapping_give(void)
{
    for (size_t i = 0; i < SPARES; i++) {
        bool kept = true;
        if (atomic_compare_exchange_strong(&is_kept[i], &kept, false)) {
            return munmap(spare_of(atomic_load(&region), i), ironmap__page_size()) == 0;
        }
    }
    return false;
}
