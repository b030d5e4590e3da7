/*
 * TLSA records that may hold anything. The first octet chooses what is said of
 * the MX; then records, each behind two octets of its length. What a look-up
 * lets count is usable, once, and taken by TLS as a demand; where a record is
 * usable the result is never less than that.
 */
#include "fuzz.h"

#include <onward/dane.h>

#include "core/core_shared.h"

enum { RECORDS_MAX = 32, TEXT_MAX = 65536 };

static void done(void *user, struct onward_dane_lookup *lookup)
{
    (void)lookup;
    ++*(int *)user;
}

/* As a line of TYPE52; the records that are usable. */
static size_t zone_of(const uint8_t *data, size_t size, struct onward_buf *out)
{
    static const char hex[] = "0123456789abcdef";
    size_t usable = 0, at = 0;

    while (size - at >= 2) {
        struct onward_dane_record r = {.size = sizeof(r)};
        size_t len = (size_t)data[at] << 8 | data[at + 1];
        struct onward_str rdata;
        int ret;

        at += 2;
        if (len > size - at)
            len = size - at;
        rdata = onward_core__str(data + at, len);
        ret = onward_dane_record_parse(rdata, &r);
        FUZZ_CHECK(ret == (r.problem == ONWARD_DANE_PROBLEM_NONE));
        FUZZ_CHECK(r.data.len == (len < 4 ? 0 : len - 3));
        usable += (size_t)ret;
        onward_core__buf_add_text(out, "_25._tcp.mx.example TYPE52 \\# ");
        onward_core__buf_add_u64(out, len);
        onward_core__buf_add_text(out, " ");
        for (size_t i = 0; i < len; i++) {
            onward_core__buf_add_byte(out,
                                      (unsigned char)hex[data[at + i] >> 4]);
            onward_core__buf_add_byte(out,
                                      (unsigned char)hex[data[at + i] & 15]);
        }
        onward_core__buf_add_text(out, "\n");
        at += len;
    }
    return usable;
}

static void check_records(const struct onward_dane_lookup *l, size_t usable)
{
    struct onward_tls_demand demand = {.size = sizeof(demand)};
    size_t count = onward_dane_lookup_count(l);

    FUZZ_CHECK((count > 0) == (usable > 0));
    FUZZ_CHECK(count <= RECORDS_MAX && count <= usable);
    for (size_t i = 0; i < count; i++) {
        struct onward_dane_record r = {.size = sizeof(r)};
        struct onward_str rdata = onward_dane_lookup_record(l, i);

        FUZZ_CHECK(onward_dane_record_parse(rdata, &r) == 1);
        for (size_t j = 0; j < i; j++)
            FUZZ_CHECK(
                !onward_core__str_eq(rdata, onward_dane_lookup_record(l, j)));
    }
    FUZZ_CHECK(onward_dane_lookup_demand(l, &demand) == 0);
    FUZZ_CHECK(demand.tlsa_count == count);
    if (onward_dane_lookup_answer_count(l) > 0)
        FUZZ_CHECK(demand.level ==
                   (count > 0 ? ONWARD_TLS_DANE : ONWARD_TLS_ENCRYPTED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    struct onward_dane_opts o = {.size = sizeof(o),
                                 .host = ONWARD_STR("mx.example"),
                                 .next_hop = ONWARD_STR("example.org")};
    int ended = 0;
    const struct onward_dane_lookup_host host = {
        .size = sizeof(host), .user = &ended, .done = done};
    struct onward_dane_lookup *lookup = NULL;
    struct onward_resolver *resolver;
    struct onward_desk *desk;
    struct onward_buf zone;
    size_t usable;

    if (size == 0 || size > 16384)
        return 0;
    o.origin = data[0] % 3;
    onward_core__buf_init(&zone, fuzz_ctx(), (size_t)TEXT_MAX * 8);
    onward_core__buf_add_text(&zone, "mx.example A 192.0.2.1\n"
                                     "mx.example ANY !SECURE\n"
                                     "_25._tcp.mx.example ANY !SECURE\n");
    usable = zone_of(data + 1, size - 1, &zone);
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &desk) == 0);
    FUZZ_CHECK(onward_resolver_new(desk, &ro, NULL, &resolver) == 0);
    if (zone.err == 0 &&
        onward_resolver_load(resolver, onward_core__buf_str(&zone), NULL) ==
            0) {
        FUZZ_CHECK(onward_dane_lookup_new(resolver, &o, &host, &lookup) == 0);
        while (onward_desk_run(desk, 0) == 1)
            continue;
        FUZZ_CHECK(ended == 1);
        /* A reply may be too large for the resolver: then nothing is known. */
        if (onward_dane_lookup_result(lookup) != ONWARD_DANE_RESULT_FAILED)
            check_records(lookup, usable);
    }
    onward_dane_lookup_free(lookup);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    onward_core__buf_clear(&zone);
    return 0;
}
