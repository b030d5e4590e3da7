/*
 * The copy of destinations that a Redis shares: a recipient is answered at
 * once, and goes on being answered while Redis is away. A small value there
 * changes with each change; it is looked at every second, and when it is
 * another one, or has been the same for long, all destinations are walked
 * through, page by page, one question at a time.
 *
 * What only this machine knows is put there, where there is nothing: what it
 * had before it shared, or what Redis has lost. Of the same address, Redis has
 * the last word, but for what was revoked: a Redis that comes back with older
 * data is told again. Who has said no must not get mail by that.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "destinations.h"
#include "forwarder.h"
#include "host.h"

enum {
    LOOK_MS = 1000,
    WALK_MS = 300000,
    FULL_MS = 30000,   /* a disk without room is not asked at once again */
    BACKS_MAX = 10000, /* told again in one walk */
    PAGE = 200,
    VALUE_MAX = 4096
};

/* What is asked; nothing: it rests until look_ms. */
enum stage {
    STAGE_REST,
    STAGE_LOOK,
    STAGE_GIVE,
    STAGE_SIGN,
    STAGE_WALK,
    STAGE_BACK
};

struct follow {
    struct forwarder *fwd;
    struct lmdb_store *here;
    struct redis_store *there;
    char *url; /* a reload changes the settings alone */
    enum stage stage;
    int64_t look_ms, walk_ms;
    bool is_whole; /* there was a walk to the end, in this process or before */
    bool has_walked;  /* in this process */
    bool has_failed;  /* the page under way */
    uint64_t serial;  /* that the copy goes by */
    uint64_t sighted; /* that the walk under way goes by */
    char cursor[ONWARD_STORE_KEY_MAX];
    size_t cursor_len;
    size_t open, given;          /* puts under way, and done */
    struct lmdb_item news[PAGE]; /* of the page; octets from malloc() */
    size_t news_count;
    struct lmdb_item back; /* revoked, and not so there; octets as of news */
    size_t backs;          /* of the walk */
    bool has_told;         /* there is something that the others do not know */
};

static struct onward_str cursor_of(const struct follow *f)
{
    return (struct onward_str){f->cursor, f->cursor_len};
}

static void set_cursor(struct follow *f, struct onward_str at)
{
    f->cursor_len = at.len <= sizeof(f->cursor) ? at.len : 0;
    if (f->cursor_len > 0)
        memcpy(f->cursor, at.data, f->cursor_len);
    f->has_failed = f->has_failed || at.len > sizeof(f->cursor);
}

static void forget_news(struct follow *f)
{
    while (f->news_count > 0)
        free((char *)(uintptr_t)f->news[--f->news_count].key.data);
}

static void forget_back(struct follow *f)
{
    free((char *)(uintptr_t)f->back.key.data);
    f->back = (struct lmdb_item){0};
}

static void rest(struct follow *f)
{
    forget_news(f);
    forget_back(f);
    f->stage = STAGE_REST;
    f->look_ms = host_now_ms() + LOOK_MS;
}

/* ---- From there -------------------------------------------------------- */

static struct lmdb_item copy_item(struct follow *f, struct onward_str key,
                                  struct onward_str value)
{
    char *octets = malloc(key.len + value.len);

    if (octets == NULL) {
        f->has_failed = true;
        return (struct lmdb_item){0};
    }
    memcpy(octets, key.data, key.len);
    if (value.len > 0)
        memcpy(octets + key.len, value.data, value.len);
    return (struct lmdb_item){.key = {octets, key.len},
                              .value = {octets + key.len, value.len},
                              .flags = ONWARD_STORE_KEEP};
}

static void add_news(struct follow *f, struct onward_str key,
                     struct onward_str value)
{
    f->has_failed = f->has_failed || f->news_count == PAGE;
    if (!f->has_failed)
        f->news[f->news_count] = copy_item(f, key, value);
    f->news_count += !f->has_failed;
}

/* Was it revoked after what they have there? */
static bool is_later_no(struct onward_str key, struct onward_str here,
                        struct onward_str there)
{
    struct destination ours, theirs;
    struct onward_str address;

    return destination_read(key, here, &address, &ours) &&
           destination_read(key, there, &address, &theirs) &&
           ours.state == DESTINATION_REVOKED &&
           theirs.state != DESTINATION_REVOKED && ours.since_s > theirs.since_s;
}

/* One that is not known here, or not so. */
static void met(void *user, struct onward_str key, struct onward_str value)
{
    struct follow *f = user;
    struct lmdb_item item = {.key = key};
    const size_t skip = sizeof(DESTINATION_PREFIX) - 1;
    char known[VALUE_MAX];

    if (key.len <= skip || memcmp(key.data, DESTINATION_PREFIX, skip) != 0 ||
        value.len > sizeof(known))
        return;
    if (lmdb_store_read(f->here, &item, known, sizeof(known)) != 1)
        add_news(f, key, value);
    else if (!is_later_no(key, item.value, value)) {
        if (!onward_str_equal(item.value, value))
            add_news(f, key, value);
    } else if (f->back.key.data == NULL) {
        /* One at a time: the page comes once more. */
        f->back = copy_item(f, key, item.value);
    }
}

/* As known of old, before it is overwritten. */
static void audit(struct follow *f, const struct lmdb_item *item)
{
    const struct shelf shelf = {.lmdb = f->here};
    struct destination before, after;
    struct onward_str address;

    if (destination_read(item->key, item->value, &address, &after) &&
        destination_get(&shelf, address, &before) >= 0 &&
        before.state != after.state)
        destination_audit(f->fwd->log, "store", address, &before, after.state);
}

static void sign(struct follow *f);

static void walked(struct follow *f)
{
    if (f->has_told) {
        f->has_told = false;
        sign(f);
        return;
    }
    f->has_walked = true;
    f->serial = f->sighted;
    f->walk_ms = host_now_ms() + WALK_MS;
    if (!f->is_whole && destination_set_home(f->here, f->url) >= 0)
        f->is_whole = true;
    rest(f);
}

static void ask_page(struct follow *f);

static void told(void *user, const struct redis_answer *answer)
{
    struct follow *f = user;

    if (answer->status < 0) {
        rest(f);
        return;
    }
    if (answer->status == 1) {
        f->has_told = true;
        log_event(f->fwd, "store",
                  "a destination that was revoked is so in Redis again");
    }
    forget_back(f);
    ask_page(f);
}

/* Somebody may have changed it since the page was read. */
static void seen_again(void *user, const struct redis_answer *answer)
{
    struct follow *f = user;
    const struct redis_asker asker = {.user = f, .done = told};
    const struct redis_answer value = {.value = f->back.value,
                                       .version = answer->version};
    const struct redis_answer nothing = {.status = answer->status < 0 ? -1 : 0};

    if (answer->status == 1 &&
        is_later_no(f->back.key, f->back.value, answer->value))
        redis_store_put(f->there, f->back.key, &value,
                        ONWARD_STORE_KEEP | ONWARD_STORE_IF_VERSION, &asker);
    else
        told(f, &nothing);
}

static void tell(struct follow *f)
{
    const struct redis_asker asker = {.user = f, .done = seen_again};

    f->stage = STAGE_BACK;
    if (f->backs++ == BACKS_MAX)
        rest(f);
    else
        redis_store_get(f->there, f->back.key, &asker);
}

static void got_page(void *user, const struct redis_answer *answer)
{
    struct follow *f = user;

    if (answer->status == 1 && !f->has_failed) {
        /* The first copy is no news. */
        for (size_t i = 0; i < f->news_count && f->is_whole; i++)
            audit(f, &f->news[i]);
        if (f->back.key.data == NULL)
            set_cursor(f, answer->value);
        if (lmdb_store_write_all(f->here, f->news, f->news_count) != 0) {
            log_event(f->fwd, "store", "destinations cannot be copied");
            forget_news(f);
            rest(f);
            f->look_ms += FULL_MS;
            return;
        }
    }
    forget_news(f);
    if (answer->status != 1 || f->has_failed)
        rest(f);
    else if (f->back.key.data != NULL)
        tell(f);
    else if (f->cursor_len > 0)
        ask_page(f);
    else
        walked(f);
}

static void ask_page(struct follow *f)
{
    const struct redis_asker asker = {.user = f, .done = got_page, .item = met};

    f->stage = STAGE_WALK;
    f->has_failed = false;
    redis_store_walk(f->there, ONWARD_STR(DESTINATION_PREFIX), cursor_of(f),
                     PAGE, &asker);
}

static void begin_walk(struct follow *f)
{
    f->cursor_len = 0;
    f->backs = 0;
    ask_page(f);
}

/* ---- To there ---------------------------------------------------------- */

static void signed_off(void *user, const struct redis_answer *answer)
{
    struct follow *f = user;

    f->sighted = answer->version;
    if (answer->status < 0)
        rest(f);
    else
        begin_walk(f);
}

/* So that the others walk, too. */
static void sign(struct follow *f)
{
    const struct redis_asker asker = {.user = f, .done = signed_off};
    const struct redis_answer value = {.value = ONWARD_STR("given")};

    f->stage = STAGE_SIGN;
    redis_store_put(f->there, ONWARD_STR(DESTINATION_SERIAL), &value,
                    ONWARD_STORE_KEEP, &asker);
}

static void give_page(struct follow *f);

static void given(void *user, const struct redis_answer *answer)
{
    struct follow *f = user;

    f->open--;
    f->given += answer->status == 1;
    f->has_failed = f->has_failed || answer->status < 0;
    if (f->open > 0)
        return;
    if (f->has_failed)
        rest(f);
    else if (f->cursor_len > 0)
        give_page(f);
    else if (f->given > 0)
        sign(f);
    else
        begin_walk(f);
}

static void give(struct follow *f, const struct lmdb_item *item)
{
    const struct redis_asker asker = {.user = f, .done = given};
    const struct redis_answer value = {.value = item->value};

    f->open++;
    redis_store_put(f->there, item->key, &value,
                    ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT, &asker);
}

static void collect(void *user, const struct lmdb_item *item)
{
    add_news(user, item->key, item->value);
}

static void give_page(struct follow *f)
{
    const struct redis_answer nothing = {0};
    int count = lmdb_store_each(f->here, ONWARD_STR(DESTINATION_PREFIX),
                                cursor_of(f), PAGE, collect, f);

    f->has_failed = f->has_failed || count < 0;
    f->cursor_len = 0;
    if (count == PAGE && f->news_count == PAGE)
        set_cursor(f, f->news[PAGE - 1].key);
    /* Those that are answered within the call do not end the page. */
    f->open = 1;
    for (size_t i = 0; i < f->news_count; i++)
        give(f, &f->news[i]);
    forget_news(f);
    given(f, &nothing);
}

/* All that is known here, and the secret of its tokens: they count on. */
static void begin_giving(struct follow *f)
{
    char octets[VALUE_MAX];
    struct lmdb_item secret = {.key = ONWARD_STR(DESTINATION_SECRET)};
    const struct redis_asker asker = {.user = f, .done = given};
    int ret = lmdb_store_read(f->here, &secret, octets, sizeof(octets));

    f->stage = STAGE_GIVE;
    f->has_failed = ret < 0;
    f->given = 0;
    f->cursor_len = 0;
    if (ret == 1) {
        const struct redis_answer value = {.value = secret.value};

        /* The first page follows with its answer. */
        f->open = 1;
        f->cursor_len = sizeof(DESTINATION_PREFIX) - 1;
        memcpy(f->cursor, DESTINATION_PREFIX, f->cursor_len);
        redis_store_put(f->there, secret.key, &value,
                        ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT, &asker);
        explicit_bzero(octets, sizeof(octets));
        return;
    }
    give_page(f);
}

/* ---- Looking ----------------------------------------------------------- */

static void looked(void *user, const struct redis_answer *answer)
{
    struct follow *f = user;
    int64_t now_ms = host_now_ms();

    if (answer->status < 0) {
        rest(f);
        return;
    }
    f->sighted = answer->status == 1 ? answer->version : 0;
    /* Redis has nothing, or we were elsewhere before. */
    if (!f->is_whole || (f->sighted == 0 && (f->serial != 0 || !f->has_walked)))
        begin_giving(f);
    else if (f->sighted != f->serial || !f->has_walked || now_ms >= f->walk_ms)
        begin_walk(f);
    else
        rest(f);
}

int64_t follow_deadline(const struct forwarder *fwd)
{
    const struct follow *f = fwd->follow;

    return f == NULL || f->stage != STAGE_REST ? ONWARD_NEVER : f->look_ms;
}

void follow_time(struct forwarder *fwd, int64_t now_ms)
{
    struct follow *f = fwd->follow;
    const struct redis_asker asker = {.user = f, .done = looked};

    if (now_ms < follow_deadline(fwd))
        return;
    f->stage = STAGE_LOOK;
    redis_store_get(f->there, ONWARD_STR(DESTINATION_SERIAL), &asker);
}

bool follow_is_whole(const struct forwarder *fwd)
{
    return fwd->follow == NULL || fwd->follow->is_whole;
}

bool follow_is_settled(const struct forwarder *fwd)
{
    return fwd->follow == NULL || fwd->follow->has_walked ||
           fwd->follow->stage == STAGE_REST;
}

int follow_open(struct forwarder *fwd, struct lmdb_store *here,
                struct redis_store *there)
{
    struct follow *f = calloc(1, sizeof(*f));
    char home[DESTINATION_HOME_MAX];

    if (f == NULL)
        return -1;
    fwd->follow = f;
    f->url = strdup(fwd->setup->settings.store);
    if (f->url == NULL)
        return -1;
    f->fwd = fwd;
    f->here = here;
    f->there = there;
    f->is_whole =
        destination_home(here, home) == 1 && strcmp(home, f->url) == 0;
    follow_time(fwd, host_now_ms());
    return 0;
}

void follow_close(struct forwarder *fwd)
{
    if (fwd->follow == NULL)
        return;
    forget_news(fwd->follow);
    forget_back(fwd->follow);
    free(fwd->follow->url);
    free(fwd->follow);
    fwd->follow = NULL;
}
