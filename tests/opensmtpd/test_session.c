/* What becomes of messages when there is no memory: they come again, and the
 * next one on that connection is whole. */
#define _GNU_SOURCE
#include "smtpd_filter.h"

#include "filter_world.h"

#define BASE                                                                   \
    "hostname = mx.fwd.example\ndns = dns.txt\n"                               \
    "dkim_key = a.example s1 a.pem\nseal_key = a.pem\n"                        \
    "seal_domain = fwd.example\nseal_selector = s1\n"
#define REPORT "report|0.6|1.0|smtp-in|"
#define FILTER "filter|0.6|1.0|smtp-in|"
#define SESSION "|0000000000000001"
#define TOKEN "|00000000000000aa|"

struct run {
    struct filter_world x;
    struct program p;
    struct setup setup;
    char *said;
    int64_t now_ms;
    size_t said_len, heard;     /* up to there it was looked at */
    char text[8192], word[400]; /* of a message */
};

/* ---- What session.c has beside it -------------------------------------- */

static size_t logged;

void log_event(const struct program *p, const char *event, const char *detail)
{
    (void)p, (void)event, (void)detail;
    logged++;
}

void log_message(const struct program *p, const struct filter *f, uint64_t id)
{
    struct json j = {.out = fopen("/dev/null", "w")};

    (void)p, (void)id;
    assert_non_null(j.out);
    json_open(&j, NULL, '{');
    filter_log(f, &j);
    json_close(&j, '}');
    fclose(j.out);
    logged++;
}

struct setup *setup_ref(struct setup *setup)
{
    setup->owners++;
    return setup;
}

void setup_free(struct setup *setup)
{
    if (setup != NULL)
        setup->owners--;
}

/* ---- Talk -------------------------------------------------------------- */

static void say(struct run *r, const char *text)
{
    struct line line;

    line_read((struct onward_str){text, strlen(text)}, &line);
    assert_int_not_equal(line.kind, LINE_BROKEN);
    session_line(&r->p, &line);
    while (onward_desk_run(r->x.desk, r->now_ms) == 1)
        continue;
}

/* What was said since the last time. */
static void hear(struct run *r, char *out, size_t cap)
{
    fflush(r->p.out);
    assert_true(r->said_len - r->heard < cap);
    memcpy(out, r->said + r->heard, r->said_len - r->heard);
    out[r->said_len - r->heard] = '\0';
    r->heard = r->said_len;
}

static void connect_from(struct run *r, const char *address)
{
    char text[200];

    snprintf(text, sizeof(text),
             REPORT "link-connect" SESSION "|a.example|pass|%s|192.0.2.1:25",
             address);
    say(r, text);
    say(r, REPORT "link-identify" SESSION "|EHLO|client.a.example");
}

static const char *const body[] = {
    "From: u@a.example", "X-Fold: one", "\ttwo", "", "..hello", "end"};

/* text is what came back, word the answer to its commit. */
static void transact(struct run *r)
{
    char line[200];

    say(r, REPORT "tx-mail" SESSION "|4e26e68d|ok|u@a.example");
    say(r, REPORT "tx-rcpt" SESSION "|4e26e68d|ok|v@b.example");
    for (size_t i = 0; i < sizeof(body) / sizeof(body[0]); i++) {
        snprintf(line, sizeof(line), FILTER "data-line" SESSION TOKEN "%s",
                 body[i]);
        say(r, line);
    }
    say(r, FILTER "data-line" SESSION TOKEN ".");
    hear(r, r->text, sizeof(r->text));
    say(r, FILTER "commit" SESSION TOKEN);
    hear(r, r->word, sizeof(r->word));
}

/* All that was sent, below one new field at least, and the end. */
static bool is_whole(const char *text)
{
    static const char want[] =
        "filter-dataline" SESSION TOKEN "From: u@a.example\n"
        "filter-dataline" SESSION TOKEN "X-Fold: one\n"
        "filter-dataline" SESSION TOKEN "\ttwo\n"
        "filter-dataline" SESSION TOKEN "\n"
        "filter-dataline" SESSION TOKEN "..hello\n"
        "filter-dataline" SESSION TOKEN "end\n"
        "filter-dataline" SESSION TOKEN ".\n";
    size_t len = strlen(text);

    return len > sizeof(want) - 1 &&
           strcmp(text + (len - (sizeof(want) - 1)), want) == 0;
}

/* ---- Memory ------------------------------------------------------------ */

static bool begin(struct run *r, struct t_world *w)
{
    bool ok = filter_world_begin(&r->x, w, BASE);

    r->p.setup = &r->setup;
    r->setup.owners = 1;
    r->setup.filter = r->x.setup;
    r->setup.settings.temporary = r->x.folder;
    r->p.out = open_memstream(&r->said, &r->said_len);
    assert_non_null(r->p.out);
    return ok;
}

static void end(struct run *r)
{
    session_free_all(&r->p);
    assert_int_equal(r->setup.owners, 1);
    filter_world_end(&r->x);
    fclose(r->p.out);
    free(r->said);
}

static bool scenario(struct t_world *w, void *arg)
{
    struct run r = {0};
    bool ok = begin(&r, w);

    if (ok) {
        filter_world_watch(w);
        connect_from(&r, arg);
        transact(&r);
        ok = is_whole(r.text) && strstr(r.word, "|proceed\n") != NULL;
        /* Refused for now and nothing given back, or whole. */
        if (!ok) {
            assert_string_equal(r.text, "filter-dataline" SESSION TOKEN ".\n");
            assert_true(
                strncmp(r.word, "filter-result" SESSION TOKEN "reject|45",
                        sizeof("filter-result" SESSION TOKEN "reject|45") -
                            1) == 0);
        }
        /* There is memory again: what failed is forgotten. */
        filter_world_watch(NULL);
        w->fail_at = 0;
        w->fail_from_then = false;
        /* Longer than a question without an answer is remembered. */
        r.now_ms += 3600000;
        connect_from(&r, arg);
        transact(&r);
        assert_true(is_whole(r.text));
        assert_non_null(strstr(r.word, "|proceed\n"));
    }
    end(&r);
    return ok;
}

static void test_no_memory_for_what_comes(void **state)
{
    (void)state;
    t_oom_sweep(scenario, (void *)(uintptr_t) "192.0.2.9:4711");
}

static void test_no_memory_for_what_leaves(void **state)
{
    (void)state;
    t_oom_sweep(scenario, (void *)(uintptr_t) "unix:/run/smtpd.sock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory_for_what_comes),
        cmocka_unit_test(test_no_memory_for_what_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
