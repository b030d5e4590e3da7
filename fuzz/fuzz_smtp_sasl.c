/*
 * SASL, both sides, against a peer that says anything. The first octet chooses
 * side and mechanism; the rest is the peer's messages, LF between them. Nobody
 * may come to be proven: a server only by its host's word, a client by no
 * server that does not have the keys.
 */
#include "fuzz.h"

#include "smtp/sasl_priv.h"

static const struct onward_tls_facts tls = {
    .size = sizeof(tls),
    .binding_exporter = {"0123456789abcdef0123456789abcdef", 32}};

static void check_name(struct onward_str name)
{
    FUZZ_CHECK(onward_smtp__sasl_is_name(name));
}

static int serve(struct onward_smtp__sasl *x, struct onward_str message,
                 struct onward_buf *out)
{
    static const unsigned char zeros[32];
    const struct onward_smtp_scram_credentials known = {
        .size = sizeof(known),
        .iterations = 4096,
        .salt = {(const char *)zeros, 16},
        .stored_key = {(const char *)zeros, 32},
        .server_key = {(const char *)zeros, 32}};
    int event = onward_smtp__sasl_server(x, message, out);

    /* Nobody has a key whose hash is all zeros. */
    FUZZ_CHECK(event != ONWARD_SASL_ACCEPT);
    if (event != ONWARD_SASL_ASK)
        return event;
    check_name(x->authcid);
    check_name(x->authzid);
    FUZZ_CHECK(onward_core__str_find(x->password, 0) == x->password.len);
    onward_core__buf_reset(out);
    if ((x->mech->id & ONWARD_SMTP_AUTH_REVEALING) == 0)
        return onward_smtp__sasl_scram(x, &known, onward_core__str(NULL, 0), 0,
                                       out);
    return onward_smtp__sasl_decide(x, false, out);
}

static int ask(struct onward_smtp__sasl *x, struct onward_str message,
               struct onward_buf *out)
{
    int ret = onward_smtp__sasl_client(x, message, out);

    while (ret == ONWARD_SASL_BUSY)
        ret = onward_smtp__sasl_work(x, 4096, out);
    /* A key that takes part of the password is not known to the fuzzer. */
    if ((x->mech->id & ONWARD_SMTP_AUTH_REVEALING) == 0)
        FUZZ_CHECK(!x->is_proven);
    return ret < 0 ? ret : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_smtp__sasl_login login = {
        .authcid = {"us,er", 5}, .password = {"pencil", 6},
        .token = {"token", 5}};
    struct onward_smtp__sasl x;
    struct onward_str rest, message = {NULL, 0};
    struct onward_ctx *ctx = fuzz_ctx();
    struct onward_buf out;
    bool is_client;
    int ret;

    if (size < 1)
        return 0;
    onward_smtp__sasl_init(&x, ctx, &onward_smtp__sasl_mechs[data[0] % 6]);
    onward_core__buf_init(&out, ctx, ONWARD_SASL__LINE_MAX);
    is_client = (data[0] / 6) % 2 == 1;
    x.tls = &tls;
    x.plus_offered = (data[0] / 12) % 2 == 1;
    x.iterations_max = 8192;
    x.challenge = (struct onward_str){"rOprNGfwEbeRWgbNEkqO", 20};
    rest = onward_core__str(data + 1, size - 1);
    ret = is_client ? onward_smtp__sasl_login(&x, &login) : 0;
    if (ret == 0 && is_client)
        ret = ask(&x, message, &out);
    while (ret == 0 && rest.len > 0) {
        if (!onward_smtp__sasl_split(&rest, '\n', &message)) {
            message = rest;
            rest.len = 0;
        }
        onward_core__buf_reset(&out);
        ret = is_client ? ask(&x, message, &out) : serve(&x, message, &out);
        FUZZ_CHECK(out.err == 0 || ret < 0);
    }
    onward_smtp__sasl_clear(&x);
    onward_core__buf_clear(&out);
    return 0;
}
