/*
 * iconv(3) as the host's charsets.
 */
#ifndef ONWARD_TESTS_CHARSETS_H
#define ONWARD_TESTS_CHARSETS_H

#include <errno.h>
#include <iconv.h>

#include <onward/mime_text.h>

#include "support/support.h"

static inline int t_iconv_open(void *user, struct onward_str name, void **state)
{
    char text[64];
    iconv_t cd;

    (void)user;
    assert_true(name.len > 0 && name.len < sizeof(text));
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    cd = iconv_open("UTF-8", text);
    if (cd == (iconv_t)-1)
        return ONWARD_ENOENT;
    *state = cd;
    return 0;
}

static inline int t_iconv_convert(void *user, void *state, const void *in,
                                  size_t len, size_t *taken, void *out,
                                  size_t cap, size_t *put)
{
    char *from = (char *)(uintptr_t)in, *to = out;
    size_t left = len, room = cap, done;

    (void)user;
    done = iconv((iconv_t)state, &from, &left, &to, &room);
    *taken = len - left;
    *put = cap - room;
    return done == (size_t)-1 && errno == EILSEQ ? ONWARD_ESYNTAX : 0;
}

static inline void t_iconv_close(void *user, void *state)
{
    (void)user;
    iconv_close((iconv_t)state);
}

static const struct onward_charsets t_charsets = {
    .size = sizeof(t_charsets),
    .open = t_iconv_open,
    .convert = t_iconv_convert,
    .close = t_iconv_close,
};

#endif
