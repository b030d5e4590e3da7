/*
 * Reports on TLS to those that we deliver to (RFC 8460): what deliveries tell
 * is counted and kept in the store; after midnight each domain's report is
 * signed and put into the spool. A day on which nothing ran is made up for soon
 * after the start.
 *
 * Only by mail, and only signed: who gets one looks for a signature of the
 * domain that it is from (RFC 8460 section 3), so without a key there is none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <zlib.h>

#include "forwarder.h"
#include "host.h"

enum {
    START_S = 60,         /* at the earliest, after the start */
    START_SPREAD_S = 600, /* and spread over so much */
    RECIPIENTS_MAX = 10,
    GZIP = 16 + MAX_WBITS
};

struct tlsreport {
    struct forwarder *fwd;
    struct onward_tlsrpt_collector *collector;
    char contact[320];
    int64_t next_s;

    /* The one under way. */
    uint64_t token; /* 0: none is */
    struct setup *setup;
    struct onward_tlsrpt_report *report;
    char domain[256];
    struct onward_dns_lookup *lookup;
    struct onward_builder *builder;
    struct onward_dkim_signer *signer;
    unsigned char *packed;
};

/* ---- One report -------------------------------------------------------- */

static void clear(struct tlsreport *t)
{
    onward_dns_lookup_free(t->lookup);
    onward_dkim_signer_free(t->signer);
    onward_builder_free(t->builder);
    free(t->packed);
    if (t->setup != NULL)
        setup_free(t->setup);
    t->lookup = NULL;
    t->signer = NULL;
    t->builder = NULL;
    t->packed = NULL;
    t->setup = NULL;
    t->report = NULL;
    t->token = 0;
}

/* what: "tls-report", or why there is none. */
static void end(struct tlsreport *t, int answer, const char *what)
{
    uint64_t token = t->token;

    if (what != NULL) {
        char text[400];

        snprintf(text, sizeof(text), "%s: %s", t->domain, what);
        log_event(t->fwd, "tls-report", text);
    }
    clear(t);
    onward_tlsrpt_collector_answer(t->fwd->desk, token, answer);
}

/* The same report has the same id, also after a crash: one copy. */
static void make_id(const struct tlsreport *t, char id[SPOOL_ID_MAX])
{
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};
    uint8_t digest[16];
    struct sha256_ctx hash;
    char hex[2 * sizeof(digest) + 1];

    onward_tlsrpt_report_facts(t->report, &facts);
    /* Nobody can make a domain that takes another's place. */
    sha256_init(&hash);
    sha256_update(&hash, strlen(t->domain), (const uint8_t *)t->domain);
    sha256_digest(&hash, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    snprintf(id, SPOOL_ID_MAX, "tls-%" PRId64 "-%s", facts.begin_s, hex);
}

static int submit(struct tlsreport *t, const char *content, size_t len)
{
    struct onward_memory_source *memory = NULL;
    struct spool_rcpt rcpts[RECIPIENTS_MAX] = {{.notify = 0}};
    /* A report of broken TLS must not be kept from its way by it (RFC 8460
     * section 3). */
    struct spool_envelope e = {.origin = SPOOL_REPORT,
                               .reverse_path = onward_str_of(t->contact),
                               .log_id = onward_str_of(t->domain),
                               .tls_optional = 1,
                               .body = ONWARD_SMTP_BODY_7BIT,
                               .arrival_s = (int64_t)time(NULL),
                               .rcpts = rcpts,
                               .rcpt_count =
                                   onward_builder_rcpt_count(t->builder)};
    char id[SPOOL_ID_MAX];
    int err;

    for (size_t i = 0; i < e.rcpt_count; i++) {
        struct onward_str address = onward_builder_rcpt_at(t->builder, i);
        const char *at = memrchr(address.data, '@', address.len);

        rcpts[i].address = address;
        rcpts[i].notify = ONWARD_SMTP_NOTIFY_NEVER;
        rcpts[i].domain.data = at + 1;
        rcpts[i].domain.len = address.len - (size_t)(at + 1 - address.data);
    }
    make_id(t, id);
    if (onward_memory_source_new(t->fwd->ctx, content, len, &memory) != 0)
        return -1;
    err = queue_submit_as(t->fwd, id, &e, onward_memory_source_table(memory));
    onward_memory_source_free(memory);
    return err == 0 || errno == EEXIST ? 0 : -1;
}

static char *read_all(const struct onward_source *source, const char *before,
                      size_t before_len, size_t *len)
{
    char *all = malloc(before_len + (size_t)source->len + 1);
    size_t at = 0;

    if (all == NULL)
        return NULL;
    memcpy(all, before, before_len);
    while (at < source->len) {
        size_t got = 0;

        if (source->read(source->user, at, all + before_len + at,
                         (size_t)source->len - at, &got) != 0 ||
            got == 0) {
            free(all);
            return NULL;
        }
        at += got;
    }
    *len = before_len + at;
    return all;
}

static void signed_it(void *user, struct onward_dkim_signer *signer, int status)
{
    struct tlsreport *t = user;
    struct onward_str field = onward_dkim_signer_field(signer);
    const struct onward_source *source = NULL;
    char *content = NULL;
    size_t len = 0;
    int err = status != 0 || onward_builder_source(t->builder, &source) != 0;

    if (err == 0)
        content = read_all(source, field.data, field.len, &len);
    if (content == NULL || submit(t, content, len) != 0)
        end(t, ONWARD_TLSRPT_NOT_NOW, "cannot be signed or kept now");
    else
        end(t, ONWARD_TLSRPT_SENT, "in the spool");
    free(content);
}

static int sign(struct tlsreport *t)
{
    const struct settings *set = &t->setup->settings;
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = t, .done = signed_it};
    const struct onward_dkim_signer_opts o = {
        .size = sizeof(o),
        .domain = onward_str_of(set->seal_domain),
        .selector = onward_str_of(set->seal_selector)};
    const struct onward_source *source;
    size_t len = 0;
    char *message;
    int err = onward_builder_source(t->builder, &source);

    if (err == 0)
        err = onward_dkim_signer_new(t->setup->signer, &o, &host, &t->signer);
    if (err != 0)
        return err;
    message = read_all(source, "", 0, &len);
    if (message == NULL)
        return -1;
    err = onward_dkim_signer_feed(t->signer, message, len);
    free(message);
    return err == 0 ? onward_dkim_signer_finish(t->signer) : err;
}

static int pack(struct tlsreport *t, struct onward_str json, size_t *packed_len)
{
    z_stream z = {0};
    size_t room;
    int err;

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return -1;
    room = deflateBound(&z, json.len);
    t->packed = malloc(room);
    if (t->packed == NULL) {
        deflateEnd(&z);
        return -1;
    }
    /* zlib reads what it is given, and does not say so. */
    z.next_in = (unsigned char *)(uintptr_t)json.data;
    z.avail_in = (unsigned)json.len;
    z.next_out = t->packed;
    z.avail_out = (unsigned)room;
    err = deflate(&z, Z_FINISH);
    *packed_len = z.total_out;
    deflateEnd(&z);
    return err == Z_STREAM_END ? 0 : -1;
}

static int add_recipients(struct tlsreport *t, struct onward_str rua,
                          size_t *count)
{
    struct onward_str uri;
    char mailbox[320];
    int err = 0;

    while (err == 0 && *count < RECIPIENTS_MAX &&
           onward_tlsrpt_rua_next(&rua, &uri) == 1) {
        int len = onward_dmarc_uri_mailbox(t->fwd->ctx, uri, mailbox,
                                           sizeof(mailbox));

        if (len < 0)
            continue; /* https:, or an address that is none */
        err = onward_builder_add_address(
            t->builder, ONWARD_BUILDER_TO, ONWARD_STR(""),
            (struct onward_str){mailbox, (size_t)len});
        (*count)++;
    }
    return err;
}

/* To where the record says: 0, 1 nowhere, or it cannot be made now. */
static int write_mail(struct tlsreport *t, struct onward_str rua)
{
    struct onward_str json, data;
    size_t count = 0, packed_len = 0;
    int err = onward_builder_new(t->fwd->ctx, NULL, &t->builder);

    if (err == 0)
        err = onward_builder_add_address(
            t->builder, ONWARD_BUILDER_FROM,
            onward_str_of(t->setup->settings.hostname),
            onward_str_of(t->contact));
    if (err == 0)
        err = add_recipients(t, rua, &count);
    if (err == 0 && count == 0)
        return 1;
    if (err == 0)
        err = onward_tlsrpt_report_json(t->report, &json);
    if (err == 0)
        err = pack(t, json, &packed_len);
    if (err != 0)
        return -1;
    data = (struct onward_str){(const char *)t->packed, packed_len};
    err = onward_tlsrpt_report_mail(t->report, t->builder, data, 1);
    return err == 0 ? 0 : -1;
}

static void read_record(struct tlsreport *t)
{
    struct onward_tlsrpt_record record = {.size = sizeof(record)};
    struct onward_str texts[32];
    size_t count = onward_dns_lookup_count(t->lookup);
    int ret;

    if (count > sizeof(texts) / sizeof(texts[0]))
        count = sizeof(texts) / sizeof(texts[0]);
    for (size_t i = 0; i < count; i++)
        texts[i] = onward_dns_lookup_data(t->lookup, i);
    if (onward_tlsrpt_records_parse(texts, count, &record, NULL) != 0) {
        end(t, ONWARD_TLSRPT_SENT, NULL); /* wants none */
        return;
    }
    ret = write_mail(t, record.rua);
    if (ret == 1)
        end(t, ONWARD_TLSRPT_SENT, "wanted, but not by mail");
    else if (ret != 0 || sign(t) != 0)
        end(t, ONWARD_TLSRPT_NOT_NOW, "cannot be written now");
}

static void looked_up(void *user, struct onward_dns_lookup *lookup)
{
    struct tlsreport *t = user;

    switch (onward_dns_lookup_status(lookup)) {
    case ONWARD_DNS_STATUS_OK:
        read_record(t);
        break;
    case ONWARD_DNS_STATUS_NODATA:
    case ONWARD_DNS_STATUS_NXDOMAIN:
        end(t, ONWARD_TLSRPT_SENT, NULL);
        break;
    default:
        end(t, ONWARD_TLSRPT_NOT_NOW, "its record cannot be looked up now");
    }
}

static void give(void *user, uint64_t token,
                 struct onward_tlsrpt_report *report)
{
    struct tlsreport *t = user;
    const struct onward_dns_lookup_host host = {
        .size = sizeof(host), .user = t, .done = looked_up};
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};
    char name[300];

    onward_tlsrpt_report_facts(report, &facts);
    t->token = token;
    t->report = report;
    t->setup = setup_ref(t->fwd->setup);
    snprintf(t->domain, sizeof(t->domain), "%.*s", (int)facts.policy_domain.len,
             facts.policy_domain.data);
    snprintf(name, sizeof(name), "_smtp._tls.%s", t->domain);
    if (onward_dns_lookup_new(t->setup->resolver, onward_str_of(name),
                              ONWARD_DNS_TXT, &host, &t->lookup) != 0)
        end(t, ONWARD_TLSRPT_NOT_NOW, "out of memory");
}

/* ---- Counting ---------------------------------------------------------- */

void tlsreport_count(struct forwarder *fwd, struct onward_str domain,
                     const struct onward_tlsrpt_session *session)
{
    if (fwd->tlsreport != NULL)
        onward_tlsrpt_collector_add(fwd->tlsreport->collector, domain, session);
}

/* ---- Life -------------------------------------------------------------- */

static uint32_t number(void)
{
    uint32_t random = 0;

    /* Without one all is well but not spread. */
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return 0;
    return random;
}

int tlsreport_open(struct forwarder *fwd)
{
    const struct settings *set = &fwd->setup->settings;
    struct tlsreport *t;
    int err;

    if (!set->tls_reports || fwd->setup->signer == NULL || !queue_is_open(fwd))
        return 0;
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -1;
    t->fwd = fwd;
    if (set->tls_report_contact != NULL)
        snprintf(t->contact, sizeof(t->contact), "%s", set->tls_report_contact);
    else
        snprintf(t->contact, sizeof(t->contact), "postmaster@%s",
                 set->seal_domain);
    {
        const struct onward_tlsrpt_collector_opts o = {
            .size = sizeof(o),
            .store = fwd->store,
            .organization = onward_str_of(set->hostname),
            .contact = onward_str_of(t->contact)};
        const struct onward_tlsrpt_collector_host host = {
            .size = sizeof(host), .user = t, .report = give};

        err = onward_tlsrpt_collector_new(&o, &host, &t->collector);
    }
    if (err != 0) {
        free(t);
        return -1;
    }
    t->next_s =
        (int64_t)time(NULL) +
        (set->tls_report_at_once ? 0 : START_S + number() % START_SPREAD_S);
    fwd->tlsreport = t;
    return 0;
}

int64_t tlsreport_deadline(const struct forwarder *fwd)
{
    int64_t left_s;

    if (fwd->tlsreport == NULL || fwd->is_draining)
        return ONWARD_NEVER;
    left_s = fwd->tlsreport->next_s - (int64_t)time(NULL);
    return host_now_ms() + (left_s > 0 ? left_s * 1000 : 0);
}

void tlsreport_time(struct forwarder *fwd)
{
    struct tlsreport *t = fwd->tlsreport;
    int64_t now_s = (int64_t)time(NULL);

    if (t == NULL || fwd->is_draining || now_s < t->next_s)
        return;
    t->next_s = onward_tlsrpt_send_time(now_s, number());
    onward_tlsrpt_collector_send(t->collector, now_s);
}

void tlsreport_close(struct forwarder *fwd)
{
    struct tlsreport *t = fwd->tlsreport;

    if (t == NULL)
        return;
    fwd->tlsreport = NULL;
    clear(t);
    /* What was counted since goes to the store; it answers within the turn, or
     * at its end. */
    onward_tlsrpt_collector_save(t->collector);
    for (int i = 0;
         i < 1000 && onward_tlsrpt_collector_unsaved(t->collector) > 0; i++) {
        onward_desk_run(fwd->desk, host_now_ms());
        loop_turn(fwd->loop, 0);
    }
    onward_tlsrpt_collector_free(t->collector);
    free(t);
}
