/*
 * Any text is rules or is refused with a printable reason; rules answer for any
 * address, the same each time, and never forward to what is not verified.
 */
#include "fuzz.h"

#include "core/json_shared.h"
#include "ruleset/ruleset_shared.h"

static void check_printable(const char *text, size_t cap)
{
    size_t len = 0;

    while (len < cap && text[len] != '\0') {
        FUZZ_CHECK(text[len] >= ' ' && text[len] <= '~');
        len++;
    }
    FUZZ_CHECK(len < cap);
}

static int nobody(void *user, const char *address, size_t len)
{
    (void)user;
    (void)address;
    (void)len;
    return 2;
}

static void ask(const struct onward_ruleset *rs, struct onward_str to)
{
    const struct onward_ruleset_facts facts = {.size = sizeof(facts),
                                               .destination = nobody};
    struct onward_ruleset_decision a = {.size = sizeof(a)};
    struct onward_ruleset_decision b = {.size = sizeof(b)};
    struct onward_ruleset_router *router;
    struct onward_mailbox *mailbox;

    if (onward_mailbox_parse(fuzz_ctx(), to, ONWARD_MAILBOX_ALLOW_UTF8,
                             &mailbox) != 0)
        return;
    FUZZ_CHECK(onward_ruleset_router_new(fuzz_ctx(), &router) == 0);
    FUZZ_CHECK(onward_ruleset_route(rs, router, mailbox, NULL, NULL, &a) == 0);
    FUZZ_CHECK(onward_ruleset_route(rs, router, mailbox, &facts, NULL, &b) ==
               0);
    FUZZ_CHECK(a.kind >= ONWARD_RULESET_FORWARD &&
               a.kind <= ONWARD_RULESET_NEED_MESSAGE);
    /* Where more than one rule was taken, another may be the one to refuse. */
    if (a.action_count <= 1)
        FUZZ_CHECK(a.rule == b.rule && a.match == b.match);
    FUZZ_CHECK(b.kind != ONWARD_RULESET_FORWARD &&
               b.kind != ONWARD_RULESET_FAILOVER);
    for (const struct onward_ruleset_action *act = b.actions; act != NULL;
         act = act->next)
        FUZZ_CHECK(act->destination_count == 0);
    FUZZ_CHECK((a.kind == ONWARD_RULESET_REJECT) == (a.group == 0));
    FUZZ_CHECK((a.kind == ONWARD_RULESET_REJECT) == (a.reply_code != 0));
    onward_ruleset_router_free(router);
    onward_mailbox_free(mailbox);
}

/* Ask for each string of the text, and for an address in it as a zone. */
static void ask_all(const struct onward_ruleset *rs, const uint8_t *data,
                    size_t size)
{
    size_t start = 0;

    for (size_t i = 0; i < size; i++) {
        char in_zone[256] = "a+b@";

        if (data[i] != '"')
            continue;
        ask(rs, onward_core__str(data + start, i - start));
        if (i - start < sizeof(in_zone) - 4) {
            memcpy(in_zone + 4, data + start, i - start);
            ask(rs, onward_core__str(in_zone, 4 + i - start));
        }
        start = i + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    int ret = onward_ruleset_new(fuzz_ctx(), onward_core__str(data, size), NULL,
                                 &fault, &rs);

    if (ret == 0) {
        ask_all(rs, data, size);
        onward_ruleset_free(rs);
        return 0;
    }
    FUZZ_CHECK(ret == ONWARD_ESYNTAX || ret == ONWARD_ELIMIT);
    FUZZ_CHECK(fault.text[0] != '\0');
    check_printable(fault.path, sizeof(fault.path));
    check_printable(fault.text, sizeof(fault.text));
    return 0;
}
