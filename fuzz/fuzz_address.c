/*
 * An address that either grammar takes is written so that SMTP's grammar takes
 * it, as the same mailbox: nothing can be smuggled from a header into an
 * envelope by quoting.
 */
#include "fuzz.h"

#include "address/address_shared.h"

static struct onward_arena arena;
static struct onward_buf text;

/* strict: it came out of SMTP's grammar, so it must go in again. */
static void check_mailbox(const struct onward_address__mailbox *m, bool strict)
{
    struct onward_address__mailbox again;
    int ret;

    if (m->is_null || m->is_bare_postmaster)
        return;
    onward_core__buf_reset(&text);
    FUZZ_CHECK(onward_address__write(&text, m, ONWARD_ADDRESS_AS_WRITTEN) == 0);
    FUZZ_CHECK(memchr(text.data, '\r', text.len) == NULL);
    FUZZ_CHECK(memchr(text.data, '\n', text.len) == NULL);
    FUZZ_CHECK(memchr(text.data, '\0', text.len) == NULL);
    ret =
        onward_address__parse_mailbox(&arena, onward_core__buf_str(&text),
                                      ONWARD_ADDRESS_ALLOW_UTF8, &again, NULL);
    /* Needless backslashes are not written again, so it never gets longer. */
    FUZZ_CHECK(ret == 0 || !strict);
    if (ret == 0) {
        FUZZ_CHECK(onward_core__str_eq(m->local_part, again.local_part));
        FUZZ_CHECK(onward_address__equal(m, &again, false));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str in = onward_core__str(data, size);
    struct onward_address__fault fault = {0};
    struct onward_address__mailbox mailbox;
    struct onward_address__list list;
    size_t taken, count = 0;
    int ret;

    onward_core__arena_init(&arena, fuzz_ctx(), 1 << 26);
    onward_core__buf_init(&text, fuzz_ctx(), 1 << 26);
    ret = onward_address__parse_path(&arena, in,
                                     ONWARD_ADDRESS_REVERSE_PATH |
                                         ONWARD_ADDRESS_FORWARD_PATH |
                                         ONWARD_ADDRESS_ALLOW_UTF8,
                                     &mailbox, &taken, &fault);
    if (ret == 0) {
        FUZZ_CHECK(taken >= 2 && taken <= ONWARD_ADDRESS_PATH_MAX);
        FUZZ_CHECK(data[taken - 1] == '>');
        check_mailbox(&mailbox, true);
    } else {
        FUZZ_CHECK(fault.kind != ONWARD_ADDRESS_FAULT_NONE);
        FUZZ_CHECK(fault.at <= size && fault.what != NULL);
    }
    fault = (struct onward_address__fault){0};
    ret = onward_address__parse_list(&arena, in, 100, &list, &fault);
    FUZZ_CHECK(ret == 0 || (fault.at <= size && fault.what != NULL));
    for (struct onward_address__item *i = list.first; i != NULL; i = i->next) {
        check_mailbox(&i->mailbox, false);
        count++;
    }
    FUZZ_CHECK(count == list.count && (ret == 0 || count == 0));
    onward_core__buf_clear(&text);
    onward_core__arena_clear(&arena);
    return 0;
}
