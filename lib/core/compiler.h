/*
 * The one place for what is not C11: attributes and our assertion.
 */
#ifndef ONWARD_CORE_COMPILER_H
#define ONWARD_CORE_COMPILER_H

#if defined(__GNUC__)
#define ONWARD_USE_RESULT __attribute__((warn_unused_result))
#define ONWARD_LIKELY(x) __builtin_expect(!!(x), 1)
#define ONWARD_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Soon read. The empty statement is for gcc, which leaves out calls of functions
 * that do nothing else. */
#define ONWARD_PREFETCH(ptr)                                                   \
    do {                                                                       \
        __builtin_prefetch(ptr);                                               \
        __asm__ volatile("");                                                  \
    } while (0)
#else
#define ONWARD_USE_RESULT
#define ONWARD_LIKELY(x) (x)
#define ONWARD_UNLIKELY(x) (x)
#define ONWARD_PREFETCH(ptr) ((void)(ptr))
#endif

/* What was stored at ptr is looked at here, as far as the compiler knows: it
 * cannot leave the store out. */
#if defined(__GNUC__)
#define ONWARD_KEEP_STORES(ptr) __asm__ volatile("" : : "r"(ptr) : "memory")
#endif

/* The compiler knows nothing any more of the integer x, a mask made of a
 * secret: it cannot turn what is done with it into a branch. */
#if defined(__GNUC__)
#define ONWARD_OPAQUE(x) __asm__("" : "+r"(x))
#else
#define ONWARD_OPAQUE(x) ((void)0)
#endif

/*
 * States what only our own bug can break. Debug and fuzz builds trap there;
 * release builds must stay memory-safe without it.
 */
#if defined(ONWARD_DEBUG) && defined(__GNUC__)
#define ONWARD_ASSERT(x) ((x) ? (void)0 : __builtin_trap())
#else
#define ONWARD_ASSERT(x) ((void)0)
#endif

/* The struct whose member `member` is at ptr. */
#define ONWARD_CONTAINER(ptr, type, member)                                    \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
