/*
 * A whole message through the verifier, with the envelope on two lines above
 * it: whatever comes, and however it is cut, there is one verdict and one
 * Authentication-Results field that our own parser and editor take.
 */
#include "fuzz.h"

#include <onward/verify.h>

#include "authres/authres_shared.h"

static const char zone[] =
    "football.example.com TXT \"v=spf1 a:%{l}.%{d} ip4:192.0.2.0/24 -all\"\n"
    "_dmarc.football.example.com TXT \"v=DMARC1; p=reject; t=n\"\n"
    "_dmarc.example.com TXT \"v=DMARC1; p=quarantine; sp=none; np=reject\"\n"
    "_dmarc.example.org TXT !SERVFAIL\n"
    "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    "dummy._domainkey.example.org TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";

struct outcome {
    int err, result, reason, disposition, is_authenticated;
    size_t authres_len;
    char authres[65536];
    char fingerprint[32];
};

/* Up to the line end; *at moves behind it. */
static struct onward_str take_line(const uint8_t *data, size_t size, size_t *at)
{
    struct onward_str line = {(const char *)data + *at, 0};

    while (*at < size && data[*at] != '\n') {
        line.len++;
        (*at)++;
    }
    if (*at < size)
        (*at)++;
    return line;
}

static void done(void *user, struct onward_verifier *verifier)
{
    (void)verifier;
    ++*(int *)user;
}

/* The field can be written, read again, and is known as ours. */
static void check_authres(struct onward_str value)
{
    static const char head[] = "a: b\r\n\r\n";
    struct onward_authres *parsed = NULL;
    struct onward_arena scratch;
    struct onward_edit *edit = NULL;
    struct onward_memory_source *source = NULL;
    struct onward_header *header = NULL;
    size_t taken;

    FUZZ_CHECK(value.len != 0);
    FUZZ_CHECK(onward_authres_parse(fuzz_ctx(), value, NULL, &parsed) == 0);
    FUZZ_CHECK(onward_authres_count(parsed) >= 2);
    onward_authres_free(parsed);
    onward_core__arena_init(&scratch, fuzz_ctx(), 1 << 20);
    FUZZ_CHECK(onward_authres__claims_authserv_id(
                   &scratch, value, ONWARD_STR("mx.example.net")) == 1);
    onward_core__arena_clear(&scratch);
    FUZZ_CHECK(onward_memory_source_new(fuzz_ctx(), head, sizeof(head) - 1,
                                        &source) == 0);
    FUZZ_CHECK(onward_header_new(fuzz_ctx(), &header) == 0);
    FUZZ_CHECK(onward_header_feed(header, head, sizeof(head) - 1, &taken) == 1);
    FUZZ_CHECK(onward_edit_new(fuzz_ctx(), onward_memory_source_table(source),
                               header, NULL, &edit) == 0);
    FUZZ_CHECK(onward_edit_add(edit, ONWARD_STR("Authentication-Results"),
                               value) == 0);
    onward_edit_free(edit);
    onward_header_free(header);
    onward_memory_source_free(source);
}

static void read_outcome(const struct onward_verifier *v, struct outcome *out)
{
    struct onward_str text = onward_verifier_authres(v);

    check_authres(text);
    memcpy(out->authres, text.data, text.len);
    out->authres_len = text.len;
    text = onward_verifier_fingerprint(v);
    FUZZ_CHECK(text.len == sizeof(out->fingerprint));
    memcpy(out->fingerprint, text.data, text.len);
    out->result = onward_verifier_dmarc_result(v);
    out->reason = onward_verifier_dmarc_reason(v);
    out->disposition = onward_verifier_dmarc_disposition(v);
    out->is_authenticated = onward_verifier_is_authenticated(v);
    FUZZ_CHECK(out->result != ONWARD_DMARC_PENDING);
    /* Nothing passes that has no single author, or that nothing vouches for. */
    if (onward_verifier_author_domain(v).len == 0)
        FUZZ_CHECK(out->disposition == ONWARD_DMARC_POLICY_REJECT);
    if (out->result == ONWARD_DMARC_PASS)
        FUZZ_CHECK(out->is_authenticated == 1);
}

static void run_one(const uint8_t *data, size_t size, size_t step,
                    struct outcome *out)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    struct onward_verifier_opts o = {
        .size = sizeof(o), .authserv_id = ONWARD_STR("mx.example.net")};
    int ended = 0;
    const struct onward_verifier_host host = {
        .size = sizeof(host), .user = &ended, .done = done};
    struct onward_ip ip;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_verifier *v;
    size_t at = 0;

    memset(out, 0, sizeof(*out));
    FUZZ_CHECK(onward_ip_parse(ONWARD_STR("192.0.2.7"), &ip) == 0);
    o.client_ip = &ip;
    o.mail_from = take_line(data, size, &at);
    o.helo = take_line(data, size, &at);
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &desk) == 0);
    FUZZ_CHECK(onward_resolver_new(desk, &ro, NULL, &resolver) == 0);
    FUZZ_CHECK(onward_resolver_load(resolver, onward_str_of(zone), NULL) == 0);
    FUZZ_CHECK(onward_verifier_new(resolver, &o, &host, &v) == 0);
    FUZZ_CHECK(onward_verifier_trust_sealer(v, ONWARD_STR("example.org")) == 0);
    for (; at < size && out->err == 0; at += step)
        out->err = onward_verifier_feed(v, data + at,
                                        size - at < step ? size - at : step);
    if (out->err == 0)
        out->err = onward_verifier_finish(v);
    while (onward_desk_run(desk, 0) == 1)
        continue;
    FUZZ_CHECK(ended == (out->err == 0));
    FUZZ_CHECK(out->err == 0 || out->err == ONWARD_ELIMIT);
    if (out->err == 0)
        read_outcome(v, out);
    onward_verifier_free(v);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, cut;

    if (size > 65536)
        return 0;
    run_one(data, size, SIZE_MAX / 2, &whole);
    run_one(data, size, 1, &cut);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0);
    run_one(data, size, 13, &cut);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0);
    return 0;
}
