/*
 * The table of functions over Redis. A value is a string: "ORst", the version
 * of this form (4 octets), the value's version (8), when it expires (8, all
 * big-endian), and the value. What depends on what is there is done by scripts,
 * which Redis runs one after the other.
 *
 * "onward:index" has all keys in order, so that a walk sees each once, which
 * SCAN does not promise. Redis lets expired values go by itself; each put looks
 * after a few keys of the index, from "onward:swept" on, and takes out those
 * that point to nothing.
 */
#define _GNU_SOURCE
#include "redis_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "redis_copy.h"
#include "redis_link.h"
#include "redis_url.h"

enum {
    ENVELOPE = 24,
    HEAD = 8,
    PAGE_ITEMS = 1000,
    PAGE_BYTES = 1 << 20,
    VALUE_BYTES = 1 << 20,
    TIMEOUT_MS = 1000,
    COPY_BYTES = 16 << 20
};

static const unsigned char head[HEAD] = {'O', 'R', 's', 't', 0, 0, 0, 1};

/* The version of what is there, or nil: nothing, not ours, or expired. */
#define LIVE                                                                   \
    "local function live(s)\n"                                                 \
    "  if not s or #s < 24 or string.sub(s, 1, 8) ~= ARGV[1] then\n"           \
    "    return nil\n"                                                         \
    "  end\n"                                                                  \
    "  local ends = struct.unpack('>I8', string.sub(s, 17, 24))\n"             \
    "  if ends ~= 0 and ends <= tonumber(ARGV[2]) then return nil end\n"       \
    "  return string.sub(s, 9, 16)\n"                                          \
    "end\n"

/* KEYS: key, index, swept. ARGV: head, now, value, milliseconds to live or
 * nothing, "a": absent, "v": that version, the version. */
static const char put_script[] =
    LIVE "local old = live(redis.call('GET', KEYS[1]))\n"
         "if string.find(ARGV[5], 'a') and old then return 0 end\n"
         "if string.find(ARGV[5], 'v') and old ~= ARGV[6] then return 0 end\n"
         "if ARGV[4] == '' then\n"
         "  redis.call('SET', KEYS[1], ARGV[3])\n"
         "elseif tonumber(ARGV[4]) <= 0 then\n"
         "  redis.call('DEL', KEYS[1])\n"
         "  return 1\n"
         "else\n"
         "  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])\n"
         "end\n"
         "redis.call('ZADD', KEYS[2], 0, KEYS[1])\n"
         "local from = redis.call('GET', KEYS[3])\n"
         "local names = redis.call('ZRANGEBYLEX', KEYS[2],\n"
         "  from and '(' .. from or '-', '+', 'LIMIT', 0, 4)\n"
         "for _, name in ipairs(names) do\n"
         "  if redis.call('EXISTS', name) == 0 then\n"
         "    redis.call('ZREM', KEYS[2], name)\n"
         "  end\n"
         "end\n"
         "if names[4] then redis.call('SET', KEYS[3], names[4])\n"
         "else redis.call('DEL', KEYS[3]) end\n"
         "return 1\n";

/* KEYS: key, index. ARGV: head, now, the version or nothing. */
static const char remove_script[] =
    LIVE "local old = live(redis.call('GET', KEYS[1]))\n"
         "if not old or (ARGV[3] ~= '' and old ~= ARGV[3]) then return 0 end\n"
         "redis.call('DEL', KEYS[1])\n"
         "redis.call('ZREM', KEYS[2], KEYS[1])\n"
         "return 1\n";

/* KEYS: index. ARGV: from, to, items, octets. The last name that was looked at,
 * empty at the end; then names and values. */
static const char walk_script[] =
    "local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2],\n"
    "  'LIMIT', 0, ARGV[3])\n"
    "local out, bytes, last = {''}, 0, ''\n"
    "for _, name in ipairs(names) do\n"
    "  local value = redis.call('GET', name)\n"
    "  if value then\n"
    "    bytes = bytes + #name + #value\n"
    "    if #out > 1 and bytes > tonumber(ARGV[4]) then\n"
    "      out[1] = last\n"
    "      return out\n"
    "    end\n"
    "    out[#out + 1] = name\n"
    "    out[#out + 1] = value\n"
    "  else\n"
    "    redis.call('ZREM', KEYS[1], name)\n"
    "  end\n"
    "  last = name\n"
    "end\n"
    "if #names == tonumber(ARGV[3]) then out[1] = last end\n"
    "return out\n";

enum verb { VERB_GET, VERB_PUT, VERB_REMOVE, VERB_WALK };

/* What was asked and not answered; in the order of the answers. */
struct asked {
    struct asked *next;
    uint64_t token;
    struct redis_asker asker; /* done is not NULL: it, and no token */
    enum verb verb;
    uint64_t version; /* put: that which it gets */
    int64_t expires_s;
    size_t max_items; /* walk */
    size_t key_len, value_len;
    char octets[]; /* the key, and what was put */
};

struct redis_store {
    struct onward_desk *desk;
    struct onward_store *handle;
    struct redis_store_opts opts;
    struct redis_link link;
    struct redis_copy *copy;
    struct asked *first, **last;
    bool is_up, was_told; /* that it is down */
    char *url;
};

static int64_t now_s(const struct redis_store *r)
{
    return r->opts.now_s != NULL ? r->opts.now_s(r->opts.user)
                                 : (int64_t)time(NULL);
}

static void warn(const struct redis_store *r, const char *what)
{
    char text[400];

    snprintf(text, sizeof(text), "%s: %s", r->url, what);
    if (r->opts.warn != NULL)
        r->opts.warn(r->opts.user, text);
}

static void put_u64(unsigned char *out, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (unsigned char)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const char *octets)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)octets[i];
    return value;
}

static bool has_expired(int64_t expires_s, int64_t now)
{
    return expires_s != 0 && expires_s <= now;
}

/* ---- Who asked --------------------------------------------------------- */

static void tell_value(const struct redis_store *r, const struct asked *a,
                       const struct redis_known *known)
{
    const struct redis_answer answer = {.status = 1,
                                        .value = known->value,
                                        .version = known->version,
                                        .expires_s = known->expires_s};

    if (a->asker.done != NULL)
        a->asker.done(a->asker.user, &answer);
    else
        (void)onward_store_answer_value(r->desk, a->token, known->value.data,
                                        known->value.len, known->version);
}

static void tell_error(const struct redis_store *r, const struct asked *a,
                       int error)
{
    const struct redis_answer answer = {.status =
                                            error == ONWARD_ENOENT ? 0 : -1};

    if (a->asker.done != NULL)
        a->asker.done(a->asker.user, &answer);
    else
        (void)onward_store_answer_error(r->desk, a->token, error);
}

static void tell_done(const struct redis_store *r, const struct asked *a,
                      bool is_done)
{
    const struct redis_answer answer = {.status = is_done ? 1 : 0,
                                        .version = is_done ? a->version : 0};

    if (a->asker.done != NULL)
        a->asker.done(a->asker.user, &answer);
    else
        (void)onward_store_answer_done(r->desk, a->token, is_done,
                                       answer.version);
}

/* false: the question has failed with that. */
static bool tell_item(const struct redis_store *r, const struct asked *a,
                      struct onward_str key, const struct redis_known *known)
{
    if (a->asker.done == NULL)
        return onward_store_answer_item(r->desk, a->token, key.data, key.len,
                                        known->value.data, known->value.len,
                                        known->version) == 0;
    a->asker.item(a->asker.user, key, known->value);
    return true;
}

static void tell_page(const struct redis_store *r, const struct asked *a,
                      struct onward_str cursor)
{
    const struct redis_answer answer = {.status = 1, .value = cursor};

    if (a->asker.done != NULL)
        a->asker.done(a->asker.user, &answer);
    else
        (void)onward_store_answer_page(r->desk, a->token, cursor.data,
                                       cursor.len);
}

/* ---- Without Redis ----------------------------------------------------- */

/* What was last known, or that it cannot be known. That there is nothing is
 * never said. */
static void get_known(struct redis_store *r, const struct asked *a,
                      struct onward_str key)
{
    struct redis_known known;

    if (a->asker.done != NULL || !redis_copy_get(r->copy, key, &known) ||
        has_expired(known.expires_s, now_s(r)))
        tell_error(r, a, ONWARD_ECALLBACK);
    else
        tell_value(r, a, &known);
}

static void fail(struct redis_store *r, const struct asked *a)
{
    const struct onward_str key = {a->octets, a->key_len};

    if (a->verb == VERB_GET) {
        get_known(r, a, key);
        return;
    }
    /* Done or not done: nobody knows. */
    if (a->verb != VERB_WALK)
        redis_copy_remove(r->copy, key);
    tell_error(r, a, ONWARD_ECALLBACK);
}

static void went_up(void *user)
{
    struct redis_store *r = user;

    r->is_up = true;
    if (r->was_told)
        warn(r, "up again");
    r->was_told = false;
}

static void went_down(void *user, const char *why)
{
    struct redis_store *r = user;
    struct asked *a = r->first, *next;

    r->is_up = false;
    r->first = NULL;
    r->last = &r->first;
    if (!r->was_told)
        warn(r, why);
    r->was_told = true;
    for (; a != NULL; a = next) {
        next = a->next;
        fail(r, a);
        free(a);
    }
}

/* ---- Answers ----------------------------------------------------------- */

/* A value in its envelope; false: not ours, of a later version, or cut off. */
static bool open_envelope(struct onward_str text, struct redis_known *out)
{
    if (text.len < ENVELOPE || memcmp(text.data, head, HEAD) != 0)
        return false;
    out->version = get_u64(text.data + HEAD);
    out->expires_s = (int64_t)get_u64(text.data + HEAD + 8);
    out->value.data = text.data + ENVELOPE;
    out->value.len = text.len - ENVELOPE;
    return out->version != 0;
}

static void warn_damaged(const struct redis_store *r)
{
    warn(r, "a value of an unknown version or cut off, taken as absent");
}

static bool got_value(struct redis_store *r, const struct asked *a,
                      const struct resp_value *v)
{
    const struct onward_str key = {a->octets, a->key_len};
    struct redis_known known;

    if (v->type != RESP_TEXT && v->type != RESP_NIL)
        return false;
    if (v->type == RESP_TEXT && !open_envelope(v->text, &known)) {
        warn_damaged(r);
    } else if (v->type == RESP_TEXT &&
               !has_expired(known.expires_s, now_s(r))) {
        redis_copy_put(r->copy, key, &known);
        tell_value(r, a, &known);
        return true;
    }
    redis_copy_remove(r->copy, key);
    tell_error(r, a, ONWARD_ENOENT);
    return true;
}

static bool got_done(struct redis_store *r, const struct asked *a,
                     const struct resp_value *v)
{
    const struct onward_str key = {a->octets, a->key_len};
    const struct redis_known known = {
        .value = {a->octets + a->key_len, a->value_len},
        .version = a->version,
        .expires_s = a->expires_s};

    if (v->type != RESP_NUMBER || v->number < 0 || v->number > 1)
        return false;
    redis_copy_remove(r->copy, key);
    if (a->verb == VERB_PUT && v->number == 1)
        redis_copy_put(r->copy, key, &known);
    tell_done(r, a, v->number == 1);
    return true;
}

static bool got_page(struct redis_store *r, const struct asked *a,
                     const struct resp_reply *reply)
{
    const struct resp_value *v = reply->values;

    if (v[0].type != RESP_ARRAY || v[0].number < 1 || v[0].number % 2 != 1 ||
        (size_t)v[0].number / 2 > a->max_items)
        return false;
    for (int64_t i = 1; i <= v[0].number; i++) {
        if (v[i].type != RESP_TEXT)
            return false;
    }
    for (int64_t i = 2; i < v[0].number; i += 2) {
        struct redis_known known;

        if (!open_envelope(v[i + 1].text, &known))
            warn_damaged(r);
        else if (!has_expired(known.expires_s, now_s(r)) &&
                 !tell_item(r, a, v[i].text, &known))
            return true;
    }
    tell_page(r, a, v[1].text);
    return true;
}

/* It is there and cannot do it: no memory left, or it has just started. */
static bool got_error(struct redis_store *r, const struct asked *a,
                      struct onward_str text)
{
    bool is_full = text.len >= 3 && memcmp(text.data, "OOM", 3) == 0;
    char what[200];

    snprintf(what, sizeof(what), "%.*s", (int)(text.len > 150 ? 150 : text.len),
             text.data);
    warn(r, what);
    if (is_full && a->verb == VERB_PUT)
        tell_error(r, a, ONWARD_ELIMIT);
    else
        fail(r, a);
    return true;
}

static bool take(struct redis_store *r, const struct asked *a,
                 const struct resp_reply *reply)
{
    const struct resp_value *v = &reply->values[0];

    if (v->type == RESP_ERROR)
        return got_error(r, a, v->text);
    switch (a->verb) {
    case VERB_GET:
        return got_value(r, a, v);
    case VERB_PUT:
    case VERB_REMOVE:
        return got_done(r, a, v);
    case VERB_WALK:
        return got_page(r, a, reply);
    }
    return false;
}

static bool replied(void *user, const struct resp_reply *reply)
{
    struct redis_store *r = user;
    struct asked *a = r->first;

    if (a == NULL || !take(r, a, reply))
        return false;
    r->first = a->next;
    if (r->first == NULL)
        r->last = &r->first;
    free(a);
    return true;
}

/* ---- Questions --------------------------------------------------------- */

/* Remember what is asked by who. NULL: it was answered, as Redis is down or
 * there is no memory. */
static struct asked *ask(struct redis_store *r, const struct asked *who,
                         enum verb verb, struct onward_str key,
                         struct onward_str value)
{
    struct asked *a = malloc(sizeof(*a) + key.len + value.len);

    if (a == NULL) {
        tell_error(r, who, ONWARD_ENOMEM);
        return NULL;
    }
    *a = (struct asked){.token = who->token,
                        .asker = who->asker,
                        .verb = verb,
                        .key_len = key.len,
                        .value_len = value.len};
    memcpy(a->octets, key.data, key.len);
    if (value.len != 0)
        memcpy(a->octets + key.len, value.data, value.len);
    if (redis_link_command(&r->link) == NULL) {
        fail(r, a);
        free(a);
        return NULL;
    }
    *r->last = a;
    r->last = &a->next;
    return a;
}

static void ask_get(struct redis_store *r, const struct asked *who,
                    struct onward_str key)
{
    struct resp_out *out = redis_link_command(&r->link);

    if (ask(r, who, VERB_GET, key, (struct onward_str){0}) == NULL)
        return;
    resp_command(out, 2);
    resp_text(out, "GET");
    resp_word(out, key.data, key.len);
    redis_link_sent(&r->link);
}

/* EVAL, and where the keys begin. */
static void eval(struct resp_out *out, const char *script, size_t keys,
                 size_t args)
{
    resp_command(out, 3 + keys + args);
    resp_text(out, "EVAL");
    resp_text(out, script);
    resp_number(out, (int64_t)keys);
}

static uint64_t new_version(void)
{
    uint64_t version = 0;

    while (version == 0) {
        if (getrandom(&version, sizeof(version), 0) != sizeof(version))
            version = 0;
    }
    return version;
}

static void version_word(struct resp_out *out, uint64_t version)
{
    unsigned char octets[8];

    put_u64(octets, version);
    resp_word(out, octets, version == 0 ? 0 : sizeof(octets));
}

/* The value in its envelope. */
static void value_word(struct resp_out *out, const struct asked *a)
{
    size_t len = ENVELOPE + a->value_len;
    char *octets = malloc(len);

    if (octets == NULL) {
        out->has_failed = 1;
        return;
    }
    memcpy(octets, head, HEAD);
    put_u64((unsigned char *)octets + HEAD, a->version);
    put_u64((unsigned char *)octets + HEAD + 8, (uint64_t)a->expires_s);
    if (a->value_len != 0)
        memcpy(octets + ENVELOPE, a->octets + a->key_len, a->value_len);
    resp_word(out, octets, len);
    free(octets);
}

/* What a put says beside its key. */
struct change {
    struct onward_str value;
    int64_t expires_s;
    uint64_t version;
    uint32_t flags;
};

static void ask_put(struct redis_store *r, const struct asked *who,
                    struct onward_str key, const struct change *c)
{
    struct resp_out *out = redis_link_command(&r->link);
    int64_t now = now_s(r);
    uint32_t flags = c->flags;
    struct asked *a;

    if (c->value.len > VALUE_BYTES) {
        tell_error(r, who, ONWARD_ELIMIT);
        return;
    }
    a = ask(r, who, VERB_PUT, key, c->value);
    if (a == NULL)
        return;
    a->version = new_version();
    a->expires_s = c->expires_s < 0 ? 1 : c->expires_s;
    eval(out, put_script, 3, 6);
    resp_word(out, key.data, key.len);
    resp_text(out, "onward:index");
    resp_text(out, "onward:swept");
    resp_word(out, head, HEAD);
    resp_number(out, now);
    value_word(out, a);
    if (c->expires_s == 0)
        resp_text(out, "");
    else
        resp_number(out, has_expired(a->expires_s, now)
                             ? 0
                             : (a->expires_s - now) * 1000);
    resp_text(out, (flags & ONWARD_STORE_IF_ABSENT) == 0
                       ? ((flags & ONWARD_STORE_IF_VERSION) == 0 ? "" : "v")
                   : (flags & ONWARD_STORE_IF_VERSION) == 0 ? "a"
                                                            : "av");
    version_word(out, c->version);
    redis_link_sent(&r->link);
}

static void ask_remove(struct redis_store *r, const struct asked *who,
                       struct onward_str key, uint64_t version)
{
    struct resp_out *out = redis_link_command(&r->link);

    if (ask(r, who, VERB_REMOVE, key, (struct onward_str){0}) == NULL)
        return;
    eval(out, remove_script, 2, 3);
    resp_word(out, key.data, key.len);
    resp_text(out, "onward:index");
    resp_word(out, head, HEAD);
    resp_number(out, now_s(r));
    version_word(out, version);
    redis_link_sent(&r->link);
}

/* "[" or "(" and a name. */
static void bound_word(struct resp_out *out, char kind, const char *name,
                       size_t len)
{
    char bound[1 + ONWARD_STORE_KEY_MAX];

    bound[0] = kind;
    memcpy(bound + 1, name, len);
    resp_word(out, bound, 1 + len);
}

/* The first name behind all that begin with prefix. */
static void end_word(struct resp_out *out, const char *prefix, size_t len)
{
    char end[ONWARD_STORE_KEY_MAX];

    while (len > 0 && (unsigned char)prefix[len - 1] == 0xff)
        len--;
    if (len == 0) {
        resp_text(out, "+");
        return;
    }
    memcpy(end, prefix, len);
    end[len - 1]++;
    bound_word(out, '(', end, len);
}

static void ask_walk(struct redis_store *r, const struct asked *who,
                     struct onward_str prefix, struct onward_str cursor,
                     size_t max_items)
{
    struct resp_out *out = redis_link_command(&r->link);
    struct asked *a;

    a = ask(r, who, VERB_WALK, prefix, (struct onward_str){0});
    if (a == NULL)
        return;
    a->max_items = max_items < PAGE_ITEMS ? max_items : PAGE_ITEMS;
    eval(out, walk_script, 1, 4);
    resp_text(out, "onward:index");
    if (cursor.len != 0)
        bound_word(out, '(', cursor.data, cursor.len);
    else
        bound_word(out, '[', prefix.data, prefix.len);
    end_word(out, prefix.data, prefix.len);
    resp_number(out, (int64_t)a->max_items);
    resp_number(out, PAGE_BYTES - ONWARD_STORE_KEY_MAX);
    redis_link_sent(&r->link);
}

/* ---- Of the library ---------------------------------------------------- */

static int do_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    const struct asked who = {.token = token};

    ask_get(user, &who, (struct onward_str){key, key_len});
    return 0;
}

static int do_put(void *user, uint64_t token, const char *key, size_t key_len,
                  const void *value, size_t value_len, int64_t expires_s,
                  uint64_t version, uint32_t flags)
{
    const struct asked who = {.token = token};
    const struct change c = {.value = {value, value_len},
                             .expires_s = expires_s,
                             .version = version,
                             .flags = flags};

    ask_put(user, &who, (struct onward_str){key, key_len}, &c);
    return 0;
}

static int do_remove(void *user, uint64_t token, const char *key,
                     size_t key_len, uint64_t version)
{
    const struct asked who = {.token = token};

    ask_remove(user, &who, (struct onward_str){key, key_len}, version);
    return 0;
}

static int do_walk(void *user, uint64_t token, const char *prefix,
                   size_t prefix_len, const char *cursor, size_t cursor_len,
                   size_t max_items)
{
    const struct asked who = {.token = token};

    if (cursor_len > ONWARD_STORE_KEY_MAX)
        return -1;
    ask_walk(user, &who, (struct onward_str){prefix, prefix_len},
             (struct onward_str){cursor, cursor_len}, max_items);
    return 0;
}

/* ---- Of the host ------------------------------------------------------- */

void redis_store_get(struct redis_store *r, struct onward_str key,
                     const struct redis_asker *asker)
{
    const struct asked who = {.asker = *asker};

    ask_get(r, &who, key);
}

void redis_store_put(struct redis_store *r, struct onward_str key,
                     const struct redis_answer *known, uint32_t flags,
                     const struct redis_asker *asker)
{
    const struct asked who = {.asker = *asker};
    const struct change c = {.value = known->value,
                             .expires_s = known->expires_s,
                             .version = known->version,
                             .flags = flags};

    ask_put(r, &who, key, &c);
}

void redis_store_walk(struct redis_store *r, struct onward_str prefix,
                      struct onward_str cursor, size_t max_items,
                      const struct redis_asker *asker)
{
    const struct asked who = {.asker = *asker};

    ask_walk(r, &who, prefix, cursor, max_items);
}

/* ---- Life -------------------------------------------------------------- */

struct redis_store *redis_store_new(struct onward_desk *desk,
                                    const struct redis_store_opts *opts,
                                    char *fault, size_t fault_size)
{
    struct redis_store *r = calloc(1, sizeof(*r));
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .user = r,
                                         .get = do_get,
                                         .put = do_put,
                                         .remove = do_remove,
                                         .walk = do_walk};
    const struct onward_store_opts store_opts = {
        .size = sizeof(store_opts),
        .value_bytes = VALUE_BYTES + ONWARD_STORE_KEY_MAX};

    snprintf(fault, fault_size, "out of memory");
    if (r == NULL)
        return NULL;
    r->desk = desk;
    r->opts = *opts;
    r->last = &r->first;
    r->url = strdup(opts->url);
    r->copy =
        redis_copy_new(opts->copy_bytes == 0 ? COPY_BYTES : opts->copy_bytes);
    r->link.loop = opts->loop;
    r->link.socket.fd = r->link.timer.fd = -1;
    r->link.timeout_ms = opts->timeout_ms == 0 ? TIMEOUT_MS : opts->timeout_ms;
    r->link.host = (struct redis_link_host){
        .user = r, .replied = replied, .up = went_up, .down = went_down};
    if (r->url != NULL && r->copy != NULL &&
        onward_store_new(desk, &ops, &store_opts, &r->handle) == 0 &&
        redis_url_find(opts->url, &r->link.address, &r->link.address_len,
                       &r->link.db, fault, fault_size) == 0 &&
        redis_link_open(&r->link) == 0)
        return r;
    redis_store_free(r);
    return NULL;
}

struct onward_store *redis_store_handle(const struct redis_store *r)
{
    return r->handle;
}

bool redis_store_is_up(const struct redis_store *r)
{
    return r->is_up;
}

void redis_store_free(struct redis_store *r)
{
    struct asked *next;

    if (r == NULL)
        return;
    onward_store_free(r->handle);
    redis_link_close(&r->link);
    for (struct asked *a = r->first; a != NULL; a = next) {
        next = a->next;
        free(a);
    }
    redis_copy_free(r->copy);
    free(r->url);
    free(r);
}
