/*
 * Files of the forwarder's spool: the envelope and the records, behind their
 * checksums. What is read can be written and read again, and is the same; a
 * record that is cut anywhere is none; no text that was taken can end a line.
 */
#include "fuzz.h"

#include "spool.h"

static bool is_same(struct onward_str a, struct onward_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void check_clean(struct onward_str s)
{
    FUZZ_CHECK(s.len == 0 || (memchr(s.data, '\n', s.len) == NULL &&
                              memchr(s.data, '\r', s.len) == NULL &&
                              memchr(s.data, '\0', s.len) == NULL));
}

static void compare(const struct spool_envelope *a,
                    const struct spool_envelope *b)
{
    FUZZ_CHECK(a->origin == b->origin && a->ret == b->ret &&
               a->body == b->body && a->smtputf8 == b->smtputf8 &&
               a->require_tls == b->require_tls &&
               a->tls_optional == b->tls_optional &&
               a->arrival_s == b->arrival_s && a->hold == b->hold);
    FUZZ_CHECK(is_same(a->reverse_path, b->reverse_path) &&
               is_same(a->notice_path, b->notice_path) &&
               is_same(a->envid, b->envid) &&
               is_same(a->received_from, b->received_from) &&
               is_same(a->log_id, b->log_id));
    FUZZ_CHECK(a->rcpt_count == b->rcpt_count &&
               a->name_count == b->name_count);
    for (size_t i = 0; i < a->rcpt_count; i++) {
        FUZZ_CHECK(is_same(a->rcpts[i].address, b->rcpts[i].address) &&
                   is_same(a->rcpts[i].domain, b->rcpts[i].domain) &&
                   is_same(a->rcpts[i].orcpt, b->rcpts[i].orcpt) &&
                   a->rcpts[i].notify == b->rcpts[i].notify);
        check_clean(a->rcpts[i].address);
        check_clean(a->rcpts[i].orcpt);
    }
    for (size_t i = 0; i < a->name_count; i++)
        FUZZ_CHECK(is_same(a->names[i].address, b->names[i].address) &&
                   is_same(a->names[i].orcpt, b->names[i].orcpt) &&
                   a->names[i].notify == b->names[i].notify);
    check_clean(a->reverse_path);
    check_clean(a->notice_path);
    check_clean(a->envid);
}

static void try_envelope(const uint8_t *data, size_t size)
{
    struct spool_envelope first, second;
    unsigned char *again;
    size_t len;

    if (spool_envelope_read(data, size, &first) != 0)
        return;
    again = spool_envelope_write(&first, &len);
    FUZZ_CHECK(again != NULL && len <= size);
    FUZZ_CHECK(spool_envelope_read(again, len, &second) == 0);
    compare(&first, &second);
    spool_envelope_clear(&first);
    spool_envelope_clear(&second);
    free(again);
}

/* With the head that they should have. */
static void try_record(const uint8_t *data, size_t size)
{
    unsigned char octets[SPOOL_RECORD_MAX], again[SPOOL_RECORD_MAX];
    struct spool_record first, second;
    uint32_t crc = spool_crc(0, data, size);
    size_t len;

    if (size > sizeof(octets) - SPOOL_RECORD_HEAD)
        return;
    memcpy(octets, "oREC", 4);
    for (int i = 0; i < 4; i++) {
        octets[4 + i] = (unsigned char)(size >> (8 * i));
        octets[8 + i] = (unsigned char)(crc >> (8 * i));
    }
    if (size > 0)
        memcpy(octets + SPOOL_RECORD_HEAD, data, size);
    len = spool_record_read(octets, SPOOL_RECORD_HEAD + size, &first);
    FUZZ_CHECK(len == 0 || len == SPOOL_RECORD_HEAD + size);
    if (len == 0)
        return;
    for (size_t cut = 0; cut < len; cut++)
        FUZZ_CHECK(spool_record_read(octets, cut, &second) == 0);
    len = spool_record_write(&first, again);
    FUZZ_CHECK(spool_record_read(again, len, &second) == len);
    FUZZ_CHECK(first.rcpt == second.rcpt);
    if (first.rcpt == SIZE_MAX)
        FUZZ_CHECK(first.is_held == second.is_held);
    else
        FUZZ_CHECK(first.state.fate == second.state.fate &&
                   first.state.attempts == second.state.attempts &&
                   first.state.next_s == second.state.next_s &&
                   strcmp(first.state.text, second.state.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_head head;
    struct spool_record record;

    if (size >= SPOOL_HEAD)
        (void)spool_head_read(data, &head);
    (void)spool_record_read(data, size, &record);
    try_envelope(data, size);
    try_record(data, size);
    return 0;
}
