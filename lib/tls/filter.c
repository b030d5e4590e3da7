/*
 * TLS as a filter of a channel: GnuTLS works on memory, never on a socket.
 * It is given whole records only, because what it says of a broken handshake
 * depends on the cuts otherwise. Its output goes to the channel at once.
 */
#include <errno.h>

#include "core/domain_shared.h"

#include "tls/tls_priv.h"

enum {
    HEADER_LEN = 5,      /* type, version, length of a record */
    RECORD_MAX = 16384,  /* plaintext of one record (RFC 8446 section 5.1) */
    CIPHER_EXTRA = 2048, /* by which one may grow (RFC 5246 section 6.2.3) */
    RECORD_EXTRA = 128,  /* header, nonce, tag and padding around it */
    REFS_MAX = 16,
    FACTS_USUAL = 176
};

/* ---- GnuTLS's transport ------------------------------------------------ */

static ssize_t pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
    struct onward_tls__filter *f = ptr;

    if (f->in_len == 0) {
        gnutls_transport_set_errno(f->session, EAGAIN);
        return -1;
    }
    if (len > f->in_len)
        len = f->in_len;
    memcpy(data, f->in, len);
    f->in += len;
    f->in_len -= len;
    return (ssize_t)len;
}

/* GnuTLS asks before it reads; its own answer would poll a descriptor. */
static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
    const struct onward_tls__filter *f = ptr;

    (void)ms;
    return f->in_len > 0;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
    struct onward_tls__filter *f = ptr;
    int ret = onward_channel__put(f->ch, data, len);

    if (ret < 0) {
        f->put_error = ret;
        gnutls_transport_set_errno(f->session, EIO);
        return -1;
    }
    return (ssize_t)len;
}

/* ---- Failing ----------------------------------------------------------- */

static enum onward_tls_failure
failure_of_alert(gnutls_alert_description_t alert)
{
    if (alert == GNUTLS_A_HANDSHAKE_FAILURE ||
        alert == GNUTLS_A_PROTOCOL_VERSION ||
        alert == GNUTLS_A_INSUFFICIENT_SECURITY)
        return ONWARD_TLS_NO_COMMON;
    return ONWARD_TLS_PEER_ALERT;
}

static enum onward_tls_failure failure_of(const struct onward_tls__filter *f,
                                          int error)
{
    switch (error) {
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return failure_of_alert(gnutls_alert_get(f->session));
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
    case GNUTLS_E_CERTIFICATE_ERROR:
        return f->cert_failure != ONWARD_TLS_OK ? f->cert_failure
                                                : ONWARD_TLS_BAD_CERT;
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_CERTIFICATE_REQUIRED:
        return ONWARD_TLS_NO_CERT;
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
    case GNUTLS_E_NO_CIPHER_SUITES:
    case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
    case GNUTLS_E_NO_COMMON_KEY_SHARE:
        return ONWARD_TLS_NO_COMMON;
    case GNUTLS_E_MEMORY_ERROR:
    case GNUTLS_E_PUSH_ERROR:
        return ONWARD_TLS_INTERNAL;
    default:
        return ONWARD_TLS_HANDSHAKE;
    }
}

static gnutls_alert_description_t alert_of(enum onward_tls_failure failure)
{
    if (failure == ONWARD_TLS_EXPIRED || failure == ONWARD_TLS_NOT_YET_VALID)
        return GNUTLS_A_CERTIFICATE_EXPIRED;
    return failure == ONWARD_TLS_UNTRUSTED ? GNUTLS_A_UNKNOWN_CA
                                           : GNUTLS_A_BAD_CERTIFICATE;
}

/* Tell the peer and note why; what the channel has to know. */
static int fail(struct onward_tls__filter *f, int error)
{
    if (!f->is_up)
        f->failure = failure_of(f, error);
    if (f->put_error != 0)
        return f->put_error;
    if (error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
        (void)gnutls_alert_send(f->session, GNUTLS_AL_FATAL,
                                alert_of(f->failure));
    else if (error != GNUTLS_E_FATAL_ALERT_RECEIVED)
        (void)gnutls_alert_send_appropriate(f->session, error);
    return error == GNUTLS_E_MEMORY_ERROR ? ONWARD_ENOMEM : ONWARD_ECRYPTO;
}

/* ---- What the channel calls -------------------------------------------- */

/* A resumed session shows no certificate, but its ticket may be older than
 * the certificate's end. */
static int check_resumed(struct onward_tls__filter *f)
{
    if (f->was_verified || (f->config->is_server &&
                            f->config->ask_client == ONWARD_TLS_ASK_NOTHING))
        return 0;
    onward_tls__verify(f);
    f->was_verified = true;
    if (f->cert_failure == ONWARD_TLS_OK || !onward_tls__must_verify(f))
        return 0;
    return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* One handshake step: UP, MORE or an error. */
static int handshake(struct onward_tls__filter *f)
{
    int ret;

    do {
        ret = gnutls_handshake(f->session);
    } while (ret == GNUTLS_E_INTERRUPTED ||
             ret == GNUTLS_E_WARNING_ALERT_RECEIVED);
    if (ret == GNUTLS_E_AGAIN)
        return ONWARD_FILTER_MORE;
    if (ret == 0)
        ret = check_resumed(f);
    if (ret < 0)
        return fail(f, ret);
    ret = onward_tls__facts_collect(f);
    if (ret < 0) {
        f->failure = ONWARD_TLS_INTERNAL;
        return ret;
    }
    f->is_up = true;
    return ONWARD_FILTER_UP;
}

static int receive(struct onward_tls__filter *f, unsigned char *buf, size_t cap,
                   size_t *got)
{
    ssize_t ret;

    do {
        ret = gnutls_record_recv(f->session, buf, cap);
    } while (ret == GNUTLS_E_INTERRUPTED ||
             ret == GNUTLS_E_WARNING_ALERT_RECEIVED);
    if (ret == GNUTLS_E_AGAIN)
        return ONWARD_FILTER_MORE;
    /* TLS 1.2's renegotiation has nothing that mail needs (RFC 9325 section
     * 3.5), and ends here too. */
    if (ret < 0)
        return fail(f, (int)ret);
    *got = (size_t)ret;
    return ret == 0 ? ONWARD_FILTER_END : ONWARD_FILTER_PLAIN;
}

static int filter_start(void *filter, struct onward_channel *ch)
{
    struct onward_tls__filter *f = filter;
    int ret;

    if (f->config->is_server)
        return 0;
    f->ch = ch;
    ret = handshake(f);
    return ret < 0 ? ret : 0;
}

/* Octets of the record that begins with header. What is no header is not
 * waited for: GnuTLS looks at its five octets and refuses it. */
static size_t record_len(const unsigned char *header)
{
    size_t len = (size_t)header[3] << 8 | header[4];

    if (header[0] < 20 || header[0] > 23 || header[1] != 3 ||
        len > RECORD_MAX + CIPHER_EXTRA)
        return HEADER_LEN;
    return HEADER_LEN + len;
}

/* Complete the record with octets of data. 1: it is whole, and lent to GnuTLS;
 * 0: more is needed. *taken is what must not be given again. */
static int lend_record(struct onward_tls__filter *f, const unsigned char *data,
                       size_t len, size_t *taken)
{
    *taken = 0;
    if (f->record.len == 0 && len >= HEADER_LEN && len >= record_len(data)) {
        *taken = record_len(data);
        f->in = data;
        f->in_len = *taken;
        return 1;
    }
    for (;;) {
        size_t want = f->record.len < HEADER_LEN ? HEADER_LEN
                                                 : record_len(f->record.data);
        size_t n = want - f->record.len;
        int ret;

        if (n == 0) {
            f->in = f->record.data;
            f->in_len = f->record.len;
            return 1;
        }
        if (*taken == len)
            return 0;
        if (n > len - *taken)
            n = len - *taken;
        ret = onward_core__buf_add(&f->record, data + *taken, n);
        if (ret < 0)
            return ret;
        *taken += n;
    }
}

static int filter_step(void *filter, struct onward_channel *ch,
                       const unsigned char *data, size_t len, size_t *taken,
                       unsigned char *buf, size_t cap, size_t *got)
{
    struct onward_tls__filter *f = filter;
    int ret;

    f->ch = ch;
    *taken = 0;
    /* First what is left of the last record. */
    if (f->is_up && gnutls_record_check_pending(f->session) > 0)
        return receive(f, buf, cap, got);
    ret = lend_record(f, data, len, taken);
    if (ret < 0 && !f->is_up)
        f->failure = ONWARD_TLS_INTERNAL;
    if (ret <= 0)
        return ret;
    ret = f->is_up ? receive(f, buf, cap, got) : handshake(f);
    f->in = NULL;
    f->in_len = 0;
    onward_core__buf_clear(&f->record);
    return ret;
}

static int filter_write(void *filter, struct onward_channel *ch,
                        const void *data, size_t len)
{
    struct onward_tls__filter *f = filter;
    const unsigned char *at = data;
    size_t room = onward_channel__out_room(ch);
    size_t extra = (len / RECORD_MAX + 1) * RECORD_EXTRA;

    /* All or nothing: half a line under TLS could not be taken back. */
    if (extra > room || len > room - extra)
        return ONWARD_ELIMIT;
    f->ch = ch;
    while (len > 0) {
        ssize_t ret = gnutls_record_send(f->session, at, len);

        if (ret == GNUTLS_E_INTERRUPTED)
            continue;
        if (ret < 0)
            return f->put_error != 0 ? f->put_error : ONWARD_ECRYPTO;
        at += ret;
        len -= (size_t)ret;
    }
    return 0;
}

static void filter_finish(void *filter, struct onward_channel *ch)
{
    struct onward_tls__filter *f = filter;

    f->ch = ch;
    if (f->is_up)
        (void)gnutls_bye(f->session, GNUTLS_SHUT_WR);
}

static void filter_give_up(void *filter, enum onward_channel__filter_end why)
{
    struct onward_tls__filter *f = filter;

    if (!f->is_up)
        f->failure = why == ONWARD_FILTER_EARLY ? ONWARD_TLS_EARLY_INPUT
                                                : ONWARD_TLS_LOST;
}

static void filter_free(void *filter)
{
    struct onward_tls__filter *f = filter;
    struct onward_ctx *ctx;

    if (f == NULL)
        return;
    ctx = f->ctx;
    if (f->session != NULL)
        gnutls_deinit(f->session);
    onward_tls__facts_wipe(&f->facts);
    onward_core__buf_clear(&f->record);
    onward_core__arena_clear(&f->arena);
    onward_tls_config_free(f->config);
    onward_core__free(ctx, f);
    onward_ctx_free(ctx);
}

static const struct onward_channel_filter_ops filter_ops = {
    .start = filter_start,
    .step = filter_step,
    .write = filter_write,
    .finish = filter_finish,
    .give_up = filter_give_up,
    .free = filter_free,
};

/* ---- Making one -------------------------------------------------------- */

static int load_name(struct onward_tls__filter *f, struct onward_str name,
                     struct onward_tls__ref *ref)
{
    int ret;

    if (onward_ip_parse(name, &ref->ip) == 0)
        return onward_core__arena_dup(&f->arena, name, &ref->name);
    ret = onward_core__domain_to_ascii(&f->arena, name, &ref->name);
    return ret == ONWARD_ESYNTAX ? ONWARD_EINVAL : ret;
}

static int load_tlsa(struct onward_tls__filter *f,
                     const struct onward_tls_demand *demand)
{
    size_t left = ONWARD_TLS__TLSA_OCTETS_MAX;

    /* Records without the level that looks at them would be a false comfort. */
    if (demand->level != ONWARD_TLS_DANE)
        return demand->tlsa_count == 0 ? 0 : ONWARD_EINVAL;
    if (demand->tlsa_count == 0 || demand->tlsa == NULL ||
        demand->tlsa_count > ONWARD_TLS__TLSA_MAX)
        return ONWARD_EINVAL;
    f->tlsa = onward_core__arena_array(&f->arena, demand->tlsa_count,
                                       sizeof(*f->tlsa));
    if (f->tlsa == NULL)
        return ONWARD_ENOMEM;
    for (; f->tlsa_count < demand->tlsa_count; f->tlsa_count++) {
        struct onward_str rdata = demand->tlsa[f->tlsa_count];
        int ret;

        if (rdata.len > left)
            return ONWARD_EINVAL;
        left -= rdata.len;
        ret = onward_core__arena_dup(&f->arena, rdata, &rdata);
        if (ret < 0)
            return ret;
        if (onward_tls__tlsa_read(rdata, &f->tlsa[f->tlsa_count]) !=
            ONWARD_TLS__TLSA_OK)
            return ONWARD_EINVAL;
    }
    return 0;
}

static int load_names(struct onward_tls__filter *f,
                      const struct onward_str *names, size_t count,
                      struct onward_tls__ref **refs, size_t *ref_count)
{
    if (count > REFS_MAX || (count > 0 && names == NULL))
        return ONWARD_EINVAL;
    if (count == 0)
        return 0;
    *refs = onward_core__arena_array(&f->arena, count, sizeof(**refs));
    if (*refs == NULL)
        return ONWARD_ENOMEM;
    for (; *ref_count < count; ++*ref_count) {
        int ret = load_name(f, names[*ref_count], &(*refs)[*ref_count]);

        if (ret < 0)
            return ret;
    }
    return 0;
}

/* server_name out: what to ask for, empty for nothing. */
static int load_demand(struct onward_tls__filter *f,
                       const struct onward_tls_demand *given,
                       struct onward_str *server_name)
{
    struct onward_tls_demand demand;
    int ret = onward_core__opts_load(&demand, sizeof(demand), given);

    if (ret < 0)
        return ret;
    if (demand.level == ONWARD_TLS_DEFAULT)
        demand.level = ONWARD_TLS_VERIFIED;
    if (demand.level == ONWARD_TLS_NONE || demand.level > ONWARD_TLS_DANE ||
        (demand.pkix_name_count > 0 && demand.level != ONWARD_TLS_DANE))
        return ONWARD_EINVAL;
    f->level = (enum onward_tls_level)demand.level;
    ret = load_tlsa(f, &demand);
    if (ret == 0)
        ret = load_names(f, demand.names, demand.name_count, &f->refs,
                         &f->ref_count);
    if (ret == 0)
        ret = load_names(f, demand.pkix_names, demand.pkix_name_count, &f->pkix,
                         &f->pkix_count);
    if (ret < 0)
        return ret;
    for (size_t i = 0; i < f->ref_count && server_name->len == 0; i++) {
        if (f->refs[i].ip.family == 0)
            *server_name = f->refs[i].name;
    }
    if (demand.server_name.len > 0) {
        ret = onward_core__domain_to_ascii(&f->arena, demand.server_name,
                                           server_name);
        return ret == ONWARD_ESYNTAX ? ONWARD_EINVAL : ret;
    }
    return 0;
}

static int session_error(int gnutls_error)
{
    return gnutls_error == GNUTLS_E_MEMORY_ERROR ? ONWARD_ENOMEM
                                                 : ONWARD_ECRYPTO;
}

static int set_role(struct onward_tls__filter *f, struct onward_str server_name)
{
    struct onward_tls_config *config = f->config;
    int ret = 0;

    if (!config->is_server) {
        f->facts.server_name = server_name;
        if (server_name.len > 0)
            ret = gnutls_server_name_set(f->session, GNUTLS_NAME_DNS,
                                         server_name.data, server_name.len);
        return ret;
    }
    if (config->ticket_key.data != NULL)
        ret = gnutls_session_ticket_enable_server(f->session,
                                                  &config->ticket_key);
    if (config->ask_client != ONWARD_TLS_ASK_NOTHING)
        gnutls_certificate_server_set_request(
            f->session, config->ask_client == ONWARD_TLS_ASK_REQUIRED
                            ? GNUTLS_CERT_REQUIRE
                            : GNUTLS_CERT_REQUEST);
    return ret;
}

static int session_new(struct onward_tls__filter *f,
                       struct onward_str server_name)
{
    struct onward_tls_config *config = f->config;
    unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;
    int ret;

    flags |= config->is_server ? GNUTLS_SERVER : GNUTLS_CLIENT;
    if (config->ticket_key.data == NULL)
        flags |= GNUTLS_NO_TICKETS;
    ret = gnutls_init(&f->session, flags);
    if (ret < 0) {
        f->session = NULL;
        return session_error(ret);
    }
    gnutls_session_set_ptr(f->session, f);
    gnutls_transport_set_ptr(f->session, f);
    gnutls_transport_set_pull_function(f->session, pull);
    gnutls_transport_set_pull_timeout_function(f->session, pull_timeout);
    gnutls_transport_set_push_function(f->session, push);
    gnutls_handshake_set_max_packet_length(f->session, ONWARD_TLS_FLIGHT_MAX);
    ret = gnutls_priority_set(f->session, config->priority);
    if (ret >= 0)
        ret = gnutls_credentials_set(f->session, GNUTLS_CRD_CERTIFICATE,
                                     config->cred);
    if (ret >= 0 && config->alpn_count > 0)
        ret = gnutls_alpn_set_protocols(f->session, config->alpn,
                                        (unsigned)config->alpn_count, 0);
    if (ret >= 0)
        ret = set_role(f, server_name);
    return ret < 0 ? session_error(ret) : 0;
}

int onward_tls__plug(struct onward_channel *ch,
                     struct onward_tls_config *config,
                     const struct onward_tls_demand *demand,
                     struct onward_tls__filter **filter)
{
    struct onward_str server_name = {NULL, 0};
    struct onward_tls__filter *f;
    int ret = 0;

    if (config->is_server && demand != NULL)
        return ONWARD_EINVAL;
    f = onward_core__zalloc(config->ctx, sizeof(*f));
    if (f == NULL)
        return ONWARD_ENOMEM;
    f->ctx = onward_ctx_ref(config->ctx);
    f->config = onward_tls_config_ref(config);
    f->facts.size = sizeof(f->facts);
    onward_core__arena_init(&f->arena, f->ctx, ONWARD_TLS_ARENA_MAX);
    /* The facts of a server that asks for no certificate fit. */
    f->arena.first = FACTS_USUAL;
    onward_core__buf_init(&f->record, f->ctx,
                          HEADER_LEN + RECORD_MAX + CIPHER_EXTRA);
    if (!config->is_server)
        ret = load_demand(f, demand, &server_name);
    if (ret == 0)
        ret = session_new(f, server_name);
    if (ret < 0) {
        filter_free(f);
        return ret;
    }
    ret = onward_channel__plug(ch, &filter_ops, f);
    if (ret == 0)
        *filter = f;
    return ret;
}

enum onward_tls_failure
onward_tls__failure(const struct onward_tls__filter *filter)
{
    return filter->failure;
}
