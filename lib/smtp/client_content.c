/*
 * Message octets on their way into DATA: line ends checked or repaired, leading
 * dots doubled (RFC 5321 sections 2.3.8 and 4.5.2), and counted for SIZE and
 * BODY. One walker does it both for the look ahead and for the sending, so that
 * the two cannot disagree.
 */
#include "smtp/client_priv.h"

void onward_smtp__content_init(struct onward_smtp__content *c, bool repair)
{
    memset(c, 0, sizeof(*c));
    c->repair = repair;
    c->at_line_start = true;
}

static void put(struct onward_smtp__content *c, const void *data, size_t len,
                struct onward_buf *out)
{
    c->size += len;
    if (out != NULL)
        onward_core__buf_add(out, data, len);
}

static void put_line_end(struct onward_smtp__content *c, struct onward_buf *out)
{
    put(c, "\r\n", 2, out);
    c->at_line_start = true;
    c->after_cr = false;
}

/* A CR or LF on its own: a peer may see a line end there and another not, and
 * between the two a second message is smuggled. */
static int bare(struct onward_smtp__content *c, struct onward_buf *out)
{
    if (!c->repair)
        return ONWARD_ESYNTAX;
    c->has_bare = true;
    put_line_end(c, out);
    return 0;
}

static bool is_8bit(const unsigned char *data, size_t len)
{
    unsigned char all = 0;

    for (size_t i = 0; i < len; i++)
        all |= data[i];
    return all >= 0x80;
}

/* Octets of one line, up to its CR, a bare LF, or the end of what is here. */
static int take_piece(struct onward_smtp__content *c, const unsigned char *data,
                      size_t len, size_t *taken, struct onward_buf *out)
{
    const unsigned char *cr = memchr(data, '\r', len);
    size_t n = cr == NULL ? len : (size_t)(cr - data);
    const unsigned char *lf = memchr(data, '\n', n);

    if (lf != NULL)
        n = (size_t)(lf - data);
    if (n != 0) {
        /* Not counted: SIZE is without the dots that are doubled here (RFC
         * 1870 section 5). */
        if (c->at_line_start && data[0] == '.' && out != NULL)
            onward_core__buf_add_byte(out, '.');
        c->has_8bit = c->has_8bit || is_8bit(data, n);
        put(c, data, n, out);
        c->at_line_start = false;
    }
    *taken = n;
    if (lf != NULL) {
        (*taken)++;
        return bare(c, out);
    }
    if (cr != NULL) {
        (*taken)++;
        c->after_cr = true;
    }
    return 0;
}

int onward_smtp__content_feed(struct onward_smtp__content *c, const void *data,
                              size_t len, struct onward_buf *out)
{
    const unsigned char *octets = data;
    size_t at = 0;
    int err = 0;

    while (at < len && err == 0) {
        size_t taken = 0;

        if (c->after_cr && octets[at] == '\n') {
            put_line_end(c, out);
            taken = 1;
        } else if (c->after_cr) {
            err = bare(c, out);
        } else {
            err = take_piece(c, octets + at, len - at, &taken, out);
        }
        at += taken;
    }
    if (err == 0 && out != NULL)
        err = out->err;
    return err;
}

int onward_smtp__content_finish(struct onward_smtp__content *c,
                                struct onward_buf *out)
{
    if (c->after_cr) {
        int err = bare(c, out);

        if (err != 0)
            return err;
    }
    /* The end mark begins with the CRLF of the last line (RFC 5321 section
     * 4.1.1.4); a message that lacks it gets it. */
    c->lacked_end = !c->at_line_start;
    if (c->lacked_end)
        put_line_end(c, out);
    return out == NULL ? 0 : out->err;
}
