/*
 * A message as one JSON text: the envelope, the message itself, its header, its
 * bodies, the verdict.
 */
#include "webhook/webhook_priv.h"

#include <nettle/sha2.h>

#include <onward/address.h>
#include <onward/mime_text.h>

#include "core/text_shared.h"

enum { DEFAULT_BYTES = 268435456, ID_LEN = 36 };

_Static_assert(offsetof(struct onward_webhook_facts, max_bytes) +
                       sizeof(size_t) ==
                   sizeof(struct onward_webhook_facts),
               "no tail padding");

struct onward_webhook {
    struct onward_ctx *ctx;
    struct onward_buf body;
    char id[ID_LEN + 1];
};

struct writer {
    struct onward_ctx *ctx;
    struct onward_json_writer json;
    const struct onward_webhook_facts *facts;
    struct onward_header *header;
};

/* ---- Texts ------------------------------------------------------------- */

void onward_webhook__write_or_null(struct onward_json_writer *w,
                                   struct onward_str value)
{
    if (value.len == 0)
        onward_json__null(w);
    else
        onward_json__string(w, value);
}

int onward_webhook__write_text(struct onward_ctx *ctx,
                               struct onward_json_writer *w,
                               struct onward_str value, int place)
{
    struct onward_text *text = NULL;
    int err = onward_words_decode(ctx, value, place, NULL, &text);

    /* As it is, where decoding would make too much of it. */
    onward_webhook__write_or_null(
        w,
        onward_core__str_trim_crlf(err == 0 ? onward_text_str(text) : value));
    onward_text_free(text);
    return err == ONWARD_ENOMEM ? err : 0;
}

static int put_text(struct writer *w, const char *key, struct onward_str value)
{
    onward_json__key(&w->json, key);
    return onward_webhook__write_text(w->ctx, &w->json, value,
                                      ONWARD_WORDS_UNSTRUCTURED);
}

static void put_str(struct writer *w, const char *key, struct onward_str value)
{
    onward_json__key(&w->json, key);
    onward_json__string(&w->json, value);
}

static void put_word(struct writer *w, const char *key, const char *word)
{
    onward_json__key(&w->json, key);
    onward_json__text(&w->json, word);
}

/* ---- The envelope ------------------------------------------------------ */

static void put_envelope(struct writer *w)
{
    const struct onward_webhook_facts *f = w->facts;
    char ip[ONWARD_IP_TEXT_MAX];

    onward_json__key(&w->json, "envelope");
    onward_json__open_object(&w->json);
    put_str(w, "from", f->from);
    put_str(w, "to", f->to);
    onward_json__close_object(&w->json);
    onward_json__key(&w->json, "client");
    onward_json__open_object(&w->json);
    onward_json__key(&w->json, "ip");
    if (f->client_ip != NULL &&
        onward_ip_format(f->client_ip, ip, sizeof(ip)) > 0)
        onward_json__text(&w->json, ip);
    else
        onward_json__null(&w->json);
    onward_json__key(&w->json, "helo");
    onward_webhook__write_or_null(&w->json, f->helo);
    onward_json__close_object(&w->json);
}

static int put_time(struct writer *w)
{
    struct onward_buf time;
    int err;

    onward_core__buf_init(&time, w->ctx, 64);
    err = onward_core__date_rfc3339(&time, onward_core__now_s(w->ctx));
    if (err == 0)
        put_str(w, "time", onward_core__buf_str(&time));
    onward_core__buf_clear(&time);
    return err;
}

/* ---- The header -------------------------------------------------------- */

static struct onward_str field(const struct writer *w, const char *name)
{
    size_t i = onward_header_first(w->header, onward_str_of(name));

    return i == ONWARD_HEADER_NONE ? onward_core__str(NULL, 0)
                                   : onward_header_value(w->header, i);
}

static int put_fields(struct writer *w)
{
    int err = 0;

    onward_json__key(&w->json, "headers");
    onward_json__open_array(&w->json);
    for (size_t i = 0; i < onward_header_count(w->header) && err == 0; i++) {
        struct onward_str name = onward_header_name(w->header, i);

        if (name.len == 0)
            continue;
        onward_json__open_object(&w->json);
        put_str(w, "name", name);
        err = put_text(w, "value", onward_header_value(w->header, i));
        onward_json__close_object(&w->json);
    }
    onward_json__close_array(&w->json);
    return err;
}

static int put_mailbox(struct writer *w, const struct onward_address_list *list,
                       size_t i)
{
    int err;

    onward_json__open_object(&w->json);
    onward_json__key(&w->json, "name");
    err = onward_webhook__write_text(w->ctx, &w->json,
                                     onward_address_list_display_name(list, i),
                                     ONWARD_WORDS_NAME);
    put_str(w, "address",
            onward_mailbox_text(onward_address_list_mailbox(list, i)));
    onward_json__close_object(&w->json);
    return err;
}

/* What is no list of addresses is an empty one. */
static int put_addresses(struct writer *w, const char *key, const char *name)
{
    struct onward_address_list *list = NULL;
    int err = onward_address_list_parse(w->ctx, field(w, name), NULL, &list);

    if (err != 0 && err != ONWARD_ELIMIT)
        return err;
    err = 0;
    onward_json__key(&w->json, key);
    onward_json__open_array(&w->json);
    for (size_t i = 0;
         list != NULL && err == 0 && i < onward_address_list_count(list); i++)
        err = put_mailbox(w, list, i);
    onward_json__close_array(&w->json);
    onward_address_list_free(list);
    return err;
}

static int put_header(struct writer *w)
{
    static const char *const texts[][2] = {{"messageId", "Message-ID"},
                                           {"inReplyTo", "In-Reply-To"},
                                           {"references", "References"},
                                           {"date", "Date"},
                                           {"subject", "Subject"}};
    static const char *const lists[][2] = {
        {"from", "From"}, {"replyTo", "Reply-To"}, {"to", "To"}, {"cc", "Cc"}};
    int err = put_fields(w);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && err == 0; i++)
        err = put_text(w, texts[i][0], field(w, texts[i][1]));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && err == 0; i++)
        err = put_addresses(w, lists[i][0], lists[i][1]);
    return err;
}

static int read_header(struct writer *w)
{
    size_t taken;
    int ret = onward_header_new(w->ctx, &w->header);

    if (ret == 0)
        ret = onward_header_feed(w->header, w->facts->message.data,
                                 w->facts->message.len, &taken);
    if (ret >= 0)
        ret = onward_header_finish(w->header);
    return ret < 0 ? ret : 0;
}

/* ---- The verdict ------------------------------------------------------- */

static void put_dkim(struct writer *w, const struct onward_verifier *v)
{
    onward_json__key(&w->json, "dkim");
    onward_json__open_array(&w->json);
    for (size_t i = 0; i < onward_verifier_dkim_count(v); i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_verifier_dkim(v, i, &s) != 0)
            continue;
        onward_json__open_object(&w->json);
        put_word(w, "result", onward_dkim_result_name((int)s.result));
        put_str(w, "domain", s.domain_ascii);
        put_str(w, "selector", s.selector);
        onward_json__close_object(&w->json);
    }
    onward_json__close_array(&w->json);
}

static void put_verdict(struct writer *w)
{
    const struct onward_verifier *v = w->facts->verifier;
    struct onward_arc_verdict arc = {.size = sizeof(arc)};
    const struct onward_spf_check *spf;

    onward_json__key(&w->json, "verdict");
    if (v == NULL || !onward_verifier_is_done(v)) {
        onward_json__null(&w->json);
        return;
    }
    onward_json__open_object(&w->json);
    spf = onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);
    put_word(w, "spf",
             spf == NULL
                 ? "none"
                 : onward_spf_result_name(onward_spf_check_result(spf)));
    put_dkim(w, v);
    put_word(w, "arc",
             onward_verifier_arc(v, &arc) == 0
                 ? onward_arc_result_name((int)arc.result)
                 : "none");
    put_word(w, "dmarc",
             onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    onward_json__key(&w->json, "authorDomain");
    onward_webhook__write_or_null(&w->json, onward_verifier_author_domain(v));
    onward_json__key(&w->json, "authenticated");
    onward_json__bool(&w->json, onward_verifier_is_authenticated(v) == 1);
    onward_json__close_object(&w->json);
}

/* ---- The whole --------------------------------------------------------- */

static void hash_text(struct sha256_ctx *sha, struct onward_str s)
{
    uint8_t octets[8];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)((uint64_t)s.len >> (8 * i));
    sha256_update(sha, sizeof(octets), octets);
    if (s.len != 0)
        sha256_update(sha, s.len, (const uint8_t *)s.data);
}

static void make_id(struct onward_webhook *hook,
                    const struct onward_webhook_facts *f)
{
    static const char digits[] = "0123456789abcdef";
    struct onward_str what = f->verifier == NULL
                                 ? onward_core__str(NULL, 0)
                                 : onward_verifier_fingerprint(f->verifier);
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha;

    sha256_init(&sha);
    hash_text(&sha, what.len > 0 ? what : f->message);
    hash_text(&sha, f->from);
    hash_text(&sha, f->to);
    hash_text(&sha, f->hook);
    sha256_digest(&sha, sizeof(digest), digest);
    memcpy(hook->id, "msg_", 4);
    for (size_t i = 0; i < 16; i++) {
        hook->id[4 + 2 * i] = digits[digest[i] >> 4];
        hook->id[5 + 2 * i] = digits[digest[i] & 15];
    }
}

static int write_all(struct onward_webhook *hook, struct writer *w)
{
    const struct onward_webhook_facts *f = w->facts;
    int err = read_header(w);

    if (err != 0)
        return err;
    onward_json__open_object(&w->json);
    onward_json__key(&w->json, "version");
    onward_json__number(&w->json, 1);
    put_word(w, "id", hook->id);
    put_str(w, "hook", f->hook);
    err = put_time(w);
    put_envelope(w);
    onward_json__key(&w->json, "rawSize");
    onward_json__number(&w->json, (int64_t)f->message.len);
    onward_json__key(&w->json, "raw");
    onward_json__base64(&w->json, f->message);
    if (err == 0)
        err = put_header(w);
    if (err == 0)
        err = onward_webhook__write_parts(w->ctx, &w->json, f->message);
    put_verdict(w);
    onward_json__key(&w->json, "canBeForwarded");
    onward_json__bool(&w->json, f->can_be_forwarded == 1);
    onward_json__close_object(&w->json);
    return err != 0 ? err : hook->body.err;
}

int onward_webhook_new(struct onward_ctx *ctx,
                       const struct onward_webhook_facts *facts,
                       struct onward_webhook **out)
{
    struct onward_webhook_facts f;
    struct onward_webhook *hook;
    struct writer w = {.ctx = ctx};
    int err;

    if (ctx == NULL || facts == NULL || out == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&f, sizeof(f), facts);
    if (err < 0)
        return err;
    if (f.message.len == 0)
        return ONWARD_EINVAL;
    hook = onward_core__zalloc(ctx, sizeof(*hook));
    if (hook == NULL)
        return ONWARD_ENOMEM;
    hook->ctx = onward_ctx_ref(ctx);
    onward_core__buf_init(&hook->body, ctx,
                          onward_core__limit(f.max_bytes, DEFAULT_BYTES));
    make_id(hook, &f);
    w.facts = &f;
    w.json.out = &hook->body;
    err = write_all(hook, &w);
    onward_header_free(w.header);
    if (err != 0) {
        onward_webhook_free(hook);
        return err;
    }
    *out = hook;
    return 0;
}

void onward_webhook_free(struct onward_webhook *hook)
{
    struct onward_ctx *ctx;

    if (hook == NULL)
        return;
    ctx = hook->ctx;
    onward_core__buf_clear(&hook->body);
    onward_core__free(ctx, hook);
    onward_ctx_free(ctx);
}

struct onward_str onward_webhook_body(const struct onward_webhook *hook)
{
    return onward_core__buf_str(&hook->body);
}

struct onward_str onward_webhook_id(const struct onward_webhook *hook)
{
    return onward_str_of(hook->id);
}
