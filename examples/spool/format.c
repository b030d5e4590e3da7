/* The octets of a file of the spool. What is read is taken for hostile: every
 * length is held against what is there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <onward/smtp_common.h>

#include "spool.h"

enum { VERSION = 1, FIELD_HEAD = 4, TEXT_MAX = 4096 };

/* Numbers are in files: never another meaning for one. */
enum tag {
    TAG_ORIGIN = 1,
    TAG_REVERSE_PATH = 2,
    TAG_NOTICE_PATH = 3,
    TAG_ENVID = 4,
    TAG_RECEIVED_FROM = 5,
    TAG_LOG_ID = 6,
    TAG_RET = 7,
    TAG_BODY = 8,
    TAG_SMTPUTF8 = 9,
    TAG_REQUIRE_TLS = 10,
    TAG_TLS_OPTIONAL = 11,
    TAG_ARRIVAL = 12,
    TAG_HOLD = 13,
    TAG_PLACE = 14,
    TAG_NO_WAY = 15,
    TAG_RCPT = 32, /* its address; begins a recipient */
    TAG_RCPT_DOMAIN = 33,
    TAG_RCPT_ORCPT = 34,
    TAG_RCPT_NOTIFY = 35,
    TAG_RCPT_HEIR = 36,
    TAG_NAME = 48, /* its address; begins a name */
    TAG_NAME_ORCPT = 49,
    TAG_NAME_NOTIFY = 50,
    /* Of records. */
    TAG_INDEX = 64,
    TAG_FATE = 65,
    TAG_ATTEMPTS = 66,
    TAG_DELAY_TOLD = 67,
    TAG_LAST = 68,
    TAG_NEXT = 69,
    TAG_CODE = 70,
    TAG_ENHANCED = 71,
    TAG_TEXT = 72,
    TAG_HOST = 73,
    TAG_HELD = 74
};

/* ---- Checksum ---------------------------------------------------------- */

/* CRC-32 of IEEE 802.3, four bits at a step: a table that fits in a line. */
uint32_t spool_crc(uint32_t before, const void *data, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const unsigned char *p = data;
    uint32_t crc = ~before;

    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

/* ---- Numbers ----------------------------------------------------------- */

static void put_number(unsigned char *out, uint64_t n, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        out[i] = (unsigned char)(n >> (8 * i));
}

static uint64_t get_number(const unsigned char *in, size_t octets)
{
    uint64_t n = 0;

    for (size_t i = 0; i < octets; i++)
        n |= (uint64_t)in[i] << (8 * i);
    return n;
}

/* ---- The head ---------------------------------------------------------- */

void spool_head_write(const struct spool_head *head,
                      unsigned char out[SPOOL_HEAD])
{
    memcpy(out, "oMSG", 4);
    put_number(out + 4, VERSION, 4);
    put_number(out + 8, head->envelope_len, 4);
    put_number(out + 12, head->envelope_crc, 4);
    put_number(out + 16, head->content_len, 8);
    put_number(out + 24, head->content_crc, 4);
    put_number(out + 28, spool_crc(0, out, 28), 4);
}

bool spool_head_read(const unsigned char in[SPOOL_HEAD],
                     struct spool_head *head)
{
    if (memcmp(in, "oMSG", 4) != 0 || get_number(in + 4, 4) != VERSION ||
        get_number(in + 28, 4) != spool_crc(0, in, 28))
        return false;
    head->envelope_len = (uint32_t)get_number(in + 8, 4);
    head->envelope_crc = (uint32_t)get_number(in + 12, 4);
    head->content_len = get_number(in + 16, 8);
    head->content_crc = (uint32_t)get_number(in + 24, 4);
    return head->envelope_len <= SPOOL_ENVELOPE_MAX &&
           head->content_len <= INT64_MAX / 2;
}

/* ---- Fields, written --------------------------------------------------- */

struct writer {
    unsigned char *out; /* NULL: only counts */
    size_t len, cap;
    bool is_too_long;
};

static void put(struct writer *w, enum tag tag, const void *data, size_t len)
{
    if (len > TEXT_MAX || FIELD_HEAD + len > w->cap - w->len) {
        w->is_too_long = true;
        return;
    }
    if (w->out != NULL) {
        put_number(w->out + w->len, tag, 2);
        put_number(w->out + w->len + 2, len, 2);
        if (len > 0)
            memcpy(w->out + w->len + FIELD_HEAD, data, len);
    }
    w->len += FIELD_HEAD + len;
}

/* What is empty or 0 is left out. */
static void put_text(struct writer *w, enum tag tag, struct onward_str s)
{
    if (s.len > 0)
        put(w, tag, s.data, s.len);
}

static void put_int(struct writer *w, enum tag tag, uint64_t n)
{
    unsigned char octets[8];

    if (n == 0)
        return;
    put_number(octets, n, 8);
    put(w, tag, octets, 8);
}

static void write_envelope(struct writer *w, const struct spool_envelope *e)
{
    put_int(w, TAG_ORIGIN, e->origin);
    put_text(w, TAG_REVERSE_PATH, e->reverse_path);
    put_text(w, TAG_NOTICE_PATH, e->notice_path);
    put_text(w, TAG_ENVID, e->envid);
    put_text(w, TAG_RECEIVED_FROM, e->received_from);
    put_text(w, TAG_LOG_ID, e->log_id);
    put_int(w, TAG_RET, e->ret);
    put_int(w, TAG_BODY, e->body);
    put_int(w, TAG_SMTPUTF8, e->smtputf8);
    put_int(w, TAG_REQUIRE_TLS, e->require_tls);
    put_int(w, TAG_TLS_OPTIONAL, e->tls_optional);
    put_int(w, TAG_ARRIVAL, (uint64_t)e->arrival_s);
    put_int(w, TAG_HOLD, (uint64_t)e->hold);
    put_text(w, TAG_PLACE, e->place);
    put_int(w, TAG_NO_WAY, e->has_no_way);
    for (size_t i = 0; i < e->rcpt_count; i++) {
        put(w, TAG_RCPT, e->rcpts[i].address.data, e->rcpts[i].address.len);
        put_text(w, TAG_RCPT_DOMAIN, e->rcpts[i].domain);
        put_text(w, TAG_RCPT_ORCPT, e->rcpts[i].orcpt);
        put_int(w, TAG_RCPT_NOTIFY, e->rcpts[i].notify);
        put_int(w, TAG_RCPT_HEIR, e->rcpts[i].is_heir);
    }
    for (size_t i = 0; i < e->name_count; i++) {
        put(w, TAG_NAME, e->names[i].address.data, e->names[i].address.len);
        put_text(w, TAG_NAME_ORCPT, e->names[i].orcpt);
        put_int(w, TAG_NAME_NOTIFY, e->names[i].notify);
    }
}

unsigned char *spool_envelope_write(const struct spool_envelope *envelope,
                                    size_t *len)
{
    struct writer w = {.cap = SPOOL_ENVELOPE_MAX};

    write_envelope(&w, envelope);
    if (w.is_too_long || envelope->rcpt_count == 0 ||
        envelope->rcpt_count > SPOOL_RCPTS_MAX ||
        envelope->name_count > SPOOL_RCPTS_MAX) {
        errno = EINVAL;
        return NULL;
    }
    w.out = malloc(w.len);
    if (w.out == NULL)
        return NULL;
    w.len = 0;
    write_envelope(&w, envelope);
    *len = w.len;
    return w.out;
}

/* ---- Fields, read ------------------------------------------------------ */

struct field {
    size_t tag;
    struct onward_str text;
    uint64_t number; /* when it is one */
    bool is_number;
};

/* The next field; false at the end, or with *at past the end: broken. */
static bool get(const unsigned char *in, size_t len, size_t *at,
                struct field *f)
{
    size_t size;

    if (*at == len)
        return false;
    if (len - *at < FIELD_HEAD) {
        *at = SIZE_MAX;
        return false;
    }
    f->tag = (size_t)get_number(in + *at, 2);
    size = (size_t)get_number(in + *at + 2, 2);
    if (size > TEXT_MAX || size > len - *at - FIELD_HEAD) {
        *at = SIZE_MAX;
        return false;
    }
    f->text.data = (const char *)in + *at + FIELD_HEAD;
    f->text.len = size;
    f->is_number = size == 8;
    f->number = f->is_number ? get_number(in + *at + FIELD_HEAD, 8) : 0;
    *at += FIELD_HEAD + size;
    return true;
}

/* A line break or a NUL in a path could become a command of its own. */
static bool is_clean(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] < ' ' || s.data[i] == 127)
            return false;
    }
    return true;
}

static bool take_text(struct onward_str *to, const struct field *f)
{
    *to = f->text;
    return is_clean(f->text);
}

static bool take_size(size_t *to, const struct field *f, uint64_t most)
{
    *to = (size_t)f->number;
    return f->is_number && f->number <= most;
}

static bool take_time(int64_t *to, const struct field *f)
{
    *to = (int64_t)f->number;
    return f->is_number && f->number <= INT64_MAX;
}

static bool is_notify(size_t notify)
{
    return notify == ONWARD_SMTP_NOTIFY_NEVER ||
           (notify <= 15 && (notify & ONWARD_SMTP_NOTIFY_NEVER) == 0);
}

static bool take_rcpt(struct spool_envelope *e, const struct field *f)
{
    struct spool_rcpt *r = e->rcpts + (e->rcpt_count - 1);

    if (f->tag == TAG_RCPT) {
        r = e->rcpts + e->rcpt_count++;
        return take_text(&r->address, f);
    }
    if (e->rcpt_count == 0)
        return false;
    if (f->tag == TAG_RCPT_DOMAIN)
        return take_text(&r->domain, f);
    if (f->tag == TAG_RCPT_ORCPT)
        return take_text(&r->orcpt, f);
    if (f->tag == TAG_RCPT_HEIR)
        return take_size(&r->is_heir, f, 1) && e->rcpt_count > 1;
    return take_size(&r->notify, f, 15) && is_notify(r->notify);
}

static bool take_name(struct spool_envelope *e, const struct field *f)
{
    struct spool_name *n = e->names + (e->name_count - 1);

    if (f->tag == TAG_NAME) {
        n = e->names + e->name_count++;
        return take_text(&n->address, f);
    }
    if (e->name_count == 0)
        return false;
    if (f->tag == TAG_NAME_ORCPT)
        return take_text(&n->orcpt, f);
    return take_size(&n->notify, f, 15) && is_notify(n->notify);
}

static bool take_origin(struct spool_envelope *e, const struct field *f)
{
    e->origin = (enum spool_origin)f->number;
    return f->is_number && f->number >= SPOOL_RELAYED &&
           f->number <= SPOOL_REPORT;
}

static bool take_field(struct spool_envelope *e, const struct field *f)
{
    switch (f->tag) {
    case TAG_ORIGIN:
        return take_origin(e, f);
    case TAG_REVERSE_PATH:
        return take_text(&e->reverse_path, f);
    case TAG_NOTICE_PATH:
        return take_text(&e->notice_path, f);
    case TAG_ENVID:
        return take_text(&e->envid, f);
    case TAG_RECEIVED_FROM:
        return take_text(&e->received_from, f);
    case TAG_LOG_ID:
        return take_text(&e->log_id, f);
    case TAG_RET:
        return take_size(&e->ret, f, ONWARD_SMTP_RET_HDRS);
    case TAG_BODY:
        return take_size(&e->body, f, ONWARD_SMTP_BODY_BINARYMIME);
    case TAG_SMTPUTF8:
        return take_size(&e->smtputf8, f, 1);
    case TAG_REQUIRE_TLS:
        return take_size(&e->require_tls, f, 1);
    case TAG_TLS_OPTIONAL:
        return take_size(&e->tls_optional, f, 1);
    case TAG_ARRIVAL:
        return take_time(&e->arrival_s, f);
    case TAG_HOLD:
        return take_time(&e->hold, f) && e->hold == 1;
    case TAG_PLACE:
        return take_text(&e->place, f);
    case TAG_NO_WAY:
        return take_size(&e->has_no_way, f, 1);
    case TAG_RCPT:
    case TAG_RCPT_DOMAIN:
    case TAG_RCPT_ORCPT:
    case TAG_RCPT_NOTIFY:
    case TAG_RCPT_HEIR:
        return take_rcpt(e, f);
    case TAG_NAME:
    case TAG_NAME_ORCPT:
    case TAG_NAME_NOTIFY:
        return take_name(e, f);
    default:
        return false;
    }
}

/* Are all fields whole, and how many recipients and names are there? */
static bool count(const unsigned char *in, size_t len, size_t *rcpts,
                  size_t *names)
{
    struct field f;
    size_t at = 0;

    *rcpts = *names = 0;
    while (get(in, len, &at, &f)) {
        *rcpts += f.tag == TAG_RCPT;
        *names += f.tag == TAG_NAME;
    }
    return at == len && *rcpts > 0 && *rcpts <= SPOOL_RCPTS_MAX &&
           *names <= SPOOL_RCPTS_MAX;
}

static int damaged(struct spool_envelope *e)
{
    spool_envelope_clear(e);
    errno = EBADMSG;
    return -1;
}

int spool_envelope_read(const unsigned char *in, size_t len,
                        struct spool_envelope *e)
{
    size_t rcpts, names, at = 0;
    struct field f;

    *e = (struct spool_envelope){0};
    if (!count(in, len, &rcpts, &names))
        return damaged(e);
    e->rcpts = calloc(rcpts, sizeof(*e->rcpts));
    e->names = calloc(names + 1, sizeof(*e->names));
    if (e->rcpts == NULL || e->names == NULL) {
        spool_envelope_clear(e);
        errno = ENOMEM;
        return -1;
    }
    while (get(in, len, &at, &f)) {
        if (!take_field(e, &f))
            return damaged(e);
    }
    return e->origin == 0 ? damaged(e) : 0;
}

void spool_envelope_clear(struct spool_envelope *envelope)
{
    free(envelope->rcpts);
    free(envelope->names);
    *envelope = (struct spool_envelope){0};
}

/* ---- Records ----------------------------------------------------------- */

size_t spool_record_write(const struct spool_record *record,
                          unsigned char out[SPOOL_RECORD_MAX])
{
    struct writer w = {.out = out + SPOOL_RECORD_HEAD,
                       .cap = SPOOL_RECORD_MAX - SPOOL_RECORD_HEAD};
    const struct spool_state *s = &record->state;

    if (record->rcpt == SIZE_MAX) {
        /* 1 or 2: a record of nothing would be no field at all. */
        put_int(&w, TAG_HELD, record->is_held ? 1 : 2);
    } else {
        put_int(&w, TAG_INDEX, record->rcpt + 1);
        put_int(&w, TAG_FATE, s->fate);
        put_int(&w, TAG_ATTEMPTS, s->attempts);
        put_int(&w, TAG_DELAY_TOLD, s->is_delay_told);
        put_int(&w, TAG_LAST, (uint64_t)s->last_s);
        put_int(&w, TAG_NEXT, (uint64_t)s->next_s);
        put_int(&w, TAG_CODE, s->code);
        put_text(&w, TAG_ENHANCED, onward_str_of(s->enhanced));
        put_text(&w, TAG_TEXT, onward_str_of(s->text));
        put_text(&w, TAG_HOST, onward_str_of(s->host));
    }
    memcpy(out, "oREC", 4);
    put_number(out + 4, w.len, 4);
    put_number(out + 8, spool_crc(0, w.out, w.len), 4);
    return SPOOL_RECORD_HEAD + w.len;
}

/* A text of a fixed size, made printable: it goes to terminals and notices. */
static bool take_chars(char *to, size_t cap, const struct field *f)
{
    if (f->text.len >= cap || memchr(f->text.data, '\0', f->text.len) != NULL)
        return false;
    memcpy(to, f->text.data, f->text.len);
    to[f->text.len] = '\0';
    return true;
}

static bool take_u32(uint32_t *to, const struct field *f)
{
    *to = (uint32_t)f->number;
    return f->is_number && f->number <= UINT32_MAX;
}

static bool take_fate(enum spool_fate *to, const struct field *f)
{
    *to = (enum spool_fate)f->number;
    return f->is_number && f->number <= SPOOL_FAILED;
}

static bool take_index(size_t *to, const struct field *f)
{
    *to = (size_t)f->number - 1;
    return f->is_number && f->number >= 1 && f->number <= SPOOL_RCPTS_MAX;
}

static bool take_record_field(struct spool_record *r, const struct field *f)
{
    struct spool_state *s = &r->state;

    switch (f->tag) {
    case TAG_INDEX:
        return take_index(&r->rcpt, f);
    case TAG_FATE:
        return take_fate(&s->fate, f);
    case TAG_ATTEMPTS:
        return take_u32(&s->attempts, f);
    case TAG_DELAY_TOLD:
        s->is_delay_told = true;
        return f->is_number && f->number == 1;
    case TAG_LAST:
        return take_time(&s->last_s, f);
    case TAG_NEXT:
        return take_time(&s->next_s, f);
    case TAG_CODE:
        return take_u32(&s->code, f);
    case TAG_ENHANCED:
        return take_chars(s->enhanced, sizeof(s->enhanced), f);
    case TAG_TEXT:
        return take_chars(s->text, sizeof(s->text), f);
    case TAG_HOST:
        return take_chars(s->host, sizeof(s->host), f);
    case TAG_HELD:
        r->is_held = f->number == 1;
        return f->is_number && (f->number == 1 || f->number == 2);
    default:
        return false;
    }
}

size_t spool_record_read(const unsigned char *in, size_t len,
                         struct spool_record *record)
{
    size_t body, at = 0;
    struct field f;

    *record = (struct spool_record){.rcpt = SIZE_MAX};
    if (len < SPOOL_RECORD_HEAD || memcmp(in, "oREC", 4) != 0)
        return 0;
    body = (size_t)get_number(in + 4, 4);
    if (body == 0 || body > SPOOL_RECORD_MAX - SPOOL_RECORD_HEAD ||
        body > len - SPOOL_RECORD_HEAD)
        return 0;
    in += SPOOL_RECORD_HEAD;
    if (get_number(in - 4, 4) != spool_crc(0, in, body))
        return 0;
    while (get(in, body, &at, &f)) {
        if (!take_record_field(record, &f))
            return 0;
    }
    return at == body ? SPOOL_RECORD_HEAD + body : 0;
}

/* ---- Domains ----------------------------------------------------------- */

struct onward_str spool_domain(const struct spool_rcpt *rcpt)
{
    struct onward_str address = rcpt->address;
    size_t at = address.len;

    if (rcpt->domain.len > 0)
        return rcpt->domain;
    while (at > 0 && address.data[at - 1] != '@')
        at--;
    return (struct onward_str){address.data + at, address.len - at};
}

/* ---- Ids --------------------------------------------------------------- */

/* Letters, digits and hyphens: safe as a name in a folder, in a terminal, in
 * Received. */
bool spool_is_id(const char *text)
{
    size_t len = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz-");

    return len > 0 && len < SPOOL_ID_MAX && text[len] == '\0' && text[0] != '-';
}
