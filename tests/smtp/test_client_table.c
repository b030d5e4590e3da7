/*
 * Each state of the client session against each kind of reply: what it says
 * next, what it tells, and whether the session goes on. The rows follow from
 * RFC 5321 sections 4.2 and 4.3, RFC 3207 section 4, RFC 3030 section 2 and RFC
 * 2033 section 4.2; where these leave a choice, a reply that answers nothing
 * ends the session, and nothing is told as delivered but by 2yz to the end of a
 * message (A096, A097).
 */
#include "smtp/play.h"

/* ---- Replies ----------------------------------------------------------- */

enum class {
    C_2YZ,
    C_3YZ,
    C_4YZ,
    C_5YZ,
    C_421,
    C_UNKNOWN,
    C_LINES,
    C_NO_REPLY,
    C_ONE_MORE,
    C_EOF,
    C_TIME,
    C_LONG,
    CLASSES
};

static const struct {
    const char *name, *text;
} classes[CLASSES] = {
    [C_2YZ] = {"2yz", "250 x\r\n"},
    [C_3YZ] = {"3yz", "354 x\r\n"},
    [C_4YZ] = {"4yz", "451 x\r\n"},
    [C_5YZ] = {"5yz", "554 x\r\n"},
    [C_421] = {"421", "421 x\r\n"},
    /* RFC 5321 section 4.3.2: the first digit decides. */
    [C_UNKNOWN] = {"an unknown 2yz", "299 x\r\n"},
    [C_LINES] = {"several lines", "250-a\r\n250-b c\r\n250 d\r\n"},
    [C_NO_REPLY] = {"no reply", "25x\r\n"},
    [C_ONE_MORE] = {"one more than asked for", "250 x\r\n250 y\r\n"},
    [C_EOF] = {"the end", NULL},
    [C_TIME] = {"ten minutes", NULL},
    [C_LONG] = {"a line too long", NULL},
};

/* ---- States ------------------------------------------------------------ */

/*
 * A cell: the first word that the client says ("-": nothing), the fate and
 * cause of the message, those of the session, and + when it goes on.
 *
 *     fate   n not tried, d delivered, t temporary, p permanent
 *     cause  0 none, r reply, l lost, t timeout, p protocol, s TLS,
 *            N no TLS, R recipients
 */
#define LOST "- tl tl x"
#define LATE "- tt tt x"
#define WRONG "- tp tp x"
#define LEFT "- tr tr x" /* 421 */

/* 2yz, known or not, in as many lines as it likes. */
#define YES(cell) [C_2YZ] = cell, [C_UNKNOWN] = cell, [C_LINES] = cell
/* What ends the session wherever a reply is due. */
#define USUAL                                                                  \
    [C_421] = LEFT, [C_NO_REPLY] = WRONG, [C_EOF] = LOST, [C_TIME] = LATE,     \
    [C_LONG] = WRONG

#define EHLO                                                                   \
    "S 220 mx\n"                                                               \
    "C EHLO client.example\n"
#define READY                                                                  \
    EHLO "S 250 mx\n"                                                          \
         "TOLD ready\n"
#define MAIL                                                                   \
    "C MAIL FROM:<>\n"                                                         \
    "S 250 ok\n"
#define RCPT                                                                   \
    "C RCPT TO:<b@mx.example>\n"                                               \
    "S 250 ok\n"

static const struct t_play_mail mail[] = {
    {.from = "", .to = "b@mx.example", .text = {"x\r\n", 3}}};
static const struct t_play_mail held[] = {
    {.from = "", .to = "b@mx.example", .text = {"x\r\n", 3}, .hold_dot = 1}};
static const struct t_play_mail two[] = {
    {.from = "", .to = "b@mx.example c@mx.example", .text = {"x\r\n", 3}}};

static const struct state {
    const char *name;
    const struct t_play_mail *mails;
    const char *script; /* leads to it */
    const char *cells[CLASSES];
    size_t flags, level;
    bool logs_in;
} states[] = {
    {"greeting",
     mail,
     "N\n",
     {YES("EHLO n0 n0 +"), [C_3YZ] = "QUIT tr tr +", [C_4YZ] = "QUIT tr tr +",
      [C_5YZ] = "QUIT pr pr +", [C_ONE_MORE] = "EHLO tp tp x", USUAL},
     0,
     0,
     false},
    {"EHLO",
     mail,
     EHLO,
     {YES("MAIL n0 n0 +"), [C_3YZ] = "QUIT tr tr +", [C_4YZ] = "QUIT tr tr +",
      [C_5YZ] = "HELO n0 n0 +", [C_ONE_MORE] = WRONG, USUAL},
     0,
     0,
     false},
    {"HELO",
     mail,
     EHLO "S 502 what?\n"
          "C HELO client.example\n",
     {YES("MAIL n0 n0 +"), [C_3YZ] = "QUIT tr tr +", [C_4YZ] = "QUIT tr tr +",
      [C_5YZ] = "QUIT pr pr +", [C_ONE_MORE] = WRONG, USUAL},
     0,
     0,
     false},
    {"LHLO",
     mail,
     "S 220 mx\n"
     "C LHLO client.example\n",
     {YES("MAIL n0 n0 +"), [C_3YZ] = "QUIT tr tr +", [C_4YZ] = "QUIT tr tr +",
      [C_5YZ] = "QUIT pr pr +", [C_ONE_MORE] = WRONG, USUAL},
     ONWARD_SMTP_CLIENT_LMTP,
     0,
     false},
    /* Only 220 is a go-ahead; the rest is a no (RFC 3207 section 4). */
    {"STARTTLS, where it may be",
     mail,
     EHLO "S 250-mx\n"
          "S 250 STARTTLS\n"
          "C STARTTLS\n",
     {YES("MAIL n0 n0 +"), [C_3YZ] = "MAIL n0 n0 +", [C_4YZ] = "MAIL n0 n0 +",
      [C_5YZ] = "MAIL n0 n0 +", [C_ONE_MORE] = WRONG, USUAL},
     ONWARD_SMTP_CLIENT_HOST_TLS,
     ONWARD_TLS_OPPORTUNISTIC,
     false},
    {"STARTTLS, where it must be",
     mail,
     EHLO "S 250-mx\n"
          "S 250 STARTTLS\n"
          "C STARTTLS\n",
     {YES("QUIT tN tN +"), [C_3YZ] = "QUIT tN tN +", [C_4YZ] = "QUIT tN tN +",
      [C_5YZ] = "QUIT tN tN +", /* QUIT has a reply, and this may be it. */
      [C_ONE_MORE] = "QUIT tN tN x", USUAL},
     ONWARD_SMTP_CLIENT_HOST_TLS,
     ONWARD_TLS_ENCRYPTED,
     false},
    {"the host's handshake",
     mail,
     EHLO "S 250-mx\n"
          "S 250 STARTTLS\n"
          "C STARTTLS\n"
          "S 220 go\n"
          "TOLD starttls\n",
     {YES("- ts ts x"), [C_3YZ] = "- ts ts x", [C_4YZ] = "- ts ts x",
      [C_5YZ] = "- ts ts x", [C_421] = "- ts ts x", [C_NO_REPLY] = "- ts ts x",
      [C_ONE_MORE] = "- ts ts x", [C_EOF] = LOST, [C_TIME] = LATE,
      [C_LONG] = "- ts ts x"},
     ONWARD_SMTP_CLIENT_HOST_TLS,
     ONWARD_TLS_OPPORTUNISTIC,
     false},
    /* Whatever is said of a login, it is not said of the message: the host may
     * come with other credentials (RFC 4954 section 4). */
    {"AUTH",
     mail,
     EHLO "S 250-mx\n"
          "S 250 AUTH PLAIN\n"
          "C AUTH PLAIN AHUAcA==\n",
     {YES("QUIT tr tr +"), [C_3YZ] = "QUIT tr tr +", [C_4YZ] = "QUIT tr tr +",
      [C_5YZ] = "QUIT tr tr +", /* QUIT has a reply, and this may be it. */
      [C_ONE_MORE] = "QUIT tr tr x", USUAL},
     0,
     0,
     true},
    /* Nothing was asked. */
    {"idle",
     NULL,
     READY,
     {YES("- n0 tp x"), [C_3YZ] = "- n0 tp x", [C_4YZ] = "- n0 tp x",
      [C_5YZ] = "- n0 tp x", [C_421] = "- n0 tr x", [C_NO_REPLY] = "- n0 tp x",
      [C_ONE_MORE] = "- n0 tp x", [C_EOF] = "- n0 tl x", [C_TIME] = "- n0 n0 +",
      [C_LONG] = "- n0 tp x"},
     0,
     0,
     false},
    /* A server that cannot forget would mix two messages. */
    {"RSET",
     mail,
     "MAIL 0\n" READY MAIL "C RCPT TO:<b@mx.example>\n"
     "S 550 no\n"
     "TOLD done\n"
     "MAIL 0\n"
     "C RSET\n",
     {YES("MAIL n0 n0 +"), [C_3YZ] = LEFT, [C_4YZ] = LEFT, [C_5YZ] = LEFT,
      [C_ONE_MORE] = WRONG, USUAL},
     0,
     0,
     false},
    {"MAIL",
     mail,
     READY "C MAIL FROM:<>\n",
     {YES("RCPT n0 n0 +"), [C_3YZ] = WRONG, [C_4YZ] = "- tr n0 +",
      [C_5YZ] = "- pr n0 +", [C_ONE_MORE] = WRONG, USUAL},
     0,
     0,
     false},
    {"RCPT",
     mail,
     READY MAIL "C RCPT TO:<b@mx.example>\n",
     {YES("DATA n0 n0 +"), [C_3YZ] = WRONG, [C_4YZ] = "- tR n0 +",
      [C_5YZ] = "- pR n0 +", [C_ONE_MORE] = WRONG, USUAL},
     0,
     0,
     false},
    {"DATA",
     mail,
     READY MAIL RCPT "C DATA\n",
     {YES(WRONG), [C_3YZ] = "x n0 n0 +", [C_4YZ] = "- tr n0 +",
      [C_5YZ] = "- pr n0 +", [C_ONE_MORE] = WRONG, USUAL},
     0,
     0,
     false},
    /* The host holds the dot, so time does not count. */
    {"the message, before its dot",
     held,
     READY MAIL RCPT "C DATA\n"
                     "S 354 go\n"
                     "C x\n"
                     "TOLD held\n",
     {YES(WRONG), [C_3YZ] = WRONG, [C_4YZ] = WRONG, [C_5YZ] = WRONG,
      [C_421] = LEFT, [C_NO_REPLY] = WRONG, [C_ONE_MORE] = WRONG,
      [C_EOF] = LOST, [C_TIME] = "- n0 n0 +", [C_LONG] = WRONG},
     0,
     0,
     false},
    {"a chunk",
     mail,
     EHLO "S 250-mx\n"
          "S 250 CHUNKING\n"
          "TOLD ready\n" MAIL RCPT "C BDAT 2\n"
          "R x\r\n",
     {YES("BDAT n0 n0 +"), [C_3YZ] = WRONG, [C_4YZ] = "- tr n0 +",
      [C_5YZ] = "- pr n0 +", [C_ONE_MORE] = WRONG, USUAL},
     ONWARD_SMTP_CLIENT_PREFER_BDAT,
     0,
     false},
    {"the final dot",
     mail,
     READY MAIL RCPT "C DATA\n"
                     "S 354 go\n"
                     "C x\n"
                     "C .\n",
     {YES("- dr n0 +"), [C_3YZ] = WRONG, [C_4YZ] = "- tr n0 +",
      [C_5YZ] = "- pr n0 +", [C_ONE_MORE] = "- dr tp x", USUAL},
     0,
     0,
     false},
    {"the last chunk",
     mail,
     EHLO "S 250-mx\n"
          "S 250 CHUNKING\n"
          "TOLD ready\n" MAIL RCPT "C BDAT 2\n"
          "R x\r\n"
          "S 250 ok\n"
          "C BDAT 1 LAST\n"
          "R ~\n",
     {YES("- dr n0 +"), [C_3YZ] = WRONG, [C_4YZ] = "- tr n0 +",
      [C_5YZ] = "- pr n0 +", [C_ONE_MORE] = "- dr tp x", USUAL},
     ONWARD_SMTP_CLIENT_PREFER_BDAT,
     0,
     false},
    /* Two replies are due, the first was a no. */
    {"the final dot of LMTP",
     two,
     "S 220 mx\n"
     "C LHLO client.example\n"
     "S 250 mx\n"
     "TOLD ready\n" MAIL RCPT "C RCPT TO:<c@mx.example>\n"
     "S 250 ok\n"
     "C DATA\n"
     "S 354 go\n"
     "C x\n"
     "C .\n"
     "S 554 no\n",
     {YES("- dr n0 +"), [C_3YZ] = WRONG, [C_4YZ] = "- tr n0 +",
      [C_5YZ] = "- pr n0 +", [C_ONE_MORE] = "- dr tp x", USUAL},
     ONWARD_SMTP_CLIENT_LMTP,
     0,
     false},
    /* Whatever it is: goodbye. */
    {"QUIT",
     NULL,
     READY "QUIT\n"
           "C QUIT\n",
     {YES("- n0 n0 x"), [C_3YZ] = "- n0 n0 x", [C_4YZ] = "- n0 n0 x",
      [C_5YZ] = "- n0 n0 x", [C_421] = "- n0 n0 x", [C_NO_REPLY] = "- n0 tp x",
      [C_ONE_MORE] = "- n0 n0 x", [C_EOF] = "- n0 n0 x", [C_TIME] = "- n0 tt x",
      [C_LONG] = "- n0 tp x"},
     0,
     0,
     false},
};

enum { STATES = sizeof(states) / sizeof(states[0]) };

_Static_assert((int)STATES >= 10 && (int)CLASSES == 12, "the table is whole");

/* ---- Playing ----------------------------------------------------------- */

static void apply(struct t_play *p, enum class class)
{
    static char lengthy[3000];

    if (class == C_EOF) {
        assert_int_equal(onward_channel_eof(p->ch, ONWARD_EOF_CLEAN), 0);
    } else if (class == C_TIME) {
        p->now_ms += 600000;
        assert_int_equal(onward_channel_tick(p->ch, p->now_ms), 0);
    } else if (class == C_LONG) {
        memset(lengthy, 'x', sizeof(lengthy));
        memcpy(lengthy, "250-", 4);
        t_play_feed(p, lengthy, sizeof(lengthy));
    } else {
        t_play_feed(p, classes[class].text, strlen(classes[class].text));
    }
    t_play_settle(p);
}

static void add_outcome(char *cell, const struct t_play *p, size_t i)
{
    static const char causes[] = {[ONWARD_SMTP_CAUSE_NONE] = '0',
                                  [ONWARD_SMTP_CAUSE_REPLY] = 'r',
                                  [ONWARD_SMTP_CAUSE_LOST] = 'l',
                                  [ONWARD_SMTP_CAUSE_TIMEOUT] = 't',
                                  [ONWARD_SMTP_CAUSE_PROTOCOL] = 'p',
                                  [ONWARD_SMTP_CAUSE_TLS] = 's',
                                  [ONWARD_SMTP_CAUSE_NO_TLS] = 'N',
                                  [ONWARD_SMTP_CAUSE_RECIPIENTS] = 'R'};
    struct onward_smtp_outcome o = {.size = sizeof(o)};
    char word[4] = {' ', 0, 0, 0};

    assert_int_equal(onward_smtp_client_outcome(p->client, i, &o), 0);
    assert_true(o.cause < sizeof(causes));
    word[1] = "ndtp"[o.fate];
    word[2] = causes[o.cause];
    strcat(cell, word);
}

static void describe(const struct t_play *p, char cell[64])
{
    size_t n = 0;

    while (n < p->out_len && n < 8 && p->out[n] > ' ') {
        cell[n] = p->out[n];
        n++;
    }
    if (n == 0)
        cell[n++] = '-';
    cell[n] = '\0';
    add_outcome(cell, p, ONWARD_SMTP_MESSAGE);
    add_outcome(cell, p, ONWARD_SMTP_SESSION);
    strcat(cell,
           onward_channel_wants(p->ch) == ONWARD_WANT_CLOSE ? " x" : " +");
}

static void check_cell(const struct state *s, enum class class)
{
    const struct onward_tls_demand demand = {.size = sizeof(demand),
                                             .level = s->level};
    const struct onward_smtp_client_login login = {.size = sizeof(login),
                                                   .user = ONWARD_STR("u"),
                                                   .password = ONWARD_STR("p"),
                                                   .mechanisms =
                                                       ONWARD_SMTP_AUTH_PLAIN,
                                                   .allow_clear = 1};
    struct t_play *p = calloc(1, sizeof(*p));
    struct t_world w;
    char cell[64];

    assert_non_null(p);
    t_world_init(&w);
    p->world = &w;
    p->mails = s->mails;
    p->opts.flags = s->flags;
    p->opts.chunk_bytes = 2;
    p->opts.tls_demand = s->level == 0 ? NULL : &demand;
    p->opts.login = s->logs_in ? &login : NULL;
    assert_true(t_play_begin(p));
    assert_true(t_play_script(p, s->script));
    apply(p, class);
    describe(p, cell);
    if (strcmp(cell, s->cells[class]) != 0)
        fail_msg("%s, %s: \"%s\", want \"%s\"", s->name, classes[class].name,
                 cell, s->cells[class]);
    t_play_end(p);
    t_world_clear(&w);
    free(p);
}

static void test_state(void **state)
{
    const struct state *s = *state;

    for (size_t i = 0; i < CLASSES; i++) {
        assert_non_null(s->cells[i]);
        check_cell(s, (enum class)i);
    }
}

int main(void)
{
    struct CMUnitTest tests[STATES] = {{0}};

    for (size_t i = 0; i < STATES; i++) {
        tests[i].name = states[i].name;
        tests[i].test_func = test_state;
        tests[i].initial_state = (void *)(uintptr_t)&states[i];
    }
    return cmocka_run_group_tests_name("smtp client states", tests, NULL, NULL);
}
