/* What stands in the store: hostile octets, failing and full stores. */
#include "world.h"

#include "mtasts/mtasts_priv.h"

#define ZONE                                                                   \
    "mta-sts.example.com A 192.0.2.1\n"                                        \
    "_mta-sts.example.com TXT \"v=STSv1; id=1;\"\n"
#define WHY(reason) ONWARD_MTASTS_REASON_##reason

enum { NOW = 1600000000, LIFE = 604800 };

static struct onward_mtasts__kept *make(struct t_world *w)
{
    struct onward_mtasts__kept *kept = NULL;

    assert_int_equal(onward_mtasts__kept_new(w->ctx, ONWARD_STR("1"),
                                             ONWARD_STR(T_POLICY), NOW, NULL,
                                             &kept),
                     0);
    return kept;
}

static struct onward_buf write(struct t_world *w)
{
    struct onward_mtasts__kept *kept = make(w);
    struct onward_buf out;

    onward_core__buf_init(&out, w->ctx, 4096);
    assert_int_equal(onward_mtasts__kept_write(&out, kept), 0);
    onward_mtasts__kept_free(kept);
    return out;
}

/* The form is a promise to the next release: octet by octet. */
static void the_octets_of_a_policy(void **state)
{
    static const unsigned char head[] = {'O',
                                         'M',
                                         't',
                                         'p',
                                         1,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0x10,
                                         0x5e,
                                         0x5f,
                                         0,
                                         0,
                                         0,
                                         0,
                                         1,
                                         '1',
                                         sizeof(T_POLICY) - 1,
                                         0,
                                         0,
                                         0};
    struct onward_mtasts__kept *kept = NULL;
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    out = write(&w);
    assert_int_equal(out.len, sizeof(head) + sizeof(T_POLICY) - 1);
    assert_memory_equal(out.data, head, sizeof(head));
    assert_memory_equal(out.data + sizeof(head), T_POLICY,
                        sizeof(T_POLICY) - 1);
    assert_int_equal(onward_mtasts__kept_read(w.ctx, onward_core__buf_str(&out),
                                              NOW + LIFE - 1, &kept),
                     0);
    t_assert_str(kept->id, "1");
    t_assert_str(kept->policy.text, T_POLICY);
    assert_true(kept->fetched_s == NOW);
    onward_mtasts__kept_free(kept);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static void the_octets_of_a_failure(void **state)
{
    static const unsigned char want[] = {'O', 'M',  't',  'f',  1, 0,   0,  0,
                                         0,   0x10, 0x5e, 0x5f, 0, 0,   0,  0,
                                         13,  0,    0x94, 1,    2, 'a', 'b'};
    struct onward_mtasts__mark mark = {.failed_s = NOW,
                                       .reason = WHY(STATUS),
                                       .http_status = 404,
                                       .id_len = 2,
                                       .id = "ab"};
    unsigned char out[ONWARD_MTASTS__MARK_MAX];
    size_t len = onward_mtasts__mark_write(out, &mark);

    (void)state;
    assert_int_equal(len, sizeof(want));
    assert_memory_equal(out, want, len);
    memset(&mark, 0, sizeof(mark));
    assert_int_equal(
        onward_mtasts__mark_read(onward_core__str(out, len), &mark), 0);
    assert_int_equal(mark.reason, WHY(STATUS));
    assert_int_equal(mark.http_status, 404);
    t_assert_str(onward_core__str(mark.id, mark.id_len), "ab");
    for (size_t cut = 0; cut < len; cut++)
        assert_true(
            onward_mtasts__mark_read(onward_core__str(out, cut), &mark) != 0);
    for (size_t i = 0; i < len; i++) {
        unsigned char changed[sizeof(out)];

        memcpy(changed, out, len);
        for (unsigned c = 0; c < 256; c++) {
            changed[i] = (unsigned char)c;
            if (onward_mtasts__mark_read(onward_core__str(changed, len),
                                         &mark) == 0)
                assert_true(mark.id_len <= ONWARD_MTASTS__ID_MAX &&
                            mark.reason != WHY(NONE) &&
                            mark.reason <= WHY(INTERNAL));
        }
    }
}

/* In force from when it was fetched, also by a clock that was put back. */
static void times_of_a_policy(void **state)
{
    static const struct {
        int64_t now_s;
        int ret;
    } rows[] = {
        {NOW, 0},
        {NOW + LIFE - 1, 0},
        {NOW + LIFE, ONWARD_ENOENT},
        {NOW - 3600, 0},
        {NOW - ONWARD_MTASTS_MAX_AGE_MAX, 0},
        {NOW - ONWARD_MTASTS_MAX_AGE_MAX - 1, ONWARD_ENOENT},
        {0, ONWARD_ENOENT},
    };
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    out = write(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct onward_mtasts__kept *kept = NULL;

        if (onward_mtasts__kept_read(w.ctx, onward_core__buf_str(&out),
                                     rows[i].now_s, &kept) != rows[i].ret)
            fail_msg("row %zu", i);
        onward_mtasts__kept_free(kept);
    }
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* Cut, longer, or with any one octet changed: it is refused, or it is a whole
 * policy with an end. */
static void hostile_octets(void **state)
{
    struct onward_mtasts__kept *kept = NULL;
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    out = write(&w);
    onward_core__buf_add_byte(&out, 'x');
    for (size_t len = 0; len <= out.len; len++) {
        if (len == out.len - 1)
            continue;
        assert_int_equal(
            onward_mtasts__kept_read(w.ctx, onward_core__str(out.data, len),
                                     NOW, &kept),
            ONWARD_ESYNTAX);
    }
    out.len--;
    out.data[4] = 2;
    assert_int_equal(
        onward_mtasts__kept_read(w.ctx, onward_core__buf_str(&out), NOW, &kept),
        ONWARD_EVERSION);
    out.data[4] = 1;
    for (size_t i = 0; i < out.len; i++) {
        unsigned char was = out.data[i];

        for (unsigned c = 0; c < 256; c++) {
            out.data[i] = (unsigned char)c;
            if (onward_mtasts__kept_read(w.ctx, onward_core__buf_str(&out), NOW,
                                         &kept) != 0)
                continue;
            assert_true(kept->policy.mode != ONWARD_MTASTS_MODE_UNKNOWN);
            assert_true(onward_mtasts__kept_expires_s(kept) > NOW);
            assert_true(onward_mtasts__kept_expires_s(kept) <=
                        NOW + (int64_t)2 * ONWARD_MTASTS_MAX_AGE_MAX);
            onward_mtasts__kept_free(kept);
        }
        out.data[i] = was;
    }
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* ---- Stores ------------------------------------------------------------ */

/* A store of one value that does as told. */
struct fake {
    struct onward_desk *desk;
    const char *value; /* of each get; NULL: there is none */
    size_t value_len;
    int get_error, put_error; /* answered; 0: none */
    bool is_full;             /* for what must be kept */
    bool refuses;             /* the functions themselves */
    size_t puts, kept, other;
};

static int fake_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    struct fake *f = user;

    assert_true(key_len > 16 && memcmp(key, "onward/mtasts/1/", 16) == 0);
    if (f->refuses)
        return ONWARD_ECALLBACK;
    if (f->get_error == 0 && f->value != NULL && key[16] == 'p')
        return onward_store_answer_value(f->desk, token, f->value, f->value_len,
                                         1);
    return onward_store_answer_error(
        f->desk, token, f->get_error != 0 ? f->get_error : ONWARD_ENOENT);
}

static int fake_put(void *user, uint64_t token, const char *key, size_t key_len,
                    const void *value, size_t value_len, int64_t expires_s,
                    uint64_t version, uint32_t flags)
{
    struct fake *f = user;
    bool is_hard = (flags & ONWARD_STORE_KEEP) != 0;

    (void)value, (void)value_len, (void)version, (void)key_len;
    assert_true(expires_s == (key[16] == 'p' ? NOW + LIFE : NOW + 300));
    f->puts++;
    if (f->refuses)
        return ONWARD_ECALLBACK;
    if (f->put_error != 0 || (f->is_full && is_hard))
        return onward_store_answer_error(
            f->desk, token, f->put_error != 0 ? f->put_error : ONWARD_ELIMIT);
    f->kept += is_hard;
    f->other += !is_hard;
    return onward_store_answer_done(f->desk, token, 1, 1);
}

static int fake_remove(void *user, uint64_t token, const char *key,
                       size_t key_len, uint64_t version)
{
    (void)user, (void)token, (void)key, (void)key_len, (void)version;
    return ONWARD_ECALLBACK;
}

static int fake_walk(void *user, uint64_t token, const char *prefix,
                     size_t prefix_len, const char *cursor, size_t cursor_len,
                     size_t max_items)
{
    (void)user, (void)token, (void)prefix, (void)prefix_len, (void)cursor,
        (void)cursor_len, (void)max_items;
    return ONWARD_ECALLBACK;
}

static const struct store_row {
    const char *name;
    struct fake fake;
    const char *zone;
    size_t status, reason, connects, kept, other;
    const char *log; /* for a value that cannot be read; NULL: store-value */
} rows[] = {
    {"nothing",
     {.value = NULL},
     ZONE,
     ONWARD_MTASTS_POLICY,
     WHY(NONE),
     1,
     1,
     0,
     NULL},
    {"full of what must be kept",
     {.is_full = true},
     ZONE,
     ONWARD_MTASTS_POLICY,
     WHY(NONE),
     1,
     0,
     1,
     NULL},
    {"cannot be written",
     {.put_error = ONWARD_ECALLBACK},
     ZONE,
     ONWARD_MTASTS_POLICY,
     WHY(NONE),
     1,
     0,
     0,
     NULL},
    {"cannot be read, a record",
     {.get_error = ONWARD_ECALLBACK},
     ZONE,
     ONWARD_MTASTS_POLICY,
     WHY(NONE),
     1,
     1,
     0,
     NULL},
    {"cannot be read, no record",
     {.get_error = ONWARD_ECALLBACK},
     "",
     ONWARD_MTASTS_NO_POLICY,
     WHY(STORE),
     0,
     0,
     0,
     NULL},
    {"refuses, a record",
     {.refuses = true},
     ZONE,
     ONWARD_MTASTS_POLICY,
     WHY(NONE),
     1,
     0,
     0,
     NULL},
    {"refuses, no record",
     {.refuses = true},
     "",
     ONWARD_MTASTS_NO_POLICY,
     WHY(STORE),
     0,
     0,
     0,
     NULL},
    {"rubbish",
     {.value = "rubbish", .value_len = 7},
     "",
     ONWARD_MTASTS_NO_POLICY,
     WHY(NO_RECORD),
     0,
     0,
     0,
     NULL},
    {"rubbish, a record",
     {.value = "rubbish", .value_len = 7},
     ZONE,
     ONWARD_MTASTS_POLICY,
     WHY(NONE),
     1,
     1,
     0,
     NULL},
    {"of tomorrow",
     {.value = "OMtp\2\0\0\0\0\0\0\0\0\0\0\0", .value_len = 16},
     "",
     ONWARD_MTASTS_NO_POLICY,
     WHY(NO_RECORD),
     0,
     0,
     0,
     "store-version"},
};

/* One field that nobody knows makes it long. */
static char long_policy[4097];
static const struct onward_mtasts_reply long_reply = {
    .size = sizeof(long_reply),
    .status = 200,
    .content_type = {"text/plain", 10},
    .body = {long_policy, sizeof(long_policy)},
};

struct logs {
    char all[4096];
};

static struct logs *the_logs;

static void on_log(void *user, const struct onward_log_event *event)
{
    size_t at = strlen(the_logs->all);

    (void)user;
    snprintf(the_logs->all + at, sizeof(the_logs->all) - at, "%s\n",
             event->code);
}

/* Where a store is full of what must be kept, and must not be filled so. */
static void a_long_policy_may_be_dropped(void **state)
{
    struct fake fake = {.value = NULL};
    const struct onward_store_ops fake_ops = {.size = sizeof(fake_ops),
                                              .user = &fake,
                                              .get = fake_get,
                                              .put = fake_put,
                                              .remove = fake_remove,
                                              .walk = fake_walk};
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = &long_reply;
    fake.desk = x.desk;
    onward_mtasts_free(x.mtasts);
    onward_store_free(x.store);
    assert_int_equal(onward_store_new(x.desk, &fake_ops, NULL, &x.store), 0);
    assert_int_equal(t_sts_again(&x, NULL), 0);
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, ONWARD_MTASTS_POLICY, WHY(NONE));
    assert_int_equal(fake.kept, 0);
    assert_int_equal(fake.other, 1);
    t_sts_clear(&x);
}

static void test_store(void **state)
{
    const struct store_row *row = *state;
    struct fake fake = row->fake;
    const struct onward_store_ops fake_ops = {.size = sizeof(fake_ops),
                                              .user = &fake,
                                              .get = fake_get,
                                              .put = fake_put,
                                              .remove = fake_remove,
                                              .walk = fake_walk};
    struct t_sts x = {.zone = row->zone};
    struct logs logs = {.all = ""};

    t_sts_init(&x, NULL);
    the_logs = &logs;
    x.w.on_log = on_log;
    fake.desk = x.desk;
    onward_mtasts_free(x.mtasts);
    onward_store_free(x.store);
    assert_int_equal(onward_store_new(x.desk, &fake_ops, NULL, &x.store), 0);
    assert_int_equal(t_sts_again(&x, NULL), 0);
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, row->status, row->reason);
    assert_int_equal(x.connects, row->connects);
    assert_int_equal(fake.kept, row->kept);
    assert_int_equal(fake.other, row->other);
    if (row->fake.put_error != 0 || (row->fake.refuses && x.connects != 0))
        assert_non_null(strstr(logs.all, "store-put"));
    if (row->fake.value != NULL && row->log == NULL)
        assert_non_null(strstr(logs.all, "store-value"));
    if (row->log != NULL)
        assert_non_null(strstr(logs.all, row->log));
    t_sts_clear(&x);
}

int main(void)
{
    static struct CMUnitTest stores[32];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_octets_of_a_policy),
        cmocka_unit_test(the_octets_of_a_failure),
        cmocka_unit_test(times_of_a_policy),
        cmocka_unit_test(hostile_octets),
        cmocka_unit_test(a_long_policy_may_be_dropped),
    };
    size_t count = sizeof(rows) / sizeof(rows[0]);

    memset(long_policy, ' ', sizeof(long_policy));
    memcpy(long_policy, T_POLICY "note:", sizeof(T_POLICY) + 4);
    long_policy[sizeof(long_policy) - 1] = 'x';
    for (size_t i = 0; i < count; i++)
        stores[i] = (struct CMUnitTest){.name = rows[i].name,
                                        .test_func = test_store,
                                        .initial_state = (void *)&rows[i]};
    return _cmocka_run_group_tests("stores", stores, count, NULL, NULL) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
