/*
 * Project Wycheproof files of the conformance data: parsed once, walked test
 * by test; hexadecimal members as octets.
 */
#ifndef ONWARD_TESTS_KEY_VECTORS_H
#define ONWARD_TESTS_KEY_VECTORS_H

#include "support/support.h"

#include "core/json_shared.h"

struct vectors {
    struct onward_arena arena;
    struct onward_json *root;
    char *text;
};

/* false: the file is not there, and the test is to be skipped. */
bool vectors_open(struct vectors *v, struct t_world *w, const char *name);
void vectors_close(struct vectors *v);
/* A hexadecimal member as octets in the arena. */
struct onward_str vectors_hex(struct vectors *v, const struct onward_json *of,
                              const char *member);
struct onward_str vectors_text(const struct onward_json *of,
                               const char *member);
/* SHA-256 of data. */
void vectors_sha256(struct onward_str data, uint8_t digest[32]);

#endif
