/*
 * Reverse aliases. A message to an address of ours that passes DMARC is
 * forwarded with an alias of its author in From: what stands behind it, our
 * address and the author's, is in the store before the copy leaves. The
 * signature of the author's domain breaks by that, so our own is required.
 *
 * Mail to the alias goes to that author, with our address in From, when who
 * wrote it is proven to be one of those that our address forwards to today; so
 * nobody else can write through us, and nobody for longer than the rules say.
 * Fields that could show whose mailbox it was written in are left out. The body
 * is not changed.
 */
#define _GNU_SOURCE
#include "reverse.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dkim.h"
#include "queue.h"

enum { HOPS_MAX = 100, NAME_MAX_LEN = 200 };
enum { LIFE_S = 365 * 86400 }; /* from the last message of its author */

struct reverse {
    struct session *session;
    bool is_answer;
    struct onward_store_query *query;
    char key[64];
    size_t key_len;
    /* Of a copy: what stands in its From. Of an answer: what it was sent to. */
    char alias[ONWARD_TOKEN_ADDRESS_MAX];
    char contact[ONWARD_TOKEN_ADDRESS_MAX];
    char owner[ONWARD_TOKEN_ADDRESS_MAX];  /* ours */
    char author[ONWARD_TOKEN_ADDRESS_MAX]; /* of an answer */
    const struct onward_source *source;
    struct onward_edit *edit;
    struct dkim_signed out;
    struct onward_dkim_signer *signer;
};

static bool copy_str(char *to, size_t cap, struct onward_str from)
{
    if (from.len >= cap)
        return false;
    if (from.len > 0)
        memcpy(to, from.data, from.len);
    to[from.len] = '\0';
    return true;
}

static struct onward_str domain_of(struct onward_str address)
{
    size_t at = address.len;

    while (at > 0 && address.data[at - 1] != '@')
        at--;
    return (struct onward_str){address.data + at, address.len - at};
}

static bool is_equal(struct onward_str a, struct onward_str b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static bool is_listed(const struct setup *setup, struct onward_str domain)
{
    const struct config_list *list = &setup->settings.reverse_aliases;

    for (size_t i = 0; i < list->count; i++) {
        if (is_equal(onward_str_of(list->items[i]), domain))
            return true;
    }
    return false;
}

static struct reverse *new_reverse(struct session *session)
{
    struct reverse *r = calloc(1, sizeof(*r));

    if (r != NULL)
        r->session = session;
    return r;
}

void reverse_free(struct reverse *r)
{
    if (r == NULL)
        return;
    onward_store_query_free(r->query);
    onward_dkim_signer_free(r->signer);
    onward_edit_free(r->edit);
    free(r);
}

static void answer(struct reverse *r, size_t code, const char *enhanced,
                   const char *text)
{
    session_answer(r->session, code, enhanced, text);
}

/* ---- The author -------------------------------------------------------- */

/* The one mailbox of a field that stands once; false: there is none such. name:
 * the display name as written; borrowed from *list. */
static bool read_mailbox(struct onward_ctx *ctx,
                         const struct onward_header *header, const char *name,
                         struct onward_address_list **list,
                         const struct onward_mailbox **mailbox)
{
    size_t i = onward_header_first(header, onward_str_of(name));

    if (i == ONWARD_HEADER_NONE ||
        onward_header_count_named(header, onward_str_of(name)) != 1 ||
        onward_address_list_parse(ctx, onward_header_value(header, i), NULL,
                                  list) != 0)
        return false;
    *mailbox = onward_address_list_count(*list) == 1
                   ? onward_address_list_mailbox(*list, 0)
                   : NULL;
    if (*mailbox != NULL)
        return true;
    onward_address_list_free(*list);
    *list = NULL;
    return false;
}

/* Has the domain in From vouched for it? 1, 0, or -1: not known now. Without a
 * DMARC record its own SPF or DKIM has to say so. */
static int is_proven(const struct onward_verifier *v)
{
    struct onward_str author = onward_verifier_author_domain(v);
    struct onward_dkim_signature sig = {.size = sizeof(sig)};
    const struct onward_spf_check *spf =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);

    switch (onward_verifier_dmarc_result(v)) {
    case ONWARD_DMARC_PASS:
        return 1;
    case ONWARD_DMARC_TEMPERROR:
        return -1;
    case ONWARD_DMARC_NONE:
        break;
    default:
        return 0;
    }
    if (author.len == 0)
        return 0;
    if (spf != NULL && onward_spf_check_result(spf) == ONWARD_SPF_PASS &&
        is_equal(onward_spf_check_domain(spf), author))
        return 1;
    for (size_t i = 0; onward_verifier_dkim(v, i, &sig) == 0; i++) {
        if (sig.result == ONWARD_DKIM_PASS && !sig.is_test &&
            is_equal(sig.domain_ascii, author))
            return 1;
    }
    return 0;
}

/* ---- A copy ------------------------------------------------------------ */

/* Who is to be answered: Reply-To, else From. */
static bool find_contact(struct reverse *r, const struct onward_header *header)
{
    struct onward_ctx *ctx = session_forwarder(r->session)->ctx;
    struct onward_address_list *list = NULL;
    const struct onward_mailbox *mailbox;
    bool is_good = read_mailbox(ctx, header, "Reply-To", &list, &mailbox) ||
                   read_mailbox(ctx, header, "From", &list, &mailbox);

    is_good =
        is_good && !onward_mailbox_is_utf8(mailbox) &&
        copy_str(r->contact, sizeof(r->contact), onward_mailbox_text(mailbox));
    onward_address_list_free(list);
    return is_good;
}

static void kept(void *user, struct onward_store_query *query, int status)
{
    struct reverse *r = user;

    (void)query;
    /* It must not leave with an address that leads nowhere, nor without one: an
     * answer would show what the reader does not want to show. */
    if (status == 1)
        session_go_on(r->session);
    else
        answer(r, 451, "4.3.0", "the message cannot be forwarded now");
}

static int keep(struct reverse *r)
{
    struct forwarder *fwd = session_forwarder(r->session);
    const struct setup *setup = session_setup(r->session);
    const struct onward_store_query_host host = {
        .size = sizeof(host), .user = r, .done = kept};
    struct onward_token_alias a = {.size = sizeof(a)};
    struct onward_str owner = onward_str_of(r->owner);
    int len = onward_token_alias_make(
        setup->minter, owner, onward_str_of(r->contact), domain_of(owner),
        r->alias, sizeof(r->alias), &a);

    if (len < 0)
        return len == ONWARD_ESYNTAX ? 0 : -1;
    /* Anybody can make many of them, so they may be forgotten: a store that is
     * full must have room for the ledger first. */
    return onward_store_put(fwd->store, (struct onward_str){a.key, a.key_len},
                            (struct onward_str){a.value, a.value_len},
                            (int64_t)time(NULL) + LIFE_S, 0, &host,
                            &r->query) == 0
               ? 1
               : -1;
}

/* Mail to one address that rules forward, and nothing else, and that DMARC
 * passes: what others forge is not shown with an address of ours. */
static bool is_for_it(struct session *session, struct onward_relay_rcpt *rcpt)
{
    const struct message_log facts = session_facts(session, NULL);
    const struct setup *setup = session_setup(session);

    return setup->minter != NULL && queue_is_open(session_forwarder(session)) &&
           onward_relay_rcpt_count(facts.relay) == 1 &&
           onward_relay_rcpt_at(facts.relay, 0, rcpt) == 0 &&
           is_listed(setup, domain_of(rcpt->address)) &&
           onward_relay_delivery_count(facts.relay) > 0 &&
           onward_relay_event_count(facts.relay) == 0 &&
           onward_smtp_server_mail_address(facts.server).len > 0 &&
           onward_header_count_named(onward_verifier_header(facts.verifier),
                                     ONWARD_STR("From")) == 1 &&
           onward_verifier_dmarc_result(facts.verifier) == ONWARD_DMARC_PASS;
}

int reverse_begin(struct session *session, struct reverse **reverse)
{
    struct onward_relay_rcpt rcpt = {.size = sizeof(rcpt)};
    const struct message_log facts = session_facts(session, NULL);
    struct reverse *r;
    int ret = 0;

    if (!is_for_it(session, &rcpt))
        return 0;
    r = new_reverse(session);
    if (r == NULL)
        return -1;
    if (copy_str(r->owner, sizeof(r->owner), rcpt.address) &&
        find_contact(r, onward_verifier_header(facts.verifier)))
        ret = keep(r);
    if (ret == 1)
        *reverse = r;
    else
        reverse_free(r);
    return ret;
}

/* `Ann <ra-...@ours>`: the name as it was written; without one the address. */
static void write_from(const struct reverse *r, struct onward_str name,
                       char *out, size_t cap)
{
    size_t len;

    if (name.len > 0 && name.len <= NAME_MAX_LEN) {
        snprintf(out, cap, "%.*s <%s>", (int)name.len, name.data, r->alias);
        return;
    }
    snprintf(out, cap, "\"%s\" <%s>", r->contact, r->alias);
    len = strlen(r->contact);
    /* A quoted local part would end ours. */
    for (size_t i = 1; i <= len; i++) {
        if (out[i] == '"' || out[i] == '\\')
            out[i] = '\'';
    }
}

static int cut_all(struct onward_edit *edit, const struct onward_header *header,
                   const char *name)
{
    size_t i = onward_header_first(header, onward_str_of(name));
    int err = 0;

    for (; i != ONWARD_HEADER_NONE && err == 0;
         i = onward_header_below(header, i))
        err = onward_edit_cut(edit, i);
    return err;
}

int reverse_edit(struct reverse *r, struct onward_relay *relay)
{
    struct forwarder *fwd = session_forwarder(r->session);
    const struct onward_header *header =
        onward_verifier_header(session_facts(r->session, NULL).verifier);
    struct onward_edit *edit = onward_relay_edit(relay);
    struct onward_address_list *list = NULL;
    const struct onward_mailbox *mailbox = NULL;
    char from[NAME_MAX_LEN + 2 * ONWARD_TOKEN_ADDRESS_MAX];
    int err = -1;

    if (edit != NULL &&
        read_mailbox(fwd->ctx, header, "From", &list, &mailbox)) {
        write_from(r, onward_address_list_display_name(list, 0), from,
                   sizeof(from));
        err = onward_edit_replace(
            edit, onward_header_first(header, ONWARD_STR("From")),
            onward_str_of(from));
        if (err == 0)
            err = onward_edit_add(edit, ONWARD_STR("X-Original-From"),
                                  onward_mailbox_text(mailbox));
    }
    if (err == 0)
        err = cut_all(edit, header, "Reply-To");
    if (err == 0)
        err = cut_all(edit, header, "Sender");
    onward_address_list_free(list);
    return err == 0 ? 0 : -1;
}

/* ---- An answer: RCPT --------------------------------------------------- */

static int refuse(struct onward_smtp_reply *reply, size_t code,
                  const char *enhanced, const char *text)
{
    reply->code = code;
    reply->enhanced = onward_str_of(enhanced);
    reply->text = onward_str_of(text);
    return code < 300;
}

int reverse_rcpt(struct session *session, struct reverse **reverse,
                 struct onward_str address, struct onward_smtp_reply *reply)
{
    const struct message_log facts = session_facts(session, NULL);
    const struct setup *setup = session_setup(session);
    char key[ONWARD_TOKEN_ADDRESS_MAX];
    int verdict = ONWARD_TOKEN_MALFORMED;
    struct reverse *r;
    int len = 0;

    if (setup->minter != NULL && is_listed(setup, domain_of(address)))
        len = onward_token_alias_key(setup->minter, address, key, sizeof(key),
                                     &verdict);
    if (*reverse != NULL ||
        (verdict == ONWARD_TOKEN_OK && facts.relay != NULL &&
         onward_relay_rcpt_count(facts.relay) > 0))
        return refuse(reply, 452, "4.5.3",
                      "Other destination: send this recipient in a transaction "
                      "of its own");
    if (verdict != ONWARD_TOKEN_OK)
        return -1;
    if (onward_smtp_server_mail_address(facts.server).len == 0)
        return refuse(reply, 550, "5.7.1", "Only people write to this address");
    r = new_reverse(session);
    if (r == NULL || len < 0 || (size_t)len >= sizeof(r->key) ||
        !copy_str(r->alias, sizeof(r->alias), address)) {
        free(r);
        return refuse(reply, 451, "4.3.0", "Local error, try again later");
    }
    memcpy(r->key, key, (size_t)len);
    r->key_len = (size_t)len;
    r->is_answer = true;
    *reverse = r;
    return refuse(reply, 250, "2.1.5", "Recipient OK");
}

bool reverse_is_answer(const struct reverse *r)
{
    return r != NULL && r->is_answer;
}

/* ---- An answer: who may send it ---------------------------------------- */

static int no_delivery(void *user, uint64_t token, struct onward_relay *relay,
                       size_t index)
{
    (void)user;
    (void)token;
    (void)relay;
    (void)index;
    return -1;
}

static void never(void *user, struct onward_relay *relay)
{
    (void)user;
    (void)relay;
}

/* Does mail to our address go to its author, by the rules of now? */
static bool is_destination(const struct reverse *r)
{
    struct forwarder *fwd = session_forwarder(r->session);
    const struct settings *set = &fwd->setup->settings;
    const struct onward_relay_host host = {
        .size = sizeof(host), .deliver = no_delivery, .done = never};
    const struct onward_ruleset_facts facts = {
        .size = sizeof(facts), .user = fwd, .destination = storage_destination};
    const struct onward_relay_opts o = {
        .size = sizeof(o),
        .resolver = fwd->setup->resolver,
        .ruleset = fwd->setup->ruleset,
        .facts = &facts,
        .hostname = onward_str_of(set->hostname),
        .authserv_id = onward_str_of(set->hostname)};
    const struct onward_relay_envelope envelope = {
        .size = sizeof(envelope), .reverse_path = onward_str_of(r->contact)};
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    struct onward_relay *relay = NULL;
    bool is_there = false;

    if (onward_relay_new(fwd->desk, &o, &envelope, &host, &relay) != 0)
        return false;
    if (onward_relay_rcpt(relay, onward_str_of(r->owner), &reply) == 1) {
        for (size_t i = 0; onward_relay_delivery_at(relay, i, &d) == 0; i++)
            is_there |= is_equal(d.recipient, onward_str_of(r->author));
    }
    onward_relay_free(relay);
    return is_there;
}

/* ---- An answer: as it leaves ------------------------------------------- */

/* What says nothing of the mailbox that it was written in. */
static bool may_stay(struct onward_str name)
{
    static const char *const names[] = {"Subject",
                                        "Date",
                                        "Message-ID",
                                        "In-Reply-To",
                                        "References",
                                        "MIME-Version",
                                        "Auto-Submitted",
                                        "Importance",
                                        "Content-Type",
                                        "Content-Language",
                                        "Content-Transfer-Encoding",
                                        "Content-Disposition"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_equal(name, onward_str_of(names[i])))
            return true;
    }
    return false;
}

static int add_received(struct reverse *r)
{
    const struct message_log facts = session_facts(r->session, NULL);
    const time_t now = time(NULL);
    char date[64], text[500];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    snprintf(text, sizeof(text), "by %s id %s;\r\n\t%s",
             session_setup(r->session)->settings.hostname, facts.id, date);
    return onward_edit_add(r->edit, ONWARD_STR("Received"),
                           onward_str_of(text));
}

static int rewrite(struct reverse *r, const struct onward_header *header)
{
    const struct onward_edit_opts opts = {.size = sizeof(opts)};
    struct onward_ctx *ctx = session_forwarder(r->session)->ctx;
    int err = onward_edit_new(ctx, r->source, header, &opts, &r->edit);

    for (size_t i = 0; err == 0 && i < onward_header_count(header); i++) {
        if (!may_stay(onward_header_name(header, i)))
            err = onward_edit_cut(r->edit, i);
    }
    if (err == 0)
        err = onward_edit_add(r->edit, ONWARD_STR("To"),
                              onward_str_of(r->contact));
    if (err == 0)
        err = onward_edit_add(r->edit, ONWARD_STR("From"),
                              onward_str_of(r->owner));
    return err == 0 ? add_received(r) : err;
}

/* ---- An answer: its way out -------------------------------------------- */

static void submit(struct reverse *r)
{
    const struct message_log facts = session_facts(r->session, NULL);
    struct spool_rcpt rcpt = {.address = onward_str_of(r->contact)};
    struct spool_name name = {.address = onward_str_of(r->alias)};
    const struct spool_envelope e = {
        .origin = SPOOL_MADE,
        .reverse_path = onward_str_of(r->owner),
        /* Proven to be theirs. */
        .notice_path = onward_str_of(r->author),
        .log_id = onward_str_of(facts.id),
        .body = (size_t)onward_smtp_server_mail_body(facts.server),
        .smtputf8 = (size_t)onward_smtp_server_mail_smtputf8(facts.server),
        .rcpts = &rcpt,
        .rcpt_count = 1,
        .names = &name,
        .name_count = 1};
    char id[SPOOL_ID_MAX], text[SPOOL_ID_MAX + 16];

    if (queue_submit(session_forwarder(r->session), &e, &r->out.table, id) !=
        0) {
        answer(r, 451, "4.3.0", "the message cannot be kept now");
        return;
    }
    snprintf(text, sizeof(text), "queued as %s", id);
    answer(r, 250, "2.0.0", text);
}

static void signed_it(void *user, struct onward_dkim_signer *signer, int status)
{
    struct reverse *r = user;

    if (status != 0) {
        answer(r, 451, "4.3.0", "the message cannot be signed now");
        return;
    }
    dkim_put_on_top(&r->out, onward_dkim_signer_field(signer));
    submit(r);
}

static void send_on(struct reverse *r, const struct onward_header *header)
{
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = r, .done = signed_it};
    const struct onward_source *source = NULL;
    int err = rewrite(r, header);

    if (err == 0)
        err = onward_edit_source(r->edit, &source);
    if (err != 0) {
        answer(r, 451, "4.3.0", "the message could not be handled");
        return;
    }
    r->out.below = source;
    /* Unsigned it would not pass DMARC as ours. */
    if (dkim_sign_ours(session_setup(r->session), onward_str_of(r->owner),
                       source, &host, &r->signer) != 1)
        answer(r, 451, "4.3.0", "the message cannot be signed now");
}

static void judge(struct reverse *r)
{
    const struct onward_verifier *v = session_facts(r->session, NULL).verifier;
    const struct onward_header *header = onward_verifier_header(v);
    struct onward_address_list *list = NULL;
    const struct onward_mailbox *mailbox = NULL;
    int proven = is_proven(v);
    bool is_known =
        read_mailbox(session_forwarder(r->session)->ctx, header, "From", &list,
                     &mailbox) &&
        copy_str(r->author, sizeof(r->author), onward_mailbox_text(mailbox));

    onward_address_list_free(list);
    if (proven < 0)
        answer(r, 451, "4.7.1", "DMARC cannot be checked now");
    else if (onward_header_is_malformed(header))
        answer(r, 550, "5.6.0", "Message header is malformed");
    else if (onward_header_count_named(header, ONWARD_STR("Received")) >
             HOPS_MAX)
        answer(r, 554, "5.4.6", "Too many hops");
    else if (proven == 0 || !is_known || !is_destination(r))
        answer(r, 550, "5.7.1",
               "Only those to whom mail is forwarded here write to this "
               "address");
    else
        send_on(r, header);
}

static void found(void *user, struct onward_store_query *query, int status)
{
    struct reverse *r = user;
    struct onward_str owner, contact;

    if (status < 0) {
        answer(r, 451, "4.3.0", "This address cannot be looked up now");
        return;
    }
    if (status == 0 ||
        onward_token_alias_read(session_setup(r->session)->minter,
                                onward_store_query_value(query), &owner,
                                &contact) != 0 ||
        !copy_str(r->owner, sizeof(r->owner), owner) ||
        !copy_str(r->contact, sizeof(r->contact), contact)) {
        answer(r, 550, "5.1.1", "No such address");
        return;
    }
    judge(r);
}

void reverse_take(struct reverse *r, const struct onward_source *source)
{
    struct forwarder *fwd = session_forwarder(r->session);
    const struct onward_store_query_host host = {
        .size = sizeof(host), .user = r, .done = found};

    r->source = source;
    if (!queue_is_open(fwd) ||
        onward_store_get(fwd->store, (struct onward_str){r->key, r->key_len},
                         &host, &r->query) != 0)
        answer(r, 451, "4.3.0", "This address cannot be looked up now");
}
