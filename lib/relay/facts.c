/*
 * What conditions of rules look at: the host's word, the envelope, and once the
 * message is there its header, its parts and the verdicts.
 */
#include "relay/relay_priv.h"

#include <onward/mime_parser.h>
#include <onward/mime_text.h>

enum { PIECE = 16384, ATTACHMENTS_MAX = 1000 };

/* The host's functions are called on the relay's behalf: "not there" is what is
 * known once the message is whole. */
static int otherwise(const struct onward_relay *r)
{
    return r->verifier == NULL ? ONWARD_AGAIN : 0;
}

/* ---- Header ------------------------------------------------------------ */

static int decode(struct onward_relay *r, struct onward_str value,
                  struct onward_str *out)
{
    const struct onward_text_opts opts = {.size = sizeof(opts)};
    struct onward_text *text = NULL;
    struct onward_buf plain;
    int err;

    onward_core__buf_init(&plain, r->ctx,
                          onward_core__limits(r->ctx)->header_bytes);
    err = onward_mime__unfold(&plain, value);
    if (err == 0)
        err = onward_words_decode(
            r->ctx, onward_core__str_trim(onward_core__buf_str(&plain)),
            ONWARD_WORDS_UNSTRUCTURED, &opts, &text);
    if (err == 0)
        err = onward_core__arena_dup(&r->told, onward_text_str(text), out);
    onward_text_free(text);
    onward_core__buf_clear(&plain);
    return err == 0 ? 1 : err;
}

static int header_text(struct onward_relay *r, struct onward_str name,
                       size_t index, struct onward_str *out)
{
    const struct onward_header *h;
    size_t i;

    if (r->verifier == NULL)
        return ONWARD_AGAIN;
    h = onward_verifier_header(r->verifier);
    i = onward_header_first(h, name);
    while (i != ONWARD_HEADER_NONE && index-- > 0)
        i = h->items[i].below;
    return i == ONWARD_HEADER_NONE ? 0
                                   : decode(r, onward_mime__value(h, i), out);
}

/* ---- Parts ------------------------------------------------------------- */

/* Fills the list while the message is parsed. */
struct parts {
    struct onward_relay *r;
    size_t cap;
};

static int keep_part(struct parts *p, const struct onward_mime_part *part)
{
    struct onward_relay *r = p->r;
    struct onward_buf type;
    int err;

    if (part->kind == ONWARD_MIME_MULTIPART ||
        r->attachment_count >= ATTACHMENTS_MAX)
        return 0;
    if (r->attachment_count == p->cap) {
        size_t cap = p->cap == 0 ? 8 : p->cap * 2;
        struct onward_str *more =
            onward_core__arena_array(&r->arena, 2 * cap, sizeof(*more));

        if (more == NULL)
            return ONWARD_ENOMEM;
        if (p->cap != 0)
            memcpy(more, r->attachments,
                   2 * r->attachment_count * sizeof(*more));
        r->attachments = more;
        p->cap = cap;
    }
    onward_core__buf_init(&type, r->ctx, 2048);
    onward_core__buf_add_str(&type, part->type);
    onward_core__buf_add_text(&type, "/");
    err = onward_core__buf_add_str(&type, part->subtype);
    if (err == 0)
        err = onward_core__arena_dup(&r->arena, part->name,
                                     &r->attachments[2 * r->attachment_count]);
    if (err == 0)
        err = onward_core__arena_dup(
            &r->arena, onward_core__buf_str(&type),
            &r->attachments[2 * r->attachment_count + 1]);
    onward_core__buf_clear(&type);
    if (err == 0)
        r->attachment_count++;
    return err == ONWARD_ELIMIT ? 0 : err;
}

static int take_event(void *user, const struct onward_mime_event *event)
{
    return event->kind == ONWARD_MIME_HEADER_END ? keep_part(user, event->part)
                                                 : 0;
}

static int feed(struct onward_relay *r, struct onward_mime_parser *parser)
{
    char *piece = onward_core__alloc(r->ctx, PIECE);
    uint64_t at = 0;
    int err = piece == NULL ? ONWARD_ENOMEM : 0;

    while (err == 0 && at < r->source.len) {
        size_t got = 0;

        err = r->source.read(r->source.user, at, piece, PIECE, &got);
        if (err == 0 && (got == 0 || got > PIECE))
            err = ONWARD_ECALLBACK;
        if (err == 0)
            err = onward_mime_parser_feed(parser, piece, got);
        at += got;
    }
    onward_core__free(r->ctx, piece);
    return err != 0 ? err : onward_mime_parser_finish(parser);
}

/* A source that has to wait cannot be read here: its mail has to, too. */
static int read_parts(struct onward_relay *r)
{
    struct parts parts = {.r = r};
    const struct onward_mime_handler handler = {
        .size = sizeof(handler), .user = &parts, .event = take_event};
    struct onward_mime_parser *parser = NULL;
    int err = onward_mime_parser_new(r->ctx, &handler, NULL, &parser);

    if (err == 0)
        err = feed(r, parser);
    onward_mime_parser_free(parser);
    return err == ONWARD_AGAIN ? ONWARD_ECALLBACK : err;
}

static int attachment(struct onward_relay *r, bool wants_type, size_t index,
                      struct onward_str *out)
{
    if (r->verifier == NULL)
        return ONWARD_AGAIN;
    if (r->attachment_status == ONWARD_AGAIN)
        r->attachment_status = read_parts(r);
    if (r->attachment_status != 0)
        return r->attachment_status;
    for (size_t i = 0; i < r->attachment_count; i++) {
        struct onward_str text = r->attachments[2 * i + wants_type];

        if (text.len == 0 || index-- > 0)
            continue;
        *out = text;
        return 1;
    }
    return 0;
}

/* ---- Verdicts ---------------------------------------------------------- */

/* A pass if there is one, else what the topmost came to; no signature: none
 * (RFC 8601 section 2.7.1). */
static const char *dkim_word(const struct onward_verifier *v)
{
    struct onward_dkim_signature sig = {.size = sizeof(sig)};
    const char *first = "none";

    for (size_t i = 0; onward_verifier_dkim(v, i, &sig) == 0; i++) {
        if (sig.result == ONWARD_DKIM_PASS)
            return "pass";
        if (i == 0)
            first = onward_dkim_result_name((int)sig.result);
    }
    return first;
}

const char *onward_relay__verdict_word(const struct onward_relay *r,
                                       struct onward_str name)
{
    const struct onward_verifier *v = r->verifier;

    if (onward_core__str_eq(name, ONWARD_STR("spf"))) {
        const struct onward_spf_check *spf =
            onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);

        return onward_spf_result_name(
            spf == NULL ? ONWARD_SPF_NONE : onward_spf_check_result(spf));
    }
    if (onward_core__str_eq(name, ONWARD_STR("dkim")))
        return dkim_word(v);
    if (onward_core__str_eq(name, ONWARD_STR("dmarc")))
        return onward_dmarc_result_name(onward_verifier_dmarc_result(v));
    if (onward_core__str_eq(name, ONWARD_STR("arc"))) {
        struct onward_arc_verdict chain = {.size = sizeof(chain)};

        return onward_verifier_arc(v, &chain) == 0
                   ? onward_arc_result_name((int)chain.result)
                   : "none";
    }
    return NULL;
}

/* ---- The table --------------------------------------------------------- */

static int tell_destination(void *user, const char *address, size_t len)
{
    struct onward_relay *r = user;

    return r->facts.destination == NULL
               ? 0
               : r->facts.destination(r->facts.user, address, len);
}

static int tell_text(void *user, size_t fact, const char *name, size_t name_len,
                     size_t index, struct onward_str *out)
{
    struct onward_relay *r = user;
    const char *word;

    switch ((enum onward_ruleset_fact)fact) {
    case ONWARD_RULESET_FACT_SENDER:
        *out = r->reverse_path;
        return index == 0;
    case ONWARD_RULESET_FACT_HEADER:
        return header_text(r, onward_core__str(name, name_len), index, out);
    case ONWARD_RULESET_FACT_ATTACHMENT_NAME:
        return attachment(r, false, index, out);
    case ONWARD_RULESET_FACT_ATTACHMENT_TYPE:
        return attachment(r, true, index, out);
    case ONWARD_RULESET_FACT_VERDICT:
        if (r->verifier == NULL)
            return ONWARD_AGAIN;
        word = onward_relay__verdict_word(r, onward_core__str(name, name_len));
        if (word == NULL || index != 0)
            return 0;
        *out = onward_str_of(word);
        return 1;
    case ONWARD_RULESET_FACT_SIZE:
    case ONWARD_RULESET_FACT_SCORE:
    case ONWARD_RULESET_FACT_TLS:
        break;
    }
    return 0;
}

static int tell_number(void *user, size_t fact, int64_t *out)
{
    struct onward_relay *r = user;
    int ret = ONWARD_AGAIN;

    if (fact == ONWARD_RULESET_FACT_SIZE && r->verifier != NULL) {
        *out = (int64_t)r->source.len;
        return 1;
    }
    if (r->facts.number != NULL)
        ret = r->facts.number(r->facts.user, fact, out);
    return ret == ONWARD_AGAIN ? otherwise(r) : ret;
}

static int tell_client(void *user, struct onward_ip *out)
{
    struct onward_relay *r = user;
    int ret = ONWARD_AGAIN;

    if (r->facts.client != NULL)
        ret = r->facts.client(r->facts.user, out);
    return ret == ONWARD_AGAIN ? otherwise(r) : ret;
}

struct onward_ruleset_facts onward_relay__facts(struct onward_relay *r)
{
    return (struct onward_ruleset_facts){
        .size = sizeof(struct onward_ruleset_facts),
        .user = r,
        .destination = tell_destination,
        .text = tell_text,
        .number = tell_number,
        .client = tell_client,
        .skip_quarantine = r->skips_quarantine};
}
