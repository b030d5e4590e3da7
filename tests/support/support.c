#include "support/support.h"

static void *counted_alloc(void *user, size_t bytes)
{
    struct t_world *w = user;
    size_t *block;

    w->alloc_count++;
    if (w->fail_at != 0 &&
        (w->alloc_count == w->fail_at ||
         (w->fail_from_then && w->alloc_count > w->fail_at))) {
        w->failed++;
        return NULL;
    }
    block = malloc(bytes + 16);
    assert_non_null(block);
    block[0] = bytes;
    w->live++;
    w->live_bytes += bytes;
    if (w->live_bytes > w->peak_bytes)
        w->peak_bytes = w->live_bytes;
    return (char *)block + 16;
}

static bool holds(const char *block, size_t bytes, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= bytes; i++) {
        if (memcmp(block + i, text, len) == 0)
            return true;
    }
    return false;
}

static void counted_free(void *user, void *block)
{
    struct t_world *w = user;
    size_t *head = (void *)((char *)block - 16);

    if (w->freed != NULL)
        w->freed(w->freed_arg, block, head[0]);
    assert_true(w->live > 0);
    w->live--;
    w->live_bytes -= head[0];
    if (w->secret != NULL && holds(block, head[0], w->secret))
        w->leaks++;
    free(head);
}

static void *counted_realloc(void *user, void *block, size_t bytes)
{
    void *moved;
    size_t old;

    if (block == NULL)
        return counted_alloc(user, bytes);
    moved = counted_alloc(user, bytes);
    if (moved == NULL)
        return NULL;
    old = *(size_t *)(void *)((char *)block - 16);
    memcpy(moved, block, old < bytes ? old : bytes);
    counted_free(user, block);
    return moved;
}

static int64_t fixed_now(void *user)
{
    return ((struct t_world *)user)->now_s;
}

/* splitmix64: repeatable, so that a failure can be looked at again. */
static uint64_t next_random(struct t_world *w)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int repeatable_fill(void *user, void *data, size_t len)
{
    struct t_world *w = user;
    unsigned char *out = data;

    if (w->random_fails)
        return -1;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)next_random(w);
    return 0;
}

static void keep_log(void *user, const struct onward_log_event *event)
{
    struct t_world *w = user;

    w->log_count++;
    if (w->on_log != NULL)
        w->on_log(w, event);
    snprintf(w->last_log, sizeof(w->last_log), "%s %s %.*s", event->module,
             event->code, (int)event->detail.len, event->detail.data);
}

int t_world_ctx(struct t_world *w, const struct onward_limits *limits,
                struct onward_ctx **ctx)
{
    struct onward_allocator allocator = {.size = sizeof(allocator),
                                         .user = w,
                                         .alloc = counted_alloc,
                                         .realloc = counted_realloc,
                                         .free = counted_free};
    struct onward_clock clock = {
        .size = sizeof(clock), .user = w, .now_s = fixed_now};
    struct onward_random source = {
        .size = sizeof(source), .user = w, .fill = repeatable_fill};
    struct onward_log log = {.size = sizeof(log), .user = w, .event = keep_log};
    struct onward_ctx_opts opts = {.size = sizeof(opts),
                                   .allocator = &allocator,
                                   .clock = &clock,
                                   .random = &source,
                                   .log = &log,
                                   .limits = limits};

    return onward_ctx_new(&opts, ctx);
}

void t_world_init_limits(struct t_world *w, const struct onward_limits *limits)
{
    memset(w, 0, sizeof(*w));
    w->now_s = 1600000000;
    w->random = 1;
    assert_int_equal(t_world_ctx(w, limits, &w->ctx), 0);
}

void t_world_init(struct t_world *w)
{
    t_world_init_limits(w, NULL);
}

void t_world_clear(struct t_world *w)
{
    onward_ctx_free(w->ctx);
    w->ctx = NULL;
    assert_int_equal(w->live, 0);
}

static bool sweep_step(bool (*scenario)(struct t_world *w, void *arg),
                       void *arg, size_t fail_at, bool from_then)
{
    struct t_world w;
    bool got_through;
    size_t failed;

    t_world_init(&w);
    w.alloc_count = 0;
    w.fail_at = fail_at;
    w.fail_from_then = from_then;
    got_through = scenario(&w, arg);
    failed = w.failed;
    if (failed == 0)
        assert_true(got_through);
    t_world_clear(&w);
    return failed != 0;
}

void t_oom_sweep(bool (*scenario)(struct t_world *w, void *arg), void *arg)
{
    assert_false(sweep_step(scenario, arg, 0, false));
    for (size_t n = 1; sweep_step(scenario, arg, n, true); n++)
        sweep_step(scenario, arg, n, false);
}

static void feed_cut(const struct t_cut *cut, void *arg, const char *data,
                     size_t len, size_t step)
{
    cut->begin(arg);
    for (size_t at = 0; at < len; at += step)
        cut->feed(arg, data + at, len - at < step ? len - at : step);
    cut->end(arg);
}

void t_cut_everywhere(const struct t_cut *cut, void *arg, const void *data,
                      size_t len)
{
    const char *octets = data;
    struct t_world w = {.random = len};

    feed_cut(cut, arg, octets, len, len == 0 ? 1 : len);
    feed_cut(cut, arg, octets, len, 1);
    for (size_t at = 1; at < len && len <= 4096; at++) {
        cut->begin(arg);
        cut->feed(arg, octets, at);
        cut->feed(arg, octets + at, len - at);
        cut->end(arg);
    }
    for (int round = 0; round < 32; round++) {
        size_t most = 2 + (size_t)(next_random(&w) % 64);

        cut->begin(arg);
        for (size_t at = 0; at < len;) {
            size_t n = (size_t)(next_random(&w) % most); /* 0 is a cut too */

            if (n > len - at)
                n = len - at;
            cut->feed(arg, octets + at, n);
            at += n;
        }
        cut->end(arg);
    }
}

static void permute(size_t *order, size_t at, size_t n,
                    void (*run)(void *arg, const size_t *order, size_t n),
                    void *arg)
{
    if (at == n) {
        run(arg, order, n);
        return;
    }
    for (size_t i = at; i < n; i++) {
        size_t kept = order[at];

        order[at] = order[i];
        order[i] = kept;
        permute(order, at + 1, n, run, arg);
        order[i] = order[at];
        order[at] = kept;
    }
}

void t_every_order(size_t n,
                   void (*run)(void *arg, const size_t *order, size_t n),
                   void *arg)
{
    size_t order[6];

    assert_true(n <= 6);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    permute(order, 0, n, run, arg);
}

void t_assert_str_n(struct onward_str got, const void *want, size_t want_len)
{
    if (got.len != want_len ||
        (want_len != 0 && memcmp(got.data, want, want_len) != 0)) {
        print_error("got  \"%.*s\"\nwant \"%.*s\"\n", (int)got.len,
                    got.data == NULL ? "" : got.data, (int)want_len,
                    (const char *)want);
        fail();
    }
}

void t_assert_str(struct onward_str got, const char *want)
{
    t_assert_str_n(got, want, strlen(want));
}

char *t_read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *data;
    long end;

    if (f == NULL)
        return NULL;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    end = ftell(f);
    assert_true(end >= 0);
    rewind(f);
    data = malloc((size_t)end + 1);
    assert_non_null(data);
    *len = fread(data, 1, (size_t)end, f);
    assert_int_equal(*len, (size_t)end);
    data[*len] = '\0';
    fclose(f);
    return data;
}

const char *t_conformance(const char *name)
{
    static char path[4096];
    const char *folder = getenv("ONWARD_CONFORMANCE");
    FILE *f = NULL;

    if (folder != NULL && folder[0] != '\0') {
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "rb");
    }
    if (f == NULL) {
        print_message("skipped: conformance data %s is not here\n", name);
        return NULL;
    }
    fclose(f);
    return path;
}

const char *t_data(const char *name)
{
    static char path[4096];
    const char *folder = getenv("ONWARD_TEST_DATA");

    snprintf(path, sizeof(path), "%s/%s",
             folder == NULL ? ONWARD_TEST_DATA_DIR : folder, name);
    return path;
}
