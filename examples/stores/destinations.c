#define _GNU_SOURCE
#include "destinations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <onward/address.h>

#include "json.h"

#define PREFIX DESTINATION_PREFIX
#define SECRET DESTINATION_SECRET

enum { KEY_MAX = sizeof(PREFIX) + DESTINATION_TEXT_MAX, VALUE_MAX = 100 };
enum { SECRET_BYTES = 32, NONCE_LEN = 16 };

static const char *const names[] = {"?", "pending", "verified", "revoked"};
/* As the audit log of rules has them. */
static const char *const audited[] = {"unknown", "unverified", "verified",
                                      "revoked"};

const char *destination_state_name(enum destination_state state)
{
    return names[state <= DESTINATION_REVOKED ? state : 0];
}

/* ---- Octets ------------------------------------------------------------ */

static struct onward_str make_key(struct onward_str address, char key[KEY_MAX])
{
    int len = snprintf(key, KEY_MAX, "%s%.*s", PREFIX, (int)address.len,
                       address.data);

    return (struct onward_str){key, len < KEY_MAX ? (size_t)len : KEY_MAX - 1};
}

/* "verified 1795353896 NONCE", "-" for none. */
static bool parse(struct onward_str value, struct destination *out)
{
    char text[VALUE_MAX], word[16], nonce[NONCE_LEN + 1];
    long long since_s;
    int end = -1;

    if (value.len >= sizeof(text))
        return false;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    if (sscanf(text, "%15s %19lld %16s%n", word, &since_s, nonce, &end) != 3 ||
        end < 0 || (size_t)end != value.len)
        return false;
    for (int i = DESTINATION_PENDING; i <= DESTINATION_REVOKED; i++) {
        if (strcmp(word, names[i]) != 0)
            continue;
        out->state = (enum destination_state)i;
        out->since_s = since_s;
        strcpy(out->nonce, strcmp(nonce, "-") == 0 ? "" : nonce);
        return true;
    }
    return false;
}

/* Forwarders that have a copy look at this alone, to see that there is
 * something new. */
static void tell_others(const struct shelf *s)
{
    char when[32];
    const struct lmdb_item serial = {
        .key = ONWARD_STR(DESTINATION_SERIAL),
        .value = {when, (size_t)snprintf(when, sizeof(when), "%lld",
                                         (long long)time(NULL))},
        .flags = ONWARD_STORE_KEEP};

    /* Without it they see it later. */
    if (s->redis != NULL)
        (void)shelf_write(s, &serial);
}

/* 1; 0: somebody else has changed it meanwhile; -1. */
static int put(const struct shelf *s, struct onward_str address,
               const struct destination *d)
{
    char key[KEY_MAX], value[VALUE_MAX];
    int len = snprintf(value, sizeof(value), "%s %lld %s",
                       destination_state_name(d->state), (long long)d->since_s,
                       d->nonce[0] == '\0' ? "-" : d->nonce);
    const struct lmdb_item item = {
        .key = make_key(address, key),
        .value = {value, (size_t)len},
        .version = d->version,
        .flags = ONWARD_STORE_KEEP |
                 (d->version == 0 ? (uint32_t)ONWARD_STORE_IF_ABSENT
                                  : (uint32_t)ONWARD_STORE_IF_VERSION)};
    int ret = shelf_write(s, &item);

    if (ret != 0)
        tell_others(s);
    return ret;
}

/* ---- What is known ----------------------------------------------------- */

bool destination_name(struct onward_ctx *ctx, const char *text,
                      char out[DESTINATION_TEXT_MAX])
{
    struct onward_mailbox *m = NULL;
    struct onward_str local, domain;
    int len;

    if (onward_mailbox_parse(ctx, onward_str_of(text), 0, &m) != 0)
        return false;
    local = onward_mailbox_local_part(m);
    domain = onward_mailbox_domain_ascii(m);
    len = snprintf(out, DESTINATION_TEXT_MAX, "%.*s@%.*s", (int)local.len,
                   local.data, (int)domain.len, domain.data);
    onward_mailbox_free(m);
    return domain.len > 0 && len < DESTINATION_TEXT_MAX;
}

int destination_get(const struct shelf *s, struct onward_str address,
                    struct destination *out)
{
    char key[KEY_MAX], value[VALUE_MAX];
    struct lmdb_item item;
    int ret;

    *out = (struct destination){0};
    if (address.len >= DESTINATION_TEXT_MAX)
        return 0;
    item.key = make_key(address, key);
    ret = shelf_read(s, &item, value, sizeof(value));
    if (ret == 1)
        out->version = item.version;
    /* One that cannot be read could be revoked. */
    return ret == 1 && !parse(item.value, out) ? -1 : ret;
}

int destination_fact(const struct shelf *s, struct onward_str address)
{
    struct destination d;
    int ret = destination_get(s, address, &d);

    if (ret <= 0)
        return ret;
    return d.state == DESTINATION_VERIFIED  ? 1
           : d.state == DESTINATION_REVOKED ? 2
                                            : 0;
}

bool destination_read(struct onward_str key, struct onward_str value,
                      struct onward_str *address, struct destination *d)
{
    const size_t skip = sizeof(PREFIX) - 1;

    *d = (struct destination){0};
    if (key.len <= skip || key.len - skip >= DESTINATION_TEXT_MAX ||
        memcmp(key.data, PREFIX, skip) != 0)
        return false;
    *address = (struct onward_str){key.data + skip, key.len - skip};
    return parse(value, d);
}

struct walk {
    void (*visit)(void *user, struct onward_str address,
                  const struct destination *d);
    void *user;
};

static void visit(void *user, const struct lmdb_item *item)
{
    const struct walk *w = user;
    struct onward_str address;
    struct destination d;

    if (destination_read(item->key, item->value, &address, &d))
        w->visit(w->user, address, &d);
}

int destination_each(const struct shelf *s,
                     void (*each)(void *user, struct onward_str address,
                                  const struct destination *d),
                     void *user)
{
    struct walk w = {.visit = each, .user = user};

    return shelf_each(s, ONWARD_STR(PREFIX), visit, &w);
}

/* ---- Tokens ------------------------------------------------------------ */

/* The secret is made when it is needed first, by whoever needs it. */
static struct onward_token_minter *get_minter(const struct shelf *s,
                                              struct onward_ctx *ctx)
{
    struct onward_token_minter *minter = NULL;
    unsigned char octets[SECRET_BYTES];
    struct lmdb_item item = {.key = ONWARD_STR(SECRET)};
    int ret = shelf_read(s, &item, octets, sizeof(octets));

    if (ret == 0 && getrandom(octets, sizeof(octets), 0) == SECRET_BYTES) {
        item.value = (struct onward_str){(const char *)octets, SECRET_BYTES};
        item.flags = ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT;
        (void)shelf_write(s, &item);
        ret = shelf_read(s, &item, octets, sizeof(octets));
    }
    if (ret == 1 && item.value.len == SECRET_BYTES)
        (void)onward_token_minter_new(ctx, &item.value, 1, &minter);
    explicit_bzero(octets, sizeof(octets));
    return minter;
}

/* In one case, as links are typed, and no token looks like an option. */
static const struct onward_token_opts token_opts = {
    .size = sizeof(token_opts),
    .purpose = {"destination", sizeof("destination") - 1},
    .form = ONWARD_TOKEN_BASE32};

static bool make_nonce(char nonce[NONCE_LEN + 1])
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return false;
    snprintf(nonce, NONCE_LEN + 1, "%016llx", (unsigned long long)number);
    return true;
}

int destination_invite(const struct shelf *s, struct onward_ctx *ctx,
                       struct onward_str address, int64_t expires_s,
                       char token[ONWARD_TOKEN_TEXT_MAX])
{
    char payload[NONCE_LEN + DESTINATION_TEXT_MAX];
    struct onward_token_minter *minter;
    struct destination d;
    int len, ret = destination_get(s, address, &d);

    if (ret == 1 && d.state == DESTINATION_VERIFIED)
        return 0;
    if (ret < 0 || !make_nonce(d.nonce))
        return -1;
    if (ret == 0)
        d.state = DESTINATION_PENDING;
    d.since_s = (int64_t)time(NULL);
    len = snprintf(payload, sizeof(payload), "%s%.*s", d.nonce,
                   (int)address.len, address.data);
    minter = get_minter(s, ctx);
    ret = minter != NULL &&
                  onward_token_mint(minter, &token_opts,
                                    (struct onward_str){payload, (size_t)len},
                                    expires_s, token,
                                    ONWARD_TOKEN_TEXT_MAX) > 0 &&
                  put(s, address, &d) == 1
              ? 1
              : -1;
    onward_token_minter_free(minter);
    return ret;
}

/* 1, 0, -1 as destination_redeem(); the payload. */
static int open_token(const struct shelf *s, struct onward_ctx *ctx,
                      struct onward_str token, char *payload, size_t cap,
                      struct onward_str *out)
{
    struct onward_token_minter *minter = get_minter(s, ctx);
    int verdict = ONWARD_TOKEN_MALFORMED;
    int len = minter == NULL ? -1
                             : onward_token_check(minter, &token_opts, token,
                                                  payload, cap, NULL, &verdict);

    onward_token_minter_free(minter);
    if (len < 0)
        return -1;
    *out = (struct onward_str){payload, (size_t)len};
    return verdict == ONWARD_TOKEN_OK && len > NONCE_LEN;
}

int destination_redeem(const struct shelf *s, struct onward_ctx *ctx,
                       struct onward_str token, bool confirm,
                       char address[DESTINATION_TEXT_MAX],
                       struct destination *before)
{
    char payload[NONCE_LEN + DESTINATION_TEXT_MAX];
    struct onward_str text, whose;
    struct destination d;
    int ret = open_token(s, ctx, token, payload, sizeof(payload), &text);

    if (ret <= 0)
        return ret;
    whose = (struct onward_str){text.data + NONCE_LEN, text.len - NONCE_LEN};
    ret = destination_get(s, whose, &d);
    if (ret <= 0)
        return ret;
    if (memcmp(d.nonce, text.data, NONCE_LEN) != 0)
        return 0;
    snprintf(address, DESTINATION_TEXT_MAX, "%.*s", (int)whose.len, whose.data);
    if (before != NULL)
        *before = d;
    if (!confirm)
        return 1;
    d.state = DESTINATION_VERIFIED;
    d.since_s = (int64_t)time(NULL);
    d.nonce[0] = '\0';
    /* Of two at once, one. */
    return put(s, whose, &d);
}

int destination_revoke(const struct shelf *s, struct onward_str address)
{
    struct destination d;
    int ret = destination_get(s, address, &d);

    if (ret < 0)
        return -1;
    d.state = DESTINATION_REVOKED;
    d.since_s = (int64_t)time(NULL);
    d.nonce[0] = '\0';
    return put(s, address, &d) == 1 ? 0 : -1;
}

/* ---- Where they are kept ----------------------------------------------- */

int destination_home(struct lmdb_store *s, char url[DESTINATION_HOME_MAX])
{
    struct lmdb_item item = {.key = ONWARD_STR(DESTINATION_HOME)};
    int ret = lmdb_store_read(s, &item, url, DESTINATION_HOME_MAX - 1);

    url[ret == 1 ? item.value.len : 0] = '\0';
    return ret;
}

int destination_set_home(struct lmdb_store *s, const char *url)
{
    const struct lmdb_item item = {.key = ONWARD_STR(DESTINATION_HOME),
                                   .value = onward_str_of(url),
                                   .flags = ONWARD_STORE_KEEP};

    return url[0] == '\0' ? lmdb_store_erase(s, item.key)
                          : lmdb_store_write(s, &item);
}

/* ---- Audit ------------------------------------------------------------- */

void destination_audit(FILE *out, const char *by, struct onward_str address,
                       const struct destination *before,
                       enum destination_state after)
{
    char when[32];
    time_t now = time(NULL);
    struct json j = {.out = out};
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_open(&j, NULL, '{');
    json_text(&j, "time", when);
    json_text(&j, "event", "audit");
    json_text(&j, "change", before->state == 0 ? "added" : "updated");
    json_text(&j, "what", "address");
    json_null(&j, "zone");
    json_str(&j, "address", address);
    json_text(&j, "was", audited[before->state]);
    json_text(&j, "is", audited[after]);
    json_text(&j, "by", by);
    json_close(&j, '}');
    json_end(&j);
    fflush(out);
}
