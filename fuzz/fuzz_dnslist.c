/*
 * A list as somebody wrote it, and an address that it answers: what may be
 * added is what can be a list, a code never lets in what no code lets in, and
 * what a client is told is one line.
 */
#include <onward/dnslist.h>

#include "fuzz.h"

#include "dnslist/dnslist_priv.h"

static void note(void *user, struct onward_dnslist *dnslist)
{
    (void)dnslist;
    ++*(int *)user;
}

static void check_code(struct onward_str list)
{
    struct onward_str zone, code, nothing = {0};
    const unsigned char step[4] = {127, 0, 0, 2};
    unsigned char a[4];

    FUZZ_CHECK(onward_dnslist__split(list, &zone, &code));
    for (unsigned i = 0; i < 256; i++) {
        struct onward_str s = {(const char *)a, sizeof(a)};

        memcpy(a, step, sizeof(a));
        a[i % 4] = (unsigned char)i;
        if (onward_dnslist__counts(ONWARD_DNSLIST_BLOCK, code, s))
            FUZZ_CHECK(
                onward_dnslist__counts(ONWARD_DNSLIST_BLOCK, nothing, s));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size == 0 ? NULL : memchr(data, '\n', size);
    const size_t len = cut == NULL ? size : (size_t)(cut - data);
    const struct onward_str list = {(const char *)data, len};
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_ip ip = {.family = 4, .octets = {192, 0, 2, 99}};
    const struct onward_dnslist_opts o = {.size = sizeof(o), .ip = &ip};
    int ended = 0, err;
    const struct onward_dnslist_host host = {
        .size = sizeof(host), .user = &ended, .done = note};
    struct onward_dnslist *dnslist = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_desk *desk = NULL;
    struct onward_str text;

    if (size > 16384)
        return 0;
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &desk) == 0);
    FUZZ_CHECK(onward_resolver_new(desk, &ro, NULL, &resolver) == 0);
    FUZZ_CHECK(onward_dnslist_new(resolver, &o, &host, &dnslist) == 0);
    if (cut != NULL)
        onward_resolver_load(
            resolver,
            (struct onward_str){(const char *)cut + 1, size - len - 1}, NULL);
    err = onward_dnslist_add(dnslist, ONWARD_DNSLIST_BLOCK, list);
    FUZZ_CHECK(err == (onward_dnslist_is_list(list) ? 0 : ONWARD_ESYNTAX));
    if (err == 0)
        check_code(list);
    while (onward_desk_run(desk, 0) == 1)
        continue;
    FUZZ_CHECK(ended == 1);
    text = onward_dnslist_text(dnslist);
    FUZZ_CHECK((text.len > 0) ==
               (onward_dnslist_result(dnslist) == ONWARD_DNSLIST_BLOCKED));
    FUZZ_CHECK(text.len <= 500);
    for (size_t i = 0; i < text.len; i++)
        FUZZ_CHECK(text.data[i] >= ' ' && text.data[i] <= '~');
    onward_dnslist_free(dnslist);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    return 0;
}
