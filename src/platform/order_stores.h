/* Orders the stores of an access before the loads that follow. */
#ifndef IRONMAP_ORDER_STORES_H
#define IRONMAP_ORDER_STORES_H

#include <stdatomic.h>

/* A guard looks at the number of losses after it has stored. If the processor could look first, a
 * handler on another one might count a loss and replace the page in between, and the store would
 * reach the zeros without a notice.
 *
 * On Arm and others it can. The kernel flushes the TLB by a broadcast (TLBI and DSB), which waits
 * for accesses by the old translation, but stops no processor: Arm ARM, "Ordering and completion of
 * TLB maintenance instructions". So the order needs a fence.
 *
 * On x86 a load that was done early is repeated if its cache line changes before the store ahead of
 * it has retired (Intel SDM 3A, 9.2), and the address of that store is translated by then. So a
 * store by the new translation comes after the flush, which comes after the count. Only the
 * compiler must keep the order. */
#if defined(__x86_64__) || defined(__i386__)
#define IRONMAP__ORDER_STORES() atomic_signal_fence(memory_order_seq_cst)
#else
#define IRONMAP__ORDER_STORES() atomic_thread_fence(memory_order_seq_cst)
#endif

#endif /* IRONMAP_ORDER_STORES_H */
