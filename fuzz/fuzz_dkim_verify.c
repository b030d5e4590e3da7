/*
 * A whole message through DKIM and ARC, octet by octet and in one piece: the
 * verdicts are the same. The keys are those of RFC 8463 and of the seeds.
 */
#include "fuzz.h"

#include <onward/arc.h>
#include <onward/dkim.h>

static const char zone[] =
    "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    "test._domainkey.football.example.com TXT \"v=DKIM1; k=rsa; "
    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5"
    "qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
    "j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2\" "
    "\"EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"\n"
    "dummy._domainkey.example.org TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";

enum { SIGNATURES = 10 };

struct run {
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_dkim_verifier *dkim;
    struct onward_arc_validator *arc;
    int done;
};

struct verdicts {
    int is_read; /* the header was within limits */
    size_t count, skipped;
    size_t results[SIGNATURES], reasons[SIGNATURES];
    size_t arc_result, arc_reason, instances, oldest_pass;
};

static void verified(void *user, struct onward_dkim_verifier *verifier)
{
    (void)verifier;
    ((struct run *)user)->done++;
}

static void validated(void *user, struct onward_arc_validator *validator)
{
    (void)validator;
    ((struct run *)user)->done++;
}

static void start(struct run *r)
{
    const struct onward_resolver_opts opts = {.size = sizeof(opts),
                                              .allow_only_loaded = 1};
    const struct onward_dkim_verifier_host dkim = {
        .size = sizeof(dkim), .user = r, .done = verified};
    const struct onward_arc_validator_host arc = {
        .size = sizeof(arc), .user = r, .done = validated};

    r->done = 0;
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &r->desk) == 0);
    FUZZ_CHECK(onward_resolver_new(r->desk, &opts, NULL, &r->resolver) == 0);
    FUZZ_CHECK(onward_resolver_load(r->resolver, onward_str_of(zone), NULL) ==
               0);
    FUZZ_CHECK(onward_dkim_verifier_new(r->resolver, NULL, &dkim, &r->dkim) ==
               0);
    FUZZ_CHECK(onward_arc_validator_new(r->resolver, NULL, &arc, &r->arc) == 0);
}

static void stop(struct run *r)
{
    onward_dkim_verifier_free(r->dkim);
    onward_arc_validator_free(r->arc);
    onward_resolver_free(r->resolver);
    onward_desk_free(r->desk);
}

static void read_verdicts(const struct run *r, struct verdicts *out)
{
    struct onward_arc_verdict arc = {.size = sizeof(arc)};

    out->is_read = 1;
    out->count = onward_dkim_verifier_count(r->dkim);
    out->skipped = onward_dkim_verifier_skipped(r->dkim);
    FUZZ_CHECK(out->count <= SIGNATURES);
    for (size_t i = 0; i < out->count; i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        FUZZ_CHECK(onward_dkim_verifier_signature(r->dkim, i, &s) == 0);
        FUZZ_CHECK(s.result != ONWARD_DKIM_PENDING);
        FUZZ_CHECK((s.result == ONWARD_DKIM_PASS) ==
                   (s.reason == ONWARD_DKIM_REASON_NONE));
        out->results[i] = s.result;
        out->reasons[i] = s.reason;
    }
    FUZZ_CHECK(onward_arc_validator_verdict(r->arc, &arc) == 0);
    FUZZ_CHECK(arc.result != ONWARD_ARC_PENDING && arc.instances <= 50);
    for (size_t i = 1; i <= arc.instances; i++) {
        struct onward_arc_set set = {.size = sizeof(set)};

        FUZZ_CHECK(onward_arc_validator_set(r->arc, i, &set) == 0);
    }
    out->arc_result = arc.result;
    out->arc_reason = arc.reason;
    out->instances = arc.instances;
    out->oldest_pass = arc.oldest_pass;
}

static void run_one(const uint8_t *data, size_t size, size_t step,
                    struct verdicts *out)
{
    struct run r;
    int err = 0;

    memset(out, 0, sizeof(*out));
    start(&r);
    for (size_t at = 0; at < size && err == 0; at += step) {
        size_t len = size - at < step ? size - at : step;

        err = onward_dkim_verifier_feed(r.dkim, data + at, len);
        FUZZ_CHECK(onward_arc_validator_feed(r.arc, data + at, len) == err);
    }
    if (err == 0) {
        err = onward_dkim_verifier_finish(r.dkim);
        FUZZ_CHECK(onward_arc_validator_finish(r.arc) == err);
    }
    while (onward_desk_run(r.desk, 0) == 1)
        continue;
    FUZZ_CHECK(r.done == (err == 0 ? 2 : 0));
    FUZZ_CHECK(err == 0 || err == ONWARD_ELIMIT);
    if (err == 0)
        read_verdicts(&r, out);
    stop(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct verdicts whole, cut;

    run_one(data, size, SIZE_MAX / 2, &whole);
    run_one(data, size, 1, &cut);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0);
    run_one(data, size, 7, &cut);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0);
    return 0;
}
