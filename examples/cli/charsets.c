#include "charsets.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

static int open_charset(void *user, struct onward_str name, void **state)
{
    char text[64];
    iconv_t made;

    (void)user;
    if (name.len >= sizeof(text))
        return ONWARD_ENOENT;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    /* A slash would be read as options of the conversion. */
    if (strchr(text, '/') != NULL)
        return ONWARD_ENOENT;
    made = iconv_open("UTF-8", text);
    if (made == (iconv_t)-1)
        return errno == EINVAL ? ONWARD_ENOENT : ONWARD_ENOMEM;
    *state = made;
    return 0;
}

static int convert(void *user, void *state, const void *in, size_t len,
                   size_t *taken, void *out, size_t cap, size_t *put)
{
    char *from = (char *)(uintptr_t)in;
    char *to = out;
    size_t left = len;
    size_t room = cap;
    size_t done = iconv((iconv_t)state, &from, &left, &to, &room);

    (void)user;
    *taken = len - left;
    *put = cap - room;
    return done == (size_t)-1 && errno == EILSEQ ? ONWARD_ESYNTAX : 0;
}

static void close_charset(void *user, void *state)
{
    (void)user;
    iconv_close((iconv_t)state);
}

const struct onward_charsets iconv_charsets = {
    .size = sizeof(iconv_charsets),
    .open = open_charset,
    .convert = convert,
    .close = close_charset,
};
