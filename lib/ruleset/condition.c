/*
 * Whether a condition holds. What is not known yet is a third truth value: a
 * condition that holds or fails whatever the missing fact is says so at once.
 */
#include "ruleset/condition_priv.h"

#include "ruleset/pattern_priv.h"
#include "ruleset/ruleset_priv.h"

struct text_test {
    unsigned fact, test, flags;
    struct onward_str name;
    uint64_t count;
    struct onward_ruleset__reader values;
};

/* ---- Names ------------------------------------------------------------- */

static const char *const facts[] = {
    "to",   "from",  "header", "attachment_name", "attachment_type", "verdict",
    "size", "score", "tls",    "client"};
static const char *const tests[] = {"literal", "prefix",   "suffix", "contains",
                                    "glob",    "regex",    "domain", "exists",
                                    "at_least", "at_most"};

const char *onward_ruleset__test_name(unsigned test)
{
    return test >= 1 && test <= sizeof(tests) / sizeof(tests[0])
               ? tests[test - 1]
               : NULL;
}

const char *onward_ruleset__fact_name(unsigned fact)
{
    return fact < sizeof(facts) / sizeof(facts[0]) ? facts[fact] : NULL;
}

static bool find_name(const char *const *names, size_t count,
                      struct onward_str name, unsigned *at)
{
    for (size_t i = 0; i < count; i++) {
        if (onward_core__str_eq(onward_str_of(names[i]), name)) {
            *at = (unsigned)i;
            return true;
        }
    }
    return false;
}

bool onward_ruleset__fact_of(struct onward_str name, unsigned *fact)
{
    return find_name(facts, sizeof(facts) / sizeof(facts[0]), name, fact);
}

bool onward_ruleset__test_of(struct onward_str name, unsigned *test)
{
    if (!find_name(tests, sizeof(tests) / sizeof(tests[0]), name, test))
        return false;
    (*test)++;
    return true;
}

/* ---- Telling ----------------------------------------------------------- */

static const char *outcome(int holds)
{
    return holds == 1               ? "yes"
           : holds == 0             ? "no"
           : holds == ONWARD_AGAIN  ? "not known yet"
                                    : "cannot be told now";
}

static void tell(struct onward_ruleset__question *q, struct onward_buf *text,
                 int holds)
{
    onward_core__buf_add_text(text, ": ");
    if (onward_core__buf_add_text(text, outcome(holds)) == 0)
        q->tell(q->user, onward_core__buf_str(text));
    onward_core__buf_clear(text);
}

static void begin_telling(struct onward_ruleset__question *q,
                          struct onward_buf *text, unsigned fact,
                          struct onward_str name, unsigned test)
{
    onward_core__buf_init(text, q->router->ctx, 4096);
    onward_core__buf_add_text(text, onward_ruleset__fact_name(fact));
    if (name.len > 0) {
        onward_core__buf_add_byte(text, ' ');
        onward_core__buf_add_str(text, name);
    }
    onward_core__buf_add_byte(text, ' ');
    onward_core__buf_add_text(text, onward_ruleset__test_name(test));
}

static void tell_text(struct onward_ruleset__question *q,
                      const struct text_test *t, int holds)
{
    struct onward_ruleset__reader in = t->values;
    struct onward_buf text;

    if (q->tell == NULL)
        return;
    begin_telling(q, &text, t->fact, t->name, t->test);
    for (uint64_t i = 0; i < t->count && i < 8; i++) {
        onward_core__buf_add_text(&text, i == 0 ? " " : ", ");
        onward_core__escape(&text, onward_ruleset__read_str(&in), 256);
        if (t->test == ONWARD_RULESET__TEST_GLOB ||
            t->test == ONWARD_RULESET__TEST_REGEX)
            (void)onward_ruleset__read_str(&in);
    }
    if (t->count > 8)
        onward_core__buf_add_text(&text, ", ...");
    tell(q, &text, holds);
}

/* ---- Texts ------------------------------------------------------------- */

static bool starts(struct onward_str s, struct onward_str with, bool does_fold)
{
    return does_fold ? onward_core__str_istarts(s, with)
                     : onward_core__str_starts(s, with);
}

static bool contains(struct onward_str s, struct onward_str what,
                     bool does_fold)
{
    for (size_t i = 0; what.len <= s.len && i <= s.len - what.len; i++) {
        if (starts(onward_core__sub(s, i, s.len), what, does_fold))
            return true;
    }
    return false;
}

/* Everything behind the last "@" of a reverse path. */
static struct onward_str domain_of(struct onward_str address)
{
    size_t at = onward_core__str_rfind(address, '@');

    return onward_core__sub(address, at < address.len ? at + 1 : address.len,
                            address.len);
}

static bool is_in_domain(struct onward_str domain, struct onward_str value)
{
    struct onward_str parent;

    if (value.len == 0 || value.data[0] != '.')
        return value.len > 0 && onward_core__str_ieq(domain, value);
    parent = onward_core__sub(value, 1, value.len);
    return domain.len > parent.len &&
           onward_core__domain_is_within(domain, parent);
}

static void *scratch(struct onward_ruleset_router *router, size_t bytes)
{
    void *bigger;

    if (bytes <= router->scratch_bytes)
        return router->scratch;
    bigger = onward_core__realloc(router->ctx, router->scratch, bytes);
    if (bigger == NULL)
        return NULL;
    router->scratch = bigger;
    router->scratch_bytes = bytes;
    return bigger;
}

static int match_pattern(struct onward_ruleset__question *q,
                         struct onward_str program, struct onward_str subject,
                         bool does_capture)
{
    size_t want =
        does_capture ? onward_ruleset__pattern_captures(program) : 0;
    size_t bytes = onward_ruleset__pattern_scratch(program, want);
    void *memory;
    int ret;

    if (bytes == 0)
        return ONWARD_ELIMIT;
    memory = scratch(q->router, bytes);
    if (memory == NULL)
        return ONWARD_ENOMEM;
    ret = onward_ruleset__pattern_run(program, subject,
                                      want > 0 ? q->captures : NULL, want,
                                      memory, bytes);
    if (ret == 1 && want > 0)
        q->capture_count = want;
    return ret;
}

static int test_value(struct onward_ruleset__question *q,
                      const struct text_test *t,
                      struct onward_ruleset__reader *in,
                      struct onward_str subject, bool does_capture)
{
    struct onward_str value = onward_ruleset__read_str(in);
    bool does_fold = (t->flags & ONWARD_RULESET__TEXT_FOLD) != 0;

    switch ((enum onward_ruleset__test)t->test) {
    case ONWARD_RULESET__TEST_LITERAL:
        return subject.len == value.len && starts(subject, value, does_fold);
    case ONWARD_RULESET__TEST_PREFIX:
        return starts(subject, value, does_fold);
    case ONWARD_RULESET__TEST_SUFFIX:
        return subject.len >= value.len &&
               starts(onward_core__sub(subject, subject.len - value.len,
                                       subject.len),
                      value, does_fold);
    case ONWARD_RULESET__TEST_CONTAINS:
        return contains(subject, value, does_fold);
    case ONWARD_RULESET__TEST_GLOB:
    case ONWARD_RULESET__TEST_REGEX:
        return match_pattern(q, onward_ruleset__read_str(in), subject,
                             does_capture);
    case ONWARD_RULESET__TEST_DOMAIN:
        return is_in_domain(t->fact == ONWARD_RULESET__FACT_TO
                                ? q->domain
                                : domain_of(subject),
                            value);
    case ONWARD_RULESET__TEST_EXISTS:
    case ONWARD_RULESET__TEST_AT_LEAST:
    case ONWARD_RULESET__TEST_AT_MOST:
        break;
    }
    return ONWARD_ELIMIT;
}

/* Any of the values. */
static int test_values(struct onward_ruleset__question *q,
                       const struct text_test *t, struct onward_str subject,
                       bool does_capture)
{
    struct onward_ruleset__reader in = t->values;

    if (t->test == ONWARD_RULESET__TEST_EXISTS)
        return 1;
    for (uint64_t i = 0; i < t->count; i++) {
        int ret = test_value(q, t, &in, subject, does_capture);

        if (in.is_bad)
            return ONWARD_ELIMIT;
        if (ret != 0)
            return ret;
    }
    return 0;
}

/* The host's word is one of ours, or "not now". */
static int host_said(int ret)
{
    if (ret >= 0)
        return ret != 0;
    return ret == ONWARD_AGAIN ? ret : ONWARD_ECALLBACK;
}

/* Any of the texts that there are. */
static int test_texts(struct onward_ruleset__question *q,
                      const struct text_test *t, bool does_capture)
{
    const struct onward_ruleset_facts *f = q->facts;

    if (t->fact == ONWARD_RULESET__FACT_TO)
        return test_values(q, t, q->address,
                           does_capture && q->captures != NULL &&
                               q->capture_count == 0);
    if (f->text == NULL)
        return ONWARD_AGAIN;
    for (size_t i = 0;; i++) {
        struct onward_str subject = {0};
        int ret = host_said(f->text(f->user, t->fact, t->name.data,
                                    t->name.len, i, &subject));

        if (ret != 1)
            return ret;
        ret = test_values(q, t, subject, false);
        if (ret != 0)
            return ret;
    }
}

static bool is_text_fact(unsigned fact)
{
    return fact <= ONWARD_RULESET_FACT_VERDICT;
}

/* Shape alone, for running and for checking. */
static bool read_text_test(struct onward_ruleset__reader *in,
                           struct text_test *t)
{
    t->fact = onward_ruleset__read_u8(in);
    t->test = onward_ruleset__read_u8(in);
    t->flags = onward_ruleset__read_u8(in);
    t->name = onward_ruleset__read_str(in);
    t->count = onward_ruleset__read_number(in);
    t->values = *in;
    return !in->is_bad && is_text_fact(t->fact) && t->test >= 1 &&
           t->test <= ONWARD_RULESET__TEST_EXISTS;
}

/* ---- Numbers and networks ---------------------------------------------- */

static int test_number(struct onward_ruleset__question *q,
                       struct onward_ruleset__reader *in)
{
    const struct onward_ruleset_facts *f = q->facts;
    unsigned fact = onward_ruleset__read_u8(in);
    unsigned test = onward_ruleset__read_u8(in);
    int64_t limit = onward_ruleset__read_signed(in);
    int64_t value = 0;
    struct onward_buf text;
    int ret;

    if (in->is_bad || fact < ONWARD_RULESET_FACT_SIZE ||
        fact > ONWARD_RULESET_FACT_TLS ||
        (test != ONWARD_RULESET__TEST_AT_LEAST &&
         test != ONWARD_RULESET__TEST_AT_MOST))
        return ONWARD_ELIMIT;
    ret = f->number == NULL ? ONWARD_AGAIN
                            : host_said(f->number(f->user, fact, &value));
    if (ret == 1)
        ret = test == ONWARD_RULESET__TEST_AT_LEAST ? value >= limit
                                                    : value <= limit;
    if (q->tell != NULL) {
        begin_telling(q, &text, fact, (struct onward_str){0}, test);
        onward_core__buf_add_byte(&text, ' ');
        onward_core__buf_add_i64(&text, limit);
        tell(q, &text, ret);
    }
    return ret;
}

static bool is_in_network(const struct onward_ip *ip, unsigned family,
                          unsigned bits, const unsigned char *octets)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    if (ip->family != (int32_t)family || memcmp(ip->octets, octets, whole) != 0)
        return false;
    return rest == 0 ||
           ((unsigned)(ip->octets[whole] ^ octets[whole]) >> (8 - rest)) == 0;
}

/* The next network; NULL: damaged. */
static const unsigned char *read_network(struct onward_ruleset__reader *in,
                                         unsigned *family, unsigned *bits)
{
    const unsigned char *octets;
    size_t len;

    *family = onward_ruleset__read_u8(in);
    *bits = onward_ruleset__read_u8(in);
    len = *family == 4 ? 4 : 16;
    octets = in->at;
    if ((*family != 4 && *family != 6) || *bits > 8 * len ||
        (size_t)(in->end - in->at) < len) {
        onward_ruleset__go_bad(in);
        return NULL;
    }
    in->at += len;
    return octets;
}

/* A client that came by an IPv4-mapped address is in the IPv4 network. */
static void unmap(struct onward_ip *ip)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    if (ip->family != 6 || memcmp(ip->octets, mapped, sizeof(mapped)) != 0)
        return;
    ip->family = 4;
    memmove(ip->octets, ip->octets + sizeof(mapped), 4);
}

static int test_client(struct onward_ruleset__question *q,
                       struct onward_ruleset__reader *in)
{
    const struct onward_ruleset_facts *f = q->facts;
    uint64_t count = onward_ruleset__read_number(in);
    struct onward_ip ip = {0};
    bool is_in = false;
    int ret = f->client == NULL ? ONWARD_AGAIN
                                : host_said(f->client(f->user, &ip));

    unmap(&ip);
    for (uint64_t i = 0; i < count && !in->is_bad; i++) {
        unsigned family, bits;
        const unsigned char *octets = read_network(in, &family, &bits);

        is_in = is_in || (octets != NULL && ret == 1 &&
                          is_in_network(&ip, family, bits, octets));
    }
    if (in->is_bad)
        return ONWARD_ELIMIT;
    if (ret == 1)
        ret = is_in;
    if (q->tell != NULL) {
        struct onward_buf text;

        onward_core__buf_init(&text, q->router->ctx, 256);
        onward_core__buf_add_text(&text, "client in ");
        onward_core__buf_add_u64(&text, count);
        onward_core__buf_add_text(&text, " networks");
        tell(q, &text, ret);
    }
    return ret;
}

/* ---- The tree ---------------------------------------------------------- */

static int holds(struct onward_ruleset__question *q, struct onward_str node,
                 bool must_match, unsigned depth);

/* AND of three truths, and "cannot be told now" as the fourth: a part that
 * fails settles it, whatever the rest is. OR is the same upside down. */
static int all_of(struct onward_ruleset__question *q,
                  struct onward_ruleset__reader *in, bool is_or,
                  bool must_match, unsigned depth)
{
    uint64_t count = onward_ruleset__read_number(in);
    int settles = is_or ? 1 : 0;
    int so_far = is_or ? 0 : 1;

    for (uint64_t i = 0; i < count; i++) {
        struct onward_str node = onward_ruleset__read_str(in);
        int ret = in->is_bad ? ONWARD_ELIMIT
                             : holds(q, node, must_match && !is_or, depth);

        if (ret == settles || ret == ONWARD_ELIMIT || ret == ONWARD_ENOMEM)
            return ret;
        if (ret == ONWARD_ECALLBACK ||
            (ret == ONWARD_AGAIN && so_far != ONWARD_ECALLBACK))
            so_far = ret;
    }
    return so_far;
}

static int holds(struct onward_ruleset__question *q, struct onward_str node,
                 bool must_match, unsigned depth)
{
    struct onward_ruleset__reader in = onward_ruleset__reader(node);
    struct text_test t;
    int ret;

    if (depth == ONWARD_RULESET__CONDITION_DEPTH_MAX)
        return ONWARD_ELIMIT;
    switch ((enum onward_ruleset__condition_op)onward_ruleset__read_u8(&in)) {
    case ONWARD_RULESET__AND:
        return all_of(q, &in, false, must_match, depth + 1);
    case ONWARD_RULESET__OR:
        return all_of(q, &in, true, must_match, depth + 1);
    case ONWARD_RULESET__NOT:
        ret = holds(q, onward_ruleset__read_str(&in), false, depth + 1);
        return ret == 0 || ret == 1 ? !ret : ret;
    case ONWARD_RULESET__TEXT:
        if (!read_text_test(&in, &t))
            return ONWARD_ELIMIT;
        ret = test_texts(q, &t, must_match);
        tell_text(q, &t, ret);
        return ret;
    case ONWARD_RULESET__NUMBER:
        return test_number(q, &in);
    case ONWARD_RULESET__CLIENT:
        return test_client(q, &in);
    }
    return ONWARD_ELIMIT;
}

int onward_ruleset__condition_holds(struct onward_ruleset__question *q,
                                    struct onward_str condition)
{
    return holds(q, condition, true, 0);
}

/* ---- Checking ---------------------------------------------------------- */

static int check(struct onward_str node, unsigned depth);

static int check_text(struct onward_ruleset__reader *in)
{
    struct text_test t;

    if (!read_text_test(in, &t) ||
        (t.count == 0) != (t.test == ONWARD_RULESET__TEST_EXISTS))
        return ONWARD_ELIMIT;
    for (uint64_t i = 0; i < t.count && !in->is_bad; i++) {
        (void)onward_ruleset__read_str(in);
        if ((t.test == ONWARD_RULESET__TEST_GLOB ||
             t.test == ONWARD_RULESET__TEST_REGEX) &&
            onward_ruleset__pattern_check(onward_ruleset__read_str(in)) != 0)
            return ONWARD_ELIMIT;
    }
    return 0;
}

static int check_nodes(struct onward_ruleset__reader *in, uint64_t count,
                       unsigned depth)
{
    for (uint64_t i = 0; i < count; i++) {
        int err = check(onward_ruleset__read_str(in), depth);

        if (err != 0)
            return err;
    }
    return 0;
}

static int check(struct onward_str node, unsigned depth)
{
    struct onward_ruleset__reader in = onward_ruleset__reader(node);
    uint64_t count = 1;
    unsigned family, bits;
    int err = 0;

    if (depth == ONWARD_RULESET__CONDITION_DEPTH_MAX)
        return ONWARD_ELIMIT;
    switch ((enum onward_ruleset__condition_op)onward_ruleset__read_u8(&in)) {
    case ONWARD_RULESET__AND:
    case ONWARD_RULESET__OR:
        count = onward_ruleset__read_number(&in);
        err = check_nodes(&in, count, depth + 1);
        break;
    case ONWARD_RULESET__NOT:
        err = check_nodes(&in, count, depth + 1);
        break;
    case ONWARD_RULESET__TEXT:
        err = check_text(&in);
        break;
    case ONWARD_RULESET__NUMBER:
        (void)onward_ruleset__read_u8(&in);
        (void)onward_ruleset__read_u8(&in);
        (void)onward_ruleset__read_signed(&in);
        break;
    case ONWARD_RULESET__CLIENT:
        count = onward_ruleset__read_number(&in);
        for (uint64_t i = 0; i < count && !in.is_bad; i++)
            (void)read_network(&in, &family, &bits);
        break;
    default:
        return ONWARD_ELIMIT;
    }
    return err != 0 || in.is_bad || !onward_ruleset__at_end(&in) ? ONWARD_ELIMIT
                                                                 : 0;
}

int onward_ruleset__condition_check(struct onward_str condition)
{
    return check(condition, 0);
}
