/*
 * What a server offers: its reply to EHLO (RFC 5321 section 4.1.1.1), kept as
 * it came and asked by keyword, so that an extension costs code only where it
 * is used.
 */
#include "smtp/client_priv.h"

#include "core/text_shared.h"

/* ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-"), then SP or the end.
 * "AUTH=LOGIN", of servers older than RFC 4954, is no keyword. */
static size_t keyword_len(struct onward_str line)
{
    size_t n = 0;

    while (n < line.len &&
           (onward_ascii_is_alnum((unsigned char)line.data[n]) ||
            (n != 0 && line.data[n] == '-')))
        n++;
    return n == line.len || line.data[n] == ' ' ? n : 0;
}

static struct onward_str params_of(struct onward_str line, size_t keyword)
{
    return onward_core__str_trim(onward_core__sub(line, keyword, line.len));
}

/* Take the next line off the text; false: there is none. */
static bool next_line(struct onward_str *text, struct onward_str *line)
{
    size_t end = onward_core__str_find(*text, '\n');

    if (text->len == 0)
        return false;
    *line = onward_core__sub(*text, 0, end);
    *text = onward_core__sub(*text, end + 1, text->len);
    return true;
}

void onward_smtp__offers_init(struct onward_smtp__offers *offers,
                              struct onward_ctx *ctx, size_t max)
{
    memset(offers, 0, sizeof(*offers));
    onward_core__buf_init(&offers->lines, ctx, max);
}

void onward_smtp__offers_forget(struct onward_smtp__offers *offers)
{
    onward_core__buf_clear(&offers->lines);
    offers->set = 0;
    offers->max_size = 0;
    offers->limits = (struct onward_smtp__limits){.mails = 0};
}

int onward_smtp__offers_take(struct onward_smtp__offers *offers,
                             struct onward_str text)
{
    struct onward_str line, rest = text;
    int err;

    onward_smtp__offers_forget(offers);
    /* The first line is the server's name and greeting. */
    if (!next_line(&rest, &line))
        return 0;
    err = onward_core__buf_add_str(&offers->lines, rest);
    while (err == 0 && next_line(&rest, &line)) {
        size_t n = keyword_len(line);
        uint64_t bit = onward_smtp__extension_of(onward_core__sub(line, 0, n));

        offers->set |= bit;
        /* Without a number, or with 0, there is no fixed maximum (RFC 1870
         * section 3). Neither with what is no number: MAIL will tell. */
        if (bit == ONWARD_SMTP_EXT_SIZE &&
            onward_core__parse_u64(params_of(line, n), 20, &offers->max_size) <
                0)
            offers->max_size = 0;
        if (bit == ONWARD_SMTP_EXT_LIMITS)
            onward_smtp__limits_read(&offers->limits, params_of(line, n));
    }
    return err;
}

bool onward_smtp__offers_find(const struct onward_smtp__offers *offers,
                              struct onward_str keyword,
                              struct onward_str *params)
{
    struct onward_str rest = onward_core__buf_str(&offers->lines);
    struct onward_str line;

    while (next_line(&rest, &line)) {
        size_t n = keyword_len(line);

        if (n != 0 &&
            onward_core__str_ieq(onward_core__sub(line, 0, n), keyword)) {
            *params = params_of(line, n);
            return true;
        }
    }
    return false;
}
