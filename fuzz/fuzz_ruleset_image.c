/*
 * Any octets are an image or are refused; one that opens answers every question
 * without reading outside of it, also when its head was made right again, and
 * the whole of it can be checked, compacted and compared.
 */
#include "fuzz.h"

#include "ruleset/image_priv.h"

static const uint64_t no_key[2];

static int text(void *user, size_t fact, const char *name, size_t name_len,
                size_t index, struct onward_str *out)
{
    (void)user;
    (void)fact;
    (void)name;
    (void)name_len;
    *out = ONWARD_STR("a.b+c@x.example");
    return index < 2;
}

static int number(void *user, size_t fact, int64_t *out)
{
    (void)user;
    (void)fact;
    *out = 77;
    return 1;
}

static int client(void *user, struct onward_ip *out)
{
    (void)user;
    return onward_ip_parse(ONWARD_STR("192.0.2.1"), out) == 0;
}

static void step(void *user, const struct onward_ruleset_step *s)
{
    size_t *sum = user;

    *sum += s->what.len + s->detail.len + s->rule_name.len;
    for (size_t i = 0; i < s->detail.len; i++)
        *sum += (unsigned char)s->detail.data[i];
}

static void ask(const struct onward_ruleset *rs,
                struct onward_ruleset_router *router, const char *to)
{
    size_t sum = 0;
    const struct onward_ruleset_facts facts = {.size = sizeof(facts),
                                               .text = text,
                                               .number = number,
                                               .client = client};
    const struct onward_ruleset_trace trace = {
        .size = sizeof(trace), .user = &sum, .step = step};
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_mailbox *mailbox;
    const struct onward_mailbox *told;
    int ret;

    if (onward_mailbox_parse(fuzz_ctx(), onward_str_of(to), 0, &mailbox) != 0)
        return;
    told = mailbox;
    onward_ruleset_expect(rs, &told, 1);
    ret = onward_ruleset_route(rs, router, mailbox, &facts, &trace, &d);
    FUZZ_CHECK(ret == 0 || ret == ONWARD_ELIMIT);
    if (ret == 0 && d.kind == ONWARD_RULESET_REJECT) {
        FUZZ_CHECK(d.reply_code >= 400 && d.reply_code < 600);
        for (size_t i = 0; i < d.reply_text.len; i++)
            FUZZ_CHECK(d.reply_text.data[i] >= ' ');
    }
    ret = onward_ruleset_route(rs, router, mailbox, NULL, NULL, &d);
    FUZZ_CHECK(ret == 0 || ret == ONWARD_ELIMIT);
    onward_ruleset_router_reset(router);
    onward_mailbox_free(mailbox);
}

static int ignore(void *user, const struct onward_ruleset_difference *d)
{
    (void)user;
    return d->what.len == 0 ? -1 : 0;
}

static void use(struct onward_ruleset *rs)
{
    static const char *const asked[] = {
        "me@a.example", "me+x@a.example", "x42@a.example", "u10@b.example",
        "me@eu.a.example", "q@deep.c.example", "q@d.example"};
    const struct onward_ruleset_differences to = {.size = sizeof(to),
                                                  .difference = ignore};
    struct onward_ruleset_router *router;
    struct onward_ruleset *whole;

    FUZZ_CHECK(onward_ruleset_router_new(fuzz_ctx(), &router) == 0);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        ask(rs, router, asked[i]);
    onward_ruleset_router_free(router);
    (void)onward_ruleset_diff(rs, rs, &to);
    if (onward_ruleset_compact(rs, &whole) == 0)
        onward_ruleset_free(whole);
    if (onward_ruleset_without_zone(rs, ONWARD_STR("a.example"), &whole) == 0)
        onward_ruleset_free(whole);
}

/* The head's own checksum would keep everybody out. */
static void mend(uint8_t *copy, size_t size)
{
    onward_ruleset__store64(copy + 8, size);
    onward_ruleset__store64(copy + 152,
                            onward_core__siphash(no_key, copy, 152));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_ruleset *rs;
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    if (size >= ONWARD_RULESET__IMAGE_HEAD)
        mend(copy, size);
    if (onward_ruleset_open_image(fuzz_ctx(), onward_core__str(copy, size), NULL,
                                  NULL, &rs) == 0) {
        use(rs);
        onward_ruleset_free(rs);
        (void)onward_ruleset_check_image(fuzz_ctx(),
                                         onward_core__str(copy, size), NULL);
    }
    free(copy);
    return 0;
}
