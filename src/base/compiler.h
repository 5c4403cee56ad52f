/* What the compiler is told about a function. */
#ifndef IRONMAP_COMPILER_H
#define IRONMAP_COMPILER_H

/* COLD: slow path, out of line and out of the way, so that the fast path stays small. NOINLINE: one
 * of two paths that are as common, so that its registers are not saved for the other. */
#ifdef __GNUC__
#define IRONMAP__COLD __attribute__((cold, noinline))
#define IRONMAP__NOINLINE __attribute__((noinline))
#else
#define IRONMAP__COLD
#define IRONMAP__NOINLINE
#endif

#endif /* IRONMAP_COMPILER_H */
