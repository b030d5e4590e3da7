/*
 * Fields with a form of their own: dates, lists of things in angle brackets,
 * Received. Readers, not judges: every text has a reading, and what is odd is
 * noted.
 */
#include "mime/text_priv.h"

#include "core/text_shared.h"

enum { ITEMS_MAX = 1000 };

int onward_date_parse(struct onward_str value, int64_t *unix_s,
                      int32_t *east_min)
{
    int east_s;
    int err = onward_core__parse_date_zone(value, unix_s, &east_s);

    if (err == 0 && east_min != NULL)
        *east_min = east_s / 60;
    return err;
}

/* ---- Angle brackets ---------------------------------------------------- */

struct angle_item {
    struct onward_str item, words;
};

struct onward_angle_list {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    struct angle_item *items; /* one more than count: the words behind */
    size_t count;
    uint64_t notes;
};

/* s with its comments, and what else `keep` refuses, left out. */
static int copy_without(struct onward_arena *arena, struct onward_str s,
                        bool keep_inner_space, struct onward_str *out)
{
    size_t len = 0;
    bool is_open = false;
    char *copy;

    *out = onward_core__str(NULL, 0);
    if (s.len == 0)
        return 0;
    copy = onward_core__arena_alloc(arena, s.len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < s.len;) {
        if (keep_inner_space && s.data[i] == '(') {
            i = onward_mime__comment_end(s, i, &is_open);
        } else if (s.data[i] == '\r' || s.data[i] == '\n' ||
                   (!keep_inner_space &&
                    onward_ascii_is_wsp((unsigned char)s.data[i]))) {
            i++;
        } else {
            copy[len++] = s.data[i++];
        }
    }
    *out = onward_core__str(copy, len);
    return 0;
}

/* Words without commas and white space at their ends. */
static struct onward_str trim_words(struct onward_str s)
{
    for (;;) {
        size_t before = s.len;

        s = onward_core__str_trim_crlf(s);
        if (s.len > 0 && s.data[0] == ',')
            s = onward_core__sub(s, 1, s.len);
        if (s.len > 0 && s.data[s.len - 1] == ',')
            s.len--;
        if (s.len == before)
            return s;
    }
}

/* The next "<" outside of comments and quoted strings, or s.len. */
static size_t find_bracket(struct onward_str s, size_t at, bool *is_open)
{
    while (at < s.len && s.data[at] != '<') {
        if (s.data[at] == '(')
            at = onward_mime__comment_end(s, at, is_open);
        else if (s.data[at] == '"')
            at = onward_mime__quoted_end(s, at, is_open);
        else
            at++;
    }
    return at;
}

static size_t count_brackets(struct onward_str s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len && count < ITEMS_MAX; i++)
        count += s.data[i] == '<';
    return count;
}

static int read_angles(struct onward_angle_list *list, struct onward_str s)
{
    bool is_open = false;
    size_t at = 0;
    int err = 0;

    list->items = onward_core__arena_array(&list->arena, count_brackets(s) + 1,
                                           sizeof(*list->items));
    if (list->items == NULL)
        return ONWARD_ENOMEM;
    while (err == 0) {
        struct angle_item *item = &list->items[list->count];
        size_t open = find_bracket(s, at, &is_open);
        size_t close;

        err = copy_without(&list->arena, onward_core__sub(s, at, open), true,
                           &item->words);
        item->words = trim_words(item->words);
        if (open == s.len || err != 0)
            break;
        if (list->count == ITEMS_MAX) {
            list->notes |= ONWARD_TEXT_LOOSE;
            break;
        }
        close = open + 1;
        while (close < s.len && s.data[close] != '>')
            close++;
        if (close == s.len)
            is_open = true;
        err = copy_without(&list->arena, onward_core__sub(s, open + 1, close),
                           false, &item->item);
        at = close < s.len ? close + 1 : close;
        list->count++;
    }
    if (is_open)
        list->notes |= ONWARD_TEXT_LOOSE;
    return err;
}

int onward_angle_list_parse(struct onward_ctx *ctx, struct onward_str value,
                            struct onward_angle_list **list)
{
    struct onward_angle_list *made = onward_core__zalloc(ctx, sizeof(*made));
    int err;

    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&made->arena, ctx, SIZE_MAX);
    err = read_angles(made, value);
    if (err != 0) {
        onward_angle_list_free(made);
        return err;
    }
    *list = made;
    return 0;
}

void onward_angle_list_free(struct onward_angle_list *list)
{
    struct onward_ctx *ctx;

    if (list == NULL)
        return;
    ctx = list->ctx;
    onward_core__arena_clear(&list->arena);
    onward_core__free(ctx, list);
    onward_ctx_free(ctx);
}

size_t onward_angle_list_count(const struct onward_angle_list *list)
{
    return list->count;
}

struct onward_str onward_angle_list_item(const struct onward_angle_list *list,
                                         size_t i)
{
    return i < list->count ? list->items[i].item : onward_core__str(NULL, 0);
}

struct onward_str onward_angle_list_words(const struct onward_angle_list *list,
                                          size_t i)
{
    return i <= list->count ? list->items[i].words : onward_core__str(NULL, 0);
}

uint64_t onward_angle_list_notes(const struct onward_angle_list *list)
{
    return list->notes;
}

/* ---- Received ---------------------------------------------------------- */

struct onward_received {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    struct onward_str parts[ONWARD_RECEIVED_DATE + 1];
    uint64_t notes;
};

/* The clause that a word opens, or 0. */
static int clause_of(struct onward_str word)
{
    static const struct {
        const char *word;
        int part;
    } clauses[] = {
        {"from", ONWARD_RECEIVED_FROM}, {"by", ONWARD_RECEIVED_BY},
        {"via", ONWARD_RECEIVED_VIA},   {"with", ONWARD_RECEIVED_WITH},
        {"id", ONWARD_RECEIVED_ID},     {"for", ONWARD_RECEIVED_FOR},
    };

    for (size_t i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++) {
        if (onward_core__str_ieq(word, onward_str_of(clauses[i].word)))
            return clauses[i].part;
    }
    return 0;
}

/* A word: to white space, "(" or ";" outside of quotes and brackets. */
static struct onward_str next_word(struct onward_str s, size_t *at,
                                   bool *is_open)
{
    size_t start = *at;
    bool in_angle = false;

    while (*at < s.len) {
        unsigned char c = (unsigned char)s.data[*at];

        if (c == '"') {
            *at = onward_mime__quoted_end(s, *at, is_open);
            continue;
        }
        if (onward_mime__is_lwsp(c) || (!in_angle && (c == '(' || c == ';')))
            break;
        in_angle = (in_angle || c == '<') && c != '>';
        ++*at;
    }
    return onward_core__sub(s, start, *at);
}

static void set_part(struct onward_received *r, int part, struct onward_str s)
{
    if (part == ONWARD_RECEIVED_FOR && s.len > 1 && s.data[0] == '<' &&
        s.data[s.len - 1] == '>')
        s = onward_core__sub(s, 1, s.len - 1);
    if (r->parts[part].len == 0)
        r->parts[part] = s;
    else
        r->notes |= ONWARD_TEXT_DUPLICATE;
}

/* The first comment behind the value of from and by tells more of it. */
static void read_comment(struct onward_received *r, struct onward_str s,
                         size_t *at, int last, bool *is_open)
{
    size_t start = *at;
    bool this_open = false;
    struct onward_str inside;

    *at = onward_mime__comment_end(s, start, &this_open);
    *is_open = *is_open || this_open;
    inside = onward_core__sub(s, start + 1, this_open ? *at : *at - 1);
    if ((last == ONWARD_RECEIVED_FROM || last == ONWARD_RECEIVED_BY) &&
        r->parts[last + 1].len == 0)
        r->parts[last + 1] = inside;
}

static void read_received(struct onward_received *r, struct onward_str s)
{
    int awaited = 0, last = 0;
    bool is_open = false;
    size_t at = 0;

    while (at < s.len && s.data[at] != ';') {
        struct onward_str word;
        int clause;

        if (onward_mime__is_lwsp((unsigned char)s.data[at])) {
            at++;
            continue;
        }
        if (s.data[at] == '(') {
            read_comment(r, s, &at, awaited == 0 ? last : 0, &is_open);
            continue;
        }
        word = next_word(s, &at, &is_open);
        clause = clause_of(word);
        if (awaited != 0) {
            set_part(r, awaited, word);
            last = awaited;
            awaited = 0;
        } else if (clause != 0) {
            awaited = clause;
        } else {
            r->notes |= ONWARD_TEXT_LOOSE;
        }
    }
    r->parts[ONWARD_RECEIVED_DATE] =
        onward_core__str_trim_crlf(onward_core__sub(s, at + 1, s.len));
    if (is_open || awaited != 0 || at == s.len)
        r->notes |= ONWARD_TEXT_LOOSE;
}

int onward_received_parse(struct onward_ctx *ctx, struct onward_str value,
                          struct onward_received **received)
{
    struct onward_received *made = onward_core__zalloc(ctx, sizeof(*made));
    int err;

    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&made->arena, ctx, SIZE_MAX);
    err = onward_core__arena_dup(&made->arena, value, &value);
    if (err != 0) {
        onward_received_free(made);
        return err;
    }
    read_received(made, value);
    *received = made;
    return 0;
}

void onward_received_free(struct onward_received *received)
{
    struct onward_ctx *ctx;

    if (received == NULL)
        return;
    ctx = received->ctx;
    onward_core__arena_clear(&received->arena);
    onward_core__free(ctx, received);
    onward_ctx_free(ctx);
}

struct onward_str onward_received_part(const struct onward_received *received,
                                       int part)
{
    if (part < ONWARD_RECEIVED_FROM || part > ONWARD_RECEIVED_DATE)
        return onward_core__str(NULL, 0);
    return received->parts[part];
}

uint64_t onward_received_notes(const struct onward_received *received)
{
    return received->notes;
}
