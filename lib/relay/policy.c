/*
 * Whether the message may go on, and under which sender. What is known from the
 * verifier is decided at once; whether a copy would gain alignment takes DNS.
 */
#include "relay/relay_priv.h"

#include "core/domain_shared.h"
#include "verify/verify_shared.h"

static bool refuse(struct onward_relay *r, enum onward_relay_reason reason,
                   size_t code, struct onward_str enhanced,
                   struct onward_str text)
{
    onward_relay__end(r, reason, code, enhanced, text);
    return false;
}

struct onward_str onward_relay__join(struct onward_relay *r, const char *a,
                                     struct onward_str b, const char *c)
{
    struct onward_str text = b;
    struct onward_buf out;

    onward_core__buf_init(&out, r->ctx, 1024);
    onward_core__buf_add_text(&out, a);
    onward_core__buf_add_str(&out, b);
    if (onward_core__buf_add_text(&out, c) != 0 ||
        onward_core__arena_dup(&r->arena, onward_core__buf_str(&out), &text) !=
            0)
        text = b;
    onward_core__buf_clear(&out);
    return text;
}

/* ---- Authentication ---------------------------------------------------- */

static bool check_header(struct onward_relay *r)
{
    if (r->opts.allow_malformed ||
        !onward_header_is_malformed(onward_verifier_header(r->verifier)))
        return true;
    return refuse(r, ONWARD_RELAY_REASON_MALFORMED, 550, ONWARD_STR("5.6.0"),
                  ONWARD_STR("Message header is malformed"));
}

static bool check_dmarc(struct onward_relay *r)
{
    struct onward_str author = onward_verifier_author_domain(r->verifier);
    struct onward_str text =
        ONWARD_STR("Message must have exactly one author domain in From");

    if (onward_verifier_dmarc_disposition(r->verifier) !=
            ONWARD_DMARC_POLICY_REJECT ||
        r->opts.allow_dmarc_reject)
        return true;
    /* What is not known yet may be what would pass: then the policy cannot be
     * applied (RFC 9989 section 5.3.6). */
    if (author.len != 0 && (onward_verify__is_unsure(r->verifier) ||
                            onward_verify__is_arc_unsure(r->verifier)))
        return refuse(r, ONWARD_RELAY_REASON_DMARC_UNKNOWN, 451,
                      ONWARD_STR("4.7.1"),
                      ONWARD_STR("DMARC cannot be checked now"));
    if (author.len != 0)
        text = onward_relay__join(r, "Rejected as the DMARC policy of ", author,
                                  " asks for");
    return refuse(r, ONWARD_RELAY_REASON_DMARC, 550, ONWARD_STR("5.7.1"), text);
}

/* A host that takes what fails DMARC still wants something to vouch for it. */
static bool is_dmarc_unknown(const struct onward_relay *r)
{
    if (r->opts.allow_dmarc_reject &&
        onward_verifier_is_authenticated(r->verifier))
        return false;
    return onward_verify__is_dmarc_unknown(r->verifier);
}

/* Handlers may look at mail that they cannot forward. Does that go for all of
 * this message? */
static bool block(struct onward_relay *r, enum onward_relay_reason reason)
{
    if (r->event_count == 0 || onward_relay__has_copies(r))
        return false;
    r->block = reason;
    return true;
}

static bool check_authentication(struct onward_relay *r)
{
    if (r->way == ONWARD_RELAY__BOUNCE && r->reverse_path.len == 0)
        return true;
    if (is_dmarc_unknown(r))
        return refuse(r, ONWARD_RELAY_REASON_DMARC_UNKNOWN, 451,
                      ONWARD_STR("4.7.1"),
                      ONWARD_STR("DMARC cannot be checked now"));
    if (onward_verifier_is_authenticated(r->verifier) ||
        r->opts.allow_unauthenticated)
        return true;
    if (onward_verify__is_unsure(r->verifier))
        return refuse(r, ONWARD_RELAY_REASON_AUTH_UNKNOWN, 451,
                      ONWARD_STR("4.7.26"),
                      ONWARD_STR("SPF or DKIM cannot be checked now"));
    if (block(r, ONWARD_RELAY_REASON_UNAUTHENTICATED))
        return true;
    return refuse(r, ONWARD_RELAY_REASON_UNAUTHENTICATED, 550,
                  ONWARD_STR("5.7.26"),
                  ONWARD_STR("Message passes neither SPF nor DKIM"));
}

/* ---- Loops ------------------------------------------------------------- */

static bool is_rcpt(const struct onward_relay *r, struct onward_str text)
{
    for (const struct onward_relay__rcpt *rcpt = r->rcpts; rcpt != NULL;
         rcpt = rcpt->next) {
        if (onward_core__str_ieq(rcpt->text, text))
            return true;
    }
    return false;
}

/* Did we put this Delivered-To on it, for one of these recipients? 1, 0 or
 * ONWARD_ENOMEM. */
static int is_mark(struct onward_relay *r, struct onward_str value)
{
    struct onward_address__mailbox mailbox;
    struct onward_str text = onward_core__str_trim_crlf(value);
    int err = onward_address__parse_mailbox(
        &r->scratch, text, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);

    if (err == 0)
        err = onward_relay__write(r, &r->scratch, &mailbox, &text);
    if (err == ONWARD_ENOMEM)
        return err;
    err = err == 0 && is_rcpt(r, text);
    onward_core__arena_reset(&r->scratch);
    return err;
}

static bool check_loop(struct onward_relay *r)
{
    const struct onward_header *h = onward_verifier_header(r->verifier);
    size_t i = onward_header_first(h, ONWARD_STR("Delivered-To"));
    int ret = 0;

    if (onward_header_count_named(h, ONWARD_STR("Received")) >
        r->opts.max_received)
        return refuse(r, ONWARD_RELAY_REASON_HOPS, 554, ONWARD_STR("5.4.6"),
                      ONWARD_STR("Too many hops"));
    for (; i != ONWARD_HEADER_NONE && ret == 0; i = h->items[i].below)
        ret = is_mark(r, onward_mime__value(h, i));
    if (ret < 0) {
        onward_relay__fail(r, ONWARD_RELAY_REASON_MEMORY);
        return false;
    }
    if (ret == 1)
        return refuse(r, ONWARD_RELAY_REASON_LOOP, 554, ONWARD_STR("5.4.6"),
                      ONWARD_STR("Mail loop: delivered to this address "
                                 "before"));
    return true;
}

/* The parameter beats the field, and a field that is there twice, or says
 * anything else, says nothing (RFC 8689 sections 3 and 4.1). */
static void read_tls_required(struct onward_relay *r)
{
    const struct onward_header *h = onward_verifier_header(r->verifier);
    const struct onward_str name = ONWARD_STR("TLS-Required");
    struct onward_str value;

    if (r->requires_tls || onward_header_count_named(h, name) != 1)
        return;
    value = onward_core__str_trim_crlf(
        onward_mime__value(h, onward_header_first(h, name)));
    r->is_tls_optional = onward_core__str_ieq(value, ONWARD_STR("No"));
}

/* ---- The sender -------------------------------------------------------- */

/* What does not fit is kept by the store. The length, or an error. */
static int keep_sender(struct onward_relay *r, char *out, size_t cap)
{
    int len;

    r->kept = onward_core__arena_alloc(&r->arena, sizeof(*r->kept));
    if (r->kept == NULL)
        return ONWARD_ENOMEM;
    r->kept->size = sizeof(*r->kept);
    len = onward_srs_keep(r->opts.srs, r->reverse_path, r->opts.srs_domain, out,
                          cap, r->kept);
    if (len < 0)
        r->kept = NULL;
    return len;
}

static bool check_sender(struct onward_relay *r)
{
    const struct onward_str none = {0};
    char out[ONWARD_SRS_TEXT_MAX];
    int len;

    if (r->opts.srs == NULL || r->reverse_path.len == 0)
        return true;
    len = onward_srs_forward(r->opts.srs, r->reverse_path, r->opts.srs_domain,
                             out, sizeof(out));
    if (len == ONWARD_ELIMIT || len == ONWARD_ESYNTAX) {
        if (r->opts.srs_overflow != ONWARD_RELAY_OVERFLOW_KEEP) {
            r->sender = r->opts.srs_overflow == ONWARD_RELAY_OVERFLOW_SINK
                            ? r->opts.srs_sink
                            : none;
            return true;
        }
        if (r->opts.store != NULL)
            len = keep_sender(r, out, sizeof(out));
    }
    if (len == ONWARD_ENOMEM) {
        onward_relay__fail(r, ONWARD_RELAY_REASON_MEMORY);
        return false;
    }
    if (len < 0 && block(r, ONWARD_RELAY_REASON_SENDER))
        return true;
    if (len < 0)
        return refuse(r, ONWARD_RELAY_REASON_SENDER, 550, ONWARD_STR("5.1.7"),
                      len == ONWARD_ELIMIT
                          ? ONWARD_STR("Sender is too long to be forwarded")
                          : ONWARD_STR("Sender of this form cannot be "
                                       "forwarded"));
    if (onward_core__arena_dup(&r->arena, onward_core__str(out, (size_t)len),
                               &r->sender) == 0)
        return true;
    onward_relay__fail(r, ONWARD_RELAY_REASON_MEMORY);
    return false;
}

static bool plan(struct onward_relay *r)
{
    if (onward_relay__plan_late(r) == 0)
        return !onward_relay__is_dead(r);
    onward_relay__fail(r, ONWARD_RELAY_REASON_MEMORY);
    return false;
}

bool onward_relay__check(struct onward_relay *r)
{
    if (!check_header(r) || !check_dmarc(r) || !plan(r) ||
        !check_authentication(r) || !check_loop(r) ||
        !onward_relay__check_rules(r) || !check_sender(r))
        return false;
    read_tls_required(r);
    if (onward_relay__set_notice_path(r) == 0)
        return true;
    onward_relay__fail(r, ONWARD_RELAY_REASON_MEMORY);
    return false;
}

/* ---- Alignment of the copy --------------------------------------------- */

/*
 * What the next hop's SPF looks at when the copy comes from us: with the null
 * path it is our EHLO name (RFC 7208 section 2.4).
 */
static struct onward_str spf_domain(const struct onward_relay *r)
{
    size_t at = onward_core__str_rfind(r->sender, '@');

    if (r->sender.len == 0)
        return r->opts.hostname;
    return onward_core__sub(r->sender, at + 1, r->sender.len);
}

/*
 * Names of the same organization have at least their last label in common. The
 * rest takes look-ups.
 */
static bool may_align(const struct onward_relay *r)
{
    struct onward_str author = onward_verifier_author_domain(r->verifier);

    return onward_verifier_dmarc_result(r->verifier) != ONWARD_DMARC_PASS &&
           author.len != 0 &&
           onward_core__str_ieq(
               onward_core__domain_last_labels(author, 1),
               onward_core__domain_last_labels(spf_domain(r), 1));
}

static void checked(void *user, struct onward_dmarc_check *check)
{
    struct onward_relay *r = user;

    (void)check;
    onward_core__task_ready(&r->task);
}

static int begin_check(struct onward_relay *r)
{
    const struct onward_dmarc_opts opts = {
        .size = sizeof(opts),
        .author_domain = onward_verifier_author_domain(r->verifier)};
    const struct onward_dmarc_host host = {
        .size = sizeof(host), .user = r, .done = checked};
    int err = onward_dmarc_check_new(r->opts.resolver, &opts, &host, &r->check);

    if (err == 0)
        err = onward_dmarc_check_add_spf(r->check, spf_domain(r));
    if (err == 0)
        err = onward_dmarc_check_finish(r->check, 0);
    return err;
}

/* A rule that says drop needs no copy. */
static bool drop(struct onward_relay *r)
{
    if (onward_relay__has_work(r))
        return true;
    return refuse(r, ONWARD_RELAY_REASON_DROP, 250, ONWARD_STR("2.0.0"),
                  ONWARD_STR("OK"));
}

bool onward_relay__align(struct onward_relay *r)
{
    int result;

    if (r->check == NULL) {
        if (!onward_relay__has_work(r) || !may_align(r))
            return drop(r);
        if (begin_check(r) == 0)
            return false;
        onward_relay__fail(r, ONWARD_RELAY_REASON_MEMORY);
        return false;
    }
    result = onward_dmarc_check_result(r->check);
    if (result == ONWARD_DMARC_PENDING)
        return false;
    if ((result == ONWARD_DMARC_TEMPERROR || result == ONWARD_DMARC_PASS) &&
        block(r, ONWARD_RELAY_REASON_ALIGNMENT))
        return true;
    if (result == ONWARD_DMARC_TEMPERROR)
        return refuse(r, ONWARD_RELAY_REASON_ALIGNMENT_UNKNOWN, 451,
                      ONWARD_STR("4.7.1"),
                      ONWARD_STR("DMARC cannot be checked now"));
    if (result == ONWARD_DMARC_PASS)
        return refuse(r, ONWARD_RELAY_REASON_ALIGNMENT, 550,
                      ONWARD_STR("5.7.1"),
                      ONWARD_STR("Message fails DMARC here and would pass it "
                                 "after forwarding"));
    return true;
}
