/* Our side: DKIM verify, SPF, and the whole hop, each verdict looked at. */
#include <onward/arc.h>
#include <onward/dkim.h>
#include <onward/spf.h>
#include <onward/verify.h>

#include "bench/host.h"
#include "bench/worker.h"

static struct bench_host host;
static struct onward_ip client;
static struct bench_message messages[6];

/* ---- DKIM -------------------------------------------------------------- */

static void dkim_done(void *user, struct onward_dkim_verifier *v)
{
    struct onward_dkim_signature s = {.size = sizeof(s)};

    *(int *)user = onward_dkim_verifier_signature(v, 0, &s) == 0 &&
                   s.result == ONWARD_DKIM_PASS;
    onward_dkim_verifier_free(v);
}

static void dkim_verify(void *arg)
{
    const struct bench_message *m = arg;
    int is_pass = 0;
    const struct onward_dkim_verifier_host h = {
        .size = sizeof(h), .user = &is_pass, .done = dkim_done};
    struct onward_dkim_verifier *v;
    int err = onward_dkim_verifier_new(host.resolver, NULL, &h, &v);

    for (size_t at = 0; err == 0 && at < m->len; at += BENCH_CHUNK)
        err = onward_dkim_verifier_feed(
            v, m->data + at,
            m->len - at < BENCH_CHUNK ? m->len - at : BENCH_CHUNK);
    if (err != 0 || onward_dkim_verifier_finish(v) != 0)
        bench_die("onward: DKIM verifier");
    bench_host_run(&host);
    if (!is_pass)
        bench_die("onward: DKIM is not pass");
}

/* ---- SPF --------------------------------------------------------------- */

static void spf_done(void *user, struct onward_spf_check *c)
{
    *(int *)user = onward_spf_check_result(c);
    onward_spf_check_free(c);
}

static void spf(void *arg)
{
    int result = 0;
    const struct onward_spf_host h = {
        .size = sizeof(h), .user = &result, .done = spf_done};
    const struct onward_spf_opts o = {.size = sizeof(o),
                                      .client_ip = &client,
                                      .mail_from = ONWARD_STR("ann@a.example"),
                                      .helo = ONWARD_STR("out.a.example")};
    struct onward_spf_check *c;

    (void)arg;
    if (onward_spf_check_new(host.resolver, &o, &h, &c) != 0)
        bench_die("onward: SPF check");
    bench_host_run(&host);
    if (result != ONWARD_SPF_PASS)
        bench_die("onward: SPF is not pass");
}

/* ---- Signing ----------------------------------------------------------- */

static void dkim_signed(void *user, struct onward_dkim_signer *s, int status)
{
    *(int *)user = status == 0 && onward_dkim_signer_field(s).len > 0;
    onward_dkim_signer_free(s);
}

static void dkim_sign(void *arg)
{
    const struct bench_message *m = arg;
    int is_done = 0;
    const struct onward_dkim_signer_host h = {
        .size = sizeof(h), .user = &is_done, .done = dkim_signed};
    const struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                              .domain = ONWARD_STR("a.example"),
                                              .selector = ONWARD_STR("s")};
    struct onward_dkim_signer *s;
    int err = onward_dkim_signer_new(host.signer, &o, &h, &s);

    for (size_t at = 0; err == 0 && at < m->len; at += BENCH_CHUNK)
        err = onward_dkim_signer_feed(s, m->data + at,
                                      m->len - at < BENCH_CHUNK ? m->len - at
                                                                : BENCH_CHUNK);
    if (err != 0 || onward_dkim_signer_finish(s) != 0)
        bench_die("onward: DKIM signer");
    bench_host_run(&host);
    if (!is_done)
        bench_die("onward: no DKIM signature");
}

/* ---- One hop ----------------------------------------------------------- */

static void sealed(void *user, struct onward_arc_sealer *s, int status)
{
    *(int *)user = status == 0 && onward_arc_sealer_fields(s).len > 0;
}

static void seal(const struct onward_verifier *v)
{
    int is_done = 0;
    const struct onward_arc_sealer_host h = {
        .size = sizeof(h), .user = &is_done, .done = sealed};
    struct onward_arc_verdict arc = {.size = sizeof(arc)};
    struct onward_str results = onward_verifier_authres(v);
    const char *semicolon = memchr(results.data, ';', results.len);
    struct onward_arc_sealer_opts o = {.size = sizeof(o),
                                       .domain = ONWARD_STR("b.example"),
                                       .selector = ONWARD_STR("s"),
                                       .authserv_id =
                                           ONWARD_STR("mx.b.example")};
    struct onward_arc_sealer *s;
    struct onward_str block;
    int err = onward_verifier_arc(v, &arc);

    if (semicolon == NULL || err != 0)
        bench_die("onward: no results");
    o.chain_result = arc.result;
    o.chain_instances = arc.instances;
    o.results.data = semicolon + 1;
    o.results.len = results.len - (size_t)(o.results.data - results.data);
    /* The body leaves as it came: the header is all that the sealer needs. */
    o.body_hash = onward_verifier_body_hash(v);
    block = onward_header_block(onward_verifier_header(v));
    err = onward_arc_sealer_new(host.signer, &o, &h, &s);
    if (err == 0)
        err = onward_arc_sealer_feed(s, block.data, block.len);
    if (err == 0)
        err = onward_arc_sealer_feed(s, "\r\n", 2);
    if (err != 0 || onward_arc_sealer_finish(s) != 0)
        bench_die("onward: ARC sealer");
    bench_host_run(&host);
    if (!is_done)
        bench_die("onward: no ARC set");
    onward_arc_sealer_free(s);
}

static struct onward_verifier *verify(const struct bench_message *m)
{
    const struct onward_verifier_opts o = {
        .size = sizeof(o),
        .authserv_id = ONWARD_STR("mx.b.example"),
        .client_ip = &client,
        .helo = ONWARD_STR("out.a.example"),
        .mail_from = ONWARD_STR("ann@a.example"),
        .receiver = ONWARD_STR("mx.b.example")};
    struct onward_dkim_signature s = {.size = sizeof(s)};
    struct onward_arc_verdict arc = {.size = sizeof(arc)};
    struct onward_verifier *v;
    int err = onward_verifier_new(host.resolver, &o, NULL, &v);

    for (size_t at = 0; err == 0 && at < m->len; at += BENCH_CHUNK)
        err = onward_verifier_feed(v, m->data + at,
                                   m->len - at < BENCH_CHUNK ? m->len - at
                                                             : BENCH_CHUNK);
    if (err != 0 || onward_verifier_finish(v) != 0)
        bench_die("onward: verifier");
    bench_host_run(&host);
    if (!onward_verifier_is_done(v) ||
        onward_spf_check_result(onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM)) !=
            ONWARD_SPF_PASS ||
        onward_verifier_dkim(v, 0, &s) != 0 || s.result != ONWARD_DKIM_PASS ||
        onward_verifier_arc(v, &arc) != 0 || arc.result != ONWARD_ARC_PASS ||
        onward_verifier_dmarc_result(v) != ONWARD_DMARC_PASS)
        bench_die("onward: not all pass");
    return v;
}

static void hop(void *arg)
{
    struct onward_verifier *v = verify(arg);

    seal(v);
    onward_verifier_free(v);
}

int main(int argc, char **argv)
{
    const struct bench_job jobs[] = {
        {"verify-2k", dkim_verify, &messages[0]},
        {"verify-50k", dkim_verify, &messages[1]},
        {"verify-5m", dkim_verify, &messages[2]},
        {"sign-2k", dkim_sign, &messages[0]},
        {"spf", spf, NULL},
        {"hop-2k", hop, &messages[3]},
        {"hop-50k", hop, &messages[4]},
        {"hop-5m", hop, &messages[5]},
    };
    static const char *const files[] = {"signed-2k", "signed-50k", "signed-5m",
                                        "sealed-2k", "sealed-50k", "sealed-5m"};
    int status;

    if (argc != 2)
        bench_die("usage: bench_verify_onward FOLDER");
    bench_host_init(&host, argv[1]);
    for (size_t i = 0; i < 6; i++)
        messages[i].data = bench_read(argv[1], files[i], &messages[i].len);
    if (onward_ip_parse(ONWARD_STR("192.0.2.200"), &client) != 0)
        bench_die("no address");
    status = bench_serve(jobs, sizeof(jobs) / sizeof(jobs[0]));
    for (size_t i = 0; i < 6; i++)
        free(messages[i].data);
    bench_host_clear(&host);
    return status;
}
