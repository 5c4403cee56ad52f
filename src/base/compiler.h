/* What the compiler is told about a function or a condition. */
#ifndef IRONMAP_COMPILER_H
#define IRONMAP_COMPILER_H

/* COLD: slow path, out of line and out of the way, so that the fast path stays small. NOINLINE: one
 * of two paths that are as common, so that its registers are not saved for the other. RARE(x) is x,
 * which is seldom true: a loop has no taken jump but its own. */
#ifdef __GNUC__
#define IRONMAP__COLD __attribute__((cold, noinline))
#define IRONMAP__NOINLINE __attribute__((noinline))
#define IRONMAP__RARE(x) __builtin_expect((x), 0)
#else
#define IRONMAP__COLD
#define IRONMAP__NOINLINE
#define IRONMAP__RARE(x) (x)
#endif

#endif /* IRONMAP_COMPILER_H */
