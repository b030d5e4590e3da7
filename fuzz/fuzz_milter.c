/*
 * A mail server that says anything to onward-milter: the answers do not depend
 * on how its octets are cut, and are whole frames of the right lengths. The
 * first octet says where the cuts are.
 */
#include "fuzz.h"

#include "session.h"

static struct onward_desk *desk;

static void decided(void *user)
{
    (void)user;
}

static void ended(void *user, const struct filter *f, const char *id)
{
    static FILE *nowhere;
    struct json j;

    (void)user, (void)id;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    j = (struct json){.out = nowhere};
    json_open(&j, NULL, '{');
    filter_log(f, &j);
    json_close(&j, '}');
}

static char internal[] = "198.51.100.0/24", host[] = "mx.fwd.example",
            nothing[] = "/dev/null";
static char *networks[] = {internal};

static const struct filter_settings *settings(void)
{
    static struct filter_settings s;
    static struct config_key keys[FILTER_KEYS + 1];

    if (s.hostname == NULL) {
        filter_keys(&s, keys);
        s.hostname = host;
        s.dns = nothing;
        s.internal.items = networks;
        s.internal.count = 1;
        s.dmarc_quarantine = 1;
    }
    return &s;
}

static struct filter_setup *setup(void)
{
    static const struct config_key none[] = {{.name = NULL}};
    static struct filter_setup *setup;
    struct filter_setup_opts o = {
        .settings = settings(), .keys = none, .path = "fuzz"};
    char fault[1100];
    int status;

    if (setup != NULL)
        return setup;
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &desk) == 0);
    o.ctx = fuzz_ctx();
    o.desk = desk;
    setup = filter_setup_new(&o, fault, sizeof(fault), &status);
    FUZZ_CHECK(setup != NULL);
    return setup;
}

/* Every answer is a frame, and nothing is between them. */
static void check_answers(const struct milter_out *out)
{
    size_t at = 0;

    while (at < out->len) {
        const unsigned char *s = (const unsigned char *)out->data + at;
        size_t len;

        FUZZ_CHECK(out->len - at >= 5);
        len =
            (size_t)s[0] << 24 | (size_t)s[1] << 16 | (size_t)s[2] << 8 | s[3];
        FUZZ_CHECK(len >= 1 && len <= out->len - at - 4);
        at += 4 + len;
    }
}

/* The answers, to be freed with the session. */
static struct milter_session *run(const uint8_t *data, size_t size,
                                  size_t piece, const char **why)
{
    const struct milter_session_opts o = {.setup = setup(),
                                          .settings = settings(),
                                          .decided = decided,
                                          .ended = ended};
    struct milter_session *s = milter_session_new(&o);

    FUZZ_CHECK(s != NULL);
    *why = NULL;
    for (size_t at = 0; at < size && *why == NULL;) {
        size_t len = piece < size - at ? piece : size - at, taken = 0;

        *why = milter_session_feed(s, data + at, len, &taken);
        FUZZ_CHECK(taken <= len);
        at += taken;
        while (onward_desk_run(desk, 0) == 1)
            continue;
        FUZZ_CHECK(!milter_session_is_busy(s));
    }
    check_answers(milter_session_out(s));
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct milter_session *a, *b;
    const struct milter_out *x, *y;
    const char *why, *again;

    if (size == 0)
        return 0;
    a = run(data + 1, size - 1, SIZE_MAX, &why);
    b = run(data + 1, size - 1, (size_t)data[0] % 16 + 1, &again);
    x = milter_session_out(a);
    y = milter_session_out(b);
    FUZZ_CHECK(why == again);
    FUZZ_CHECK(x->len == y->len);
    FUZZ_CHECK(x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
    milter_session_free(a);
    milter_session_free(b);
    return 0;
}
