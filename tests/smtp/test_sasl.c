/* The SASL mechanisms by themselves: the examples of the RFCs, and what a
 * hostile peer says instead. */
#include "support/support.h"

#include "smtp/sasl_priv.h"

/* Octets with NULs in them, from a literal. */
#define LIT(text) {.data = (text), .len = sizeof(text) - 1}

static const struct onward_str none = {NULL, 0};

struct side {
    struct t_world *w;
    struct onward_smtp__sasl sasl;
    struct onward_buf out;
};

static void side_begin(struct side *s, struct t_world *w, const char *mech)
{
    memset(s, 0, sizeof(*s));
    s->w = w;
    onward_smtp__sasl_init(&s->sasl, w->ctx,
                           onward_smtp__sasl_find(onward_str_of(mech)));
    assert_non_null(s->sasl.mech);
    s->sasl.iterations_max = 100000;
    onward_core__buf_init(&s->out, w->ctx, ONWARD_SASL__LINE_MAX);
}

static void side_end(struct side *s)
{
    onward_smtp__sasl_clear(&s->sasl);
    onward_core__buf_clear(&s->out);
}

static int login(struct side *s, const char *user, const char *password)
{
    const struct onward_smtp__sasl_login l = {
        .authcid = onward_str_of(user), .password = onward_str_of(password)};

    return onward_smtp__sasl_login(&s->sasl, &l);
}

/* A step of the client, keys and all. */
static int client(struct side *s, struct onward_str challenge)
{
    int ret;

    onward_core__buf_reset(&s->out);
    ret = onward_smtp__sasl_client(&s->sasl, challenge, &s->out);
    while (ret == ONWARD_SASL_BUSY)
        ret = onward_smtp__sasl_work(&s->sasl, 1000, &s->out);
    return ret;
}

static int server(struct side *s, struct onward_str response)
{
    onward_core__buf_reset(&s->out);
    return onward_smtp__sasl_server(&s->sasl, response, &s->out);
}

static struct onward_str said(const struct side *s)
{
    return onward_core__buf_str(&s->out);
}

/* ---- The example of RFC 7677 section 3 --------------------------------- */

static const char client_nonce[] = "rOprNGfwEbeRWgbNEkqO";
static const char server_nonce[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char first_text[] = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
static const char challenge_text[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
static const char final_text[] =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char verifier_text[] =
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

/* Of "pencil", as the example has it. */
static const unsigned char salt[] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12,
                                     0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14,
                                     0x12, 0x36, 0xfa, 0x81};

static struct onward_smtp_scram_credentials
keep_password(struct t_world *w, const char *password,
              struct onward_smtp_scram_keys *keys)
{
    keys->size = sizeof(*keys);
    assert_int_equal(onward_smtp_scram_derive(
                         w->ctx, onward_str_of(password),
                         onward_core__str(salt, sizeof(salt)), 4096, keys),
                     0);
    return (struct onward_smtp_scram_credentials){
        .size = sizeof(struct onward_smtp_scram_credentials),
        .iterations = 4096,
        .salt = {(const char *)salt, sizeof(salt)},
        .stored_key = {(const char *)keys->stored_key, 32},
        .server_key = {(const char *)keys->server_key, 32}};
}

static void scram_client_speaks_rfc7677(void **state)
{
    struct t_world w;
    struct side c;

    (void)state;
    t_world_init(&w);
    side_begin(&c, &w, "SCRAM-SHA-256");
    assert_int_equal(login(&c, "user", "pencil"), 0);
    c.sasl.challenge = onward_str_of(client_nonce);
    assert_int_equal(client(&c, none), 0);
    t_assert_str(said(&c), first_text);
    assert_int_equal(client(&c, onward_str_of(challenge_text)), 0);
    t_assert_str(said(&c), final_text);
    assert_false(c.sasl.is_proven);
    assert_int_equal(client(&c, onward_str_of(verifier_text)), 0);
    t_assert_str(said(&c), "");
    assert_true(c.sasl.is_proven);
    side_end(&c);
    t_world_clear(&w);
}

static void scram_server_speaks_rfc7677(void **state)
{
    struct onward_smtp_scram_credentials known;
    struct onward_smtp_scram_keys keys;
    struct t_world w;
    struct side s;

    (void)state;
    t_world_init(&w);
    known = keep_password(&w, "pencil", &keys);
    side_begin(&s, &w, "scram-sha-256");
    s.sasl.challenge = onward_str_of(server_nonce);
    assert_int_equal(server(&s, none), ONWARD_SASL_CHALLENGE);
    t_assert_str(said(&s), "");
    assert_int_equal(server(&s, onward_str_of(first_text)), ONWARD_SASL_ASK);
    t_assert_str(s.sasl.authcid, "user");
    t_assert_str(s.sasl.authzid, "");
    onward_core__buf_reset(&s.out);
    assert_int_equal(
        onward_smtp__sasl_scram(&s.sasl, &known, none, 0, &s.out),
        ONWARD_SASL_CHALLENGE);
    t_assert_str(said(&s), challenge_text);
    assert_int_equal(server(&s, onward_str_of(final_text)),
                     ONWARD_SASL_CHALLENGE);
    t_assert_str(said(&s), verifier_text);
    assert_int_equal(server(&s, onward_str_of("")), ONWARD_SASL_ACCEPT);
    side_end(&s);
    t_world_clear(&w);
}

/* What a server may say instead of its first message, and what is made of it. */
static const struct challenge_row {
    const char *name, *text;
    int want;
} challenge_rows[] = {
    {"an iteration count above the limit",
     "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=100001",
     ONWARD_ELIMIT},
    {"an iteration count below RFC 7677",
     "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
     ONWARD_ELIMIT},
    {"no iterations", "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
     ONWARD_ELIMIT},
    {"a count that is no number",
     "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=+4096",
     ONWARD_ESYNTAX},
    {"a count past 64 bits",
     "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
     "i=99999999999999999999",
     ONWARD_ESYNTAX},
    {"the nonce without a part of the server",
     "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     ONWARD_ECRYPTO},
    {"another nonce", "r=rOprNGfwEbeRWgbNEkqPx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     ONWARD_ECRYPTO},
    {"an extension that must be known",
     "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     ONWARD_ESYNTAX},
    {"an extension that may be passed over",
     "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,x=y", 0},
    {"no salt", "r=rOprNGfwEbeRWgbNEkqOx,i=4096", ONWARD_ESYNTAX},
    {"an empty salt", "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", ONWARD_ESYNTAX},
    {"a salt that is no base64", "r=rOprNGfwEbeRWgbNEkqOx,s=W2 2ZaJ0=,i=4096",
     ONWARD_ESYNTAX},
    {"nothing", "", ONWARD_ESYNTAX},
};

static void scram_client_checks_the_challenge(void **state)
{
    const struct challenge_row *row = *state;
    struct t_world w;
    struct side c;

    t_world_init(&w);
    side_begin(&c, &w, "SCRAM-SHA-256");
    assert_int_equal(login(&c, "user", "pencil"), 0);
    c.sasl.challenge = onward_str_of(client_nonce);
    assert_int_equal(client(&c, none), 0);
    assert_int_equal(client(&c, onward_str_of(row->text)), row->want);
    assert_false(c.sasl.is_proven);
    side_end(&c);
    t_world_clear(&w);
}

/* And instead of its last one. */
static const struct challenge_row verifier_rows[] = {
    {"one bit wrong", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=",
     ONWARD_ECRYPTO},
    {"bits left over in base64", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
     ONWARD_ESYNTAX},
    {"another signature", "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
     ONWARD_ECRYPTO},
    {"a short signature", "v=6rriTRBi23WpRR/wtup+", ONWARD_ECRYPTO},
    {"no signature", "v=", ONWARD_ECRYPTO},
    {"an error", "e=invalid-proof", ONWARD_ECANCELED},
    {"nothing", "", ONWARD_ESYNTAX},
};

static void scram_client_checks_the_server(void **state)
{
    const struct challenge_row *row = *state;
    struct t_world w;
    struct side c;

    t_world_init(&w);
    side_begin(&c, &w, "SCRAM-SHA-256");
    assert_int_equal(login(&c, "user", "pencil"), 0);
    c.sasl.challenge = onward_str_of(client_nonce);
    assert_int_equal(client(&c, none), 0);
    assert_int_equal(client(&c, onward_str_of(challenge_text)), 0);
    assert_int_equal(client(&c, onward_str_of(row->text)), row->want);
    assert_false(c.sasl.is_proven);
    side_end(&c);
    t_world_clear(&w);
}

/* ---- What a client may say first --------------------------------------- */

static const struct first_row {
    const char *name, *mech;
    struct onward_str text;
    int want;
    const char *authcid, *authzid, *secret;
    bool plus_offered;
} first_rows[] = {
    {"RFC 4616, first example", "PLAIN", LIT("\0tim\0tanstaaftanstaaf"),
     ONWARD_SASL_ASK, "tim", "", "tanstaaftanstaaf", false},
    {"RFC 4616, second example", "PLAIN", LIT("Ursel\0Kurt\0xipj3plmq"),
     ONWARD_SASL_ASK, "Kurt", "Ursel", "xipj3plmq", false},
    {"PLAIN, a password of any octets", "PLAIN", LIT("\0a\0\xff\x01,=\r\n"),
     ONWARD_SASL_ASK, "a", "", "\xff\x01,=\r\n", false},
    {"PLAIN, a name that is prepared", "PLAIN", LIT("\0I\xc2\xadX\0p"),
     ONWARD_SASL_ASK, "IX", "", "p", false},
    {"PLAIN, no password", "PLAIN", LIT("\0tim\0"), ONWARD_SASL_SYNTAX, NULL,
     NULL, NULL, false},
    {"PLAIN, no name", "PLAIN", LIT("\0\0p"), ONWARD_SASL_SYNTAX, NULL, NULL,
     NULL, false},
    {"PLAIN, one NUL", "PLAIN", LIT("\0tim"), ONWARD_SASL_SYNTAX, NULL, NULL,
     NULL, false},
    {"PLAIN, three NULs", "PLAIN", LIT("\0tim\0p\0q"), ONWARD_SASL_SYNTAX, NULL,
     NULL, NULL, false},
    {"PLAIN, nothing", "PLAIN", LIT(""), ONWARD_SASL_SYNTAX, NULL, NULL, NULL,
     false},
    {"PLAIN, CR LF in a name", "PLAIN", LIT("\0tim\r\nx\0p"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"PLAIN, a C1 control in a name", "PLAIN", LIT("\0tim\xc2\x85\0p"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"PLAIN, a name that is no UTF-8", "PLAIN", LIT("\0t\xe9m\0p"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"PLAIN, a name that prepares to nothing", "PLAIN", LIT("\0\xc2\xad\0p"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"SCRAM, another identity", "SCRAM-SHA-256",
     LIT("n,a=ad=2Cmin=3D,n=us=3Der,r=abc"), ONWARD_SASL_ASK, "us=er", "ad,min=",
     NULL, false},
    {"SCRAM, it could bind and we cannot", "SCRAM-SHA-256",
     LIT("y,,n=user,r=abc"), ONWARD_SASL_ASK, "user", "", NULL, false},
    {"SCRAM, it could bind and we offered it", "SCRAM-SHA-256",
     LIT("y,,n=user,r=abc"), ONWARD_SASL_REFUSE, NULL, NULL, NULL, true},
    {"SCRAM, it does not bind and we offered it", "SCRAM-SHA-256",
     LIT("n,,n=user,r=abc"), ONWARD_SASL_ASK, "user", "", NULL, true},
    {"SCRAM, bound without PLUS", "SCRAM-SHA-256",
     LIT("p=tls-exporter,,n=user,r=abc"), ONWARD_SASL_REFUSE, NULL, NULL, NULL,
     true},
    {"PLUS, not bound", "SCRAM-SHA-256-PLUS", LIT("n,,n=user,r=abc"),
     ONWARD_SASL_REFUSE, NULL, NULL, NULL, true},
    {"PLUS, a binding nobody knows", "SCRAM-SHA-256-PLUS",
     LIT("p=tls-magic,,n=user,r=abc"), ONWARD_SASL_REFUSE, NULL, NULL, NULL,
     true},
    {"PLUS, bound to what is not there", "SCRAM-SHA-256-PLUS",
     LIT("p=tls-exporter,,n=user,r=abc"), ONWARD_SASL_REFUSE, NULL, NULL, NULL,
     true},
    {"SCRAM, an extension that must be known", "SCRAM-SHA-256",
     LIT("n,,m=x,n=user,r=abc"), ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"SCRAM, a bad escape", "SCRAM-SHA-256", LIT("n,,n=us=2cer,r=abc"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"SCRAM, a cut escape", "SCRAM-SHA-256", LIT("n,,n=user=2,r=abc"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"SCRAM, no name", "SCRAM-SHA-256", LIT("n,,n=,r=abc"), ONWARD_SASL_SYNTAX,
     NULL, NULL, NULL, false},
    {"SCRAM, an empty nonce", "SCRAM-SHA-256", LIT("n,,n=user,r="),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"SCRAM, a NUL in the nonce", "SCRAM-SHA-256", LIT("n,,n=user,r=a\0b"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"SCRAM, another flag", "SCRAM-SHA-256", LIT("f,,n=user,r=abc"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"SCRAM, no header", "SCRAM-SHA-256", LIT("n=user,r=abc"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"RFC 7628 section 4.1", "OAUTHBEARER",
     LIT("n,a=user@example.com,\001host=server.example.com\001port=587\001"
         "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001"),
     ONWARD_SASL_ASK, "user@example.com", "",
     "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", false},
    {"OAUTHBEARER, the token says who", "OAUTHBEARER",
     LIT("n,,\001auth=bearer abc\001\001"), ONWARD_SASL_ASK, "", "", "abc",
     false},
    {"OAUTHBEARER, no token", "OAUTHBEARER", LIT("n,,\001auth=Bearer \001\001"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"OAUTHBEARER, no auth", "OAUTHBEARER", LIT("n,,\001host=x\001\001"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"OAUTHBEARER, two of them", "OAUTHBEARER",
     LIT("n,,\001auth=Bearer a\001auth=Bearer b\001\001"), ONWARD_SASL_SYNTAX,
     NULL, NULL, NULL, false},
    {"OAUTHBEARER, not ended", "OAUTHBEARER", LIT("n,,\001auth=Bearer a\001"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"OAUTHBEARER, more behind the end", "OAUTHBEARER",
     LIT("n,,\001auth=Bearer a\001\001x"), ONWARD_SASL_SYNTAX, NULL, NULL, NULL,
     false},
    {"OAUTHBEARER, bound", "OAUTHBEARER",
     LIT("p=tls-exporter,,\001auth=Bearer a\001\001"), ONWARD_SASL_SYNTAX, NULL,
     NULL, NULL, false},
    {"OAUTHBEARER, port past 65535", "OAUTHBEARER",
     LIT("n,,\001port=65536\001auth=Bearer a\001\001"), ONWARD_SASL_SYNTAX,
     NULL, NULL, NULL, false},
    {"OAUTHBEARER, the server's error answered unasked", "OAUTHBEARER",
     LIT("\001"), ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"XOAUTH2", "XOAUTH2", LIT("user=a@b.example\001auth=Bearer ya29.x\001\001"),
     ONWARD_SASL_ASK, "a@b.example", "", "ya29.x", false},
    {"XOAUTH2, no user", "XOAUTH2", LIT("auth=Bearer x\001\001"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"XOAUTH2, an empty user", "XOAUTH2", LIT("user=\001auth=Bearer x\001\001"),
     ONWARD_SASL_SYNTAX, NULL, NULL, NULL, false},
    {"LOGIN, a control in the name", "LOGIN", LIT("a\nb"), ONWARD_SASL_SYNTAX,
     NULL, NULL, NULL, false},
    {"LOGIN, an empty name", "LOGIN", LIT(""), ONWARD_SASL_SYNTAX, NULL, NULL,
     NULL, false},
};

static void server_reads_the_first_message(void **state)
{
    const struct first_row *row = *state;
    struct t_world w;
    struct side s;

    t_world_init(&w);
    side_begin(&s, &w, row->mech);
    s.sasl.plus_offered = row->plus_offered;
    assert_int_equal(server(&s, row->text), row->want);
    if (row->want == ONWARD_SASL_ASK) {
        t_assert_str(s.sasl.authcid, row->authcid);
        t_assert_str(s.sasl.authzid, row->authzid);
        if (row->secret != NULL)
            t_assert_str(s.sasl.token.len > 0 ? s.sasl.token : s.sasl.password,
                         row->secret);
    }
    side_end(&s);
    t_world_clear(&w);
}

/* ---- What a client may say last ---------------------------------------- */

static const struct challenge_row final_rows[] = {
    {"the proof", final_text, ONWARD_SASL_CHALLENGE},
    {"another proof",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     ONWARD_SASL_REFUSE},
    {"a proof of zeros",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     ONWARD_SASL_REFUSE},
    {"a short proof",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA",
     ONWARD_SASL_SYNTAX},
    {"an extension, not signed",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,x=y,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     ONWARD_SASL_REFUSE},
    {"another nonce",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k1,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     ONWARD_SASL_REFUSE},
    {"another header than at first",
     "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     ONWARD_SASL_REFUSE},
    {"no proof", "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     ONWARD_SASL_SYNTAX},
    {"nothing", "", ONWARD_SASL_SYNTAX},
};

static int play_final(struct t_world *w, const char *text, bool is_known)
{
    struct onward_smtp_scram_credentials known;
    struct onward_smtp_scram_keys keys;
    struct side s;
    int ret;

    known = keep_password(w, "pencil", &keys);
    side_begin(&s, w, "SCRAM-SHA-256");
    s.sasl.challenge = onward_str_of(server_nonce);
    assert_int_equal(server(&s, onward_str_of(first_text)), ONWARD_SASL_ASK);
    onward_core__buf_reset(&s.out);
    assert_int_equal(onward_smtp__sasl_scram(&s.sasl, is_known ? &known : NULL,
                                             known.salt, 4096, &s.out),
                     ONWARD_SASL_CHALLENGE);
    /* Nobody can tell by that if there is such a user. */
    t_assert_str(said(&s), challenge_text);
    ret = server(&s, onward_str_of(text));
    side_end(&s);
    return ret;
}

static void scram_server_checks_the_proof(void **state)
{
    const struct challenge_row *row = *state;
    struct t_world w;
    int unknown;

    t_world_init(&w);
    assert_int_equal(play_final(&w, row->text, true), row->want);
    unknown = play_final(&w, row->text, false);
    assert_int_equal(unknown, row->want == ONWARD_SASL_CHALLENGE
                                  ? ONWARD_SASL_REFUSE
                                  : row->want);
    t_world_clear(&w);
}

/* ---- Both sides -------------------------------------------------------- */

static const struct onward_tls_facts tls13 = {
    .size = sizeof(tls13),
    .binding_exporter = LIT("0123456789abcdef0123456789abcdef"),
    .binding_end_point = LIT("point")};
static const struct onward_tls_facts other_tls13 = {
    .size = sizeof(tls13),
    .binding_exporter = LIT("0123456789abcdef0123456789abcdeX")};
static const struct onward_tls_facts tls12 = {
    .size = sizeof(tls12), .binding_unique = LIT("twelve octet")};
static const struct onward_tls_facts end_point_only = {
    .size = sizeof(tls12), .binding_end_point = LIT("point")};

static const struct pair_row {
    const char *name, *mech, *authzid;
    const struct onward_tls_facts *client_tls, *server_tls;
    bool client_sees_plus, server_offers_plus;
    int want; /* of the server, to the final message */
} pair_rows[] = {
    {"no TLS", "SCRAM-SHA-256", "", NULL, NULL, false, false, 0},
    {"TLS that is not used", "SCRAM-SHA-256", "", &tls13, &tls13, true, true,
     0},
    {"exporter", "SCRAM-SHA-256-PLUS", "ad,min=", &tls13, &tls13, true, true,
     0},
    {"unique", "SCRAM-SHA-256-PLUS", "", &tls12, &tls12, true, true, 0},
    {"end point", "SCRAM-SHA-256-PLUS", "", &end_point_only, &tls13, true, true,
     0},
    {"somebody between", "SCRAM-SHA-256-PLUS", "", &tls13, &other_tls13, true,
     true, ONWARD_SASL_REFUSE},
    {"an offer taken away", "SCRAM-SHA-256", "", &tls13, &tls13, false, true,
     ONWARD_SASL_REFUSE},
};

static bool play_pair(struct t_world *w, const struct pair_row *row,
                      const char *password, const char *kept, int *result)
{
    struct onward_smtp_scram_credentials known;
    struct onward_smtp_scram_keys keys = {.size = sizeof(keys)};
    struct side c, s;
    bool through = false;
    int ret = ONWARD_ENOMEM;

    side_begin(&c, w, row->mech);
    side_begin(&s, w, row->mech);
    c.sasl.tls = row->client_tls;
    s.sasl.tls = row->server_tls;
    c.sasl.plus_offered = row->client_sees_plus;
    s.sasl.plus_offered = row->server_offers_plus;
    if (onward_smtp_scram_derive(w->ctx, onward_str_of(kept),
                                 onward_core__str(salt, sizeof(salt)), 4096,
                                 &keys) < 0 ||
        login(&c, "us,er", password) < 0)
        goto out;
    c.sasl.authzid = onward_str_of(row->authzid);
    known = (struct onward_smtp_scram_credentials){
        .size = sizeof(known),
        .iterations = 4096,
        .salt = {(const char *)salt, sizeof(salt)},
        .stored_key = {(const char *)keys.stored_key, 32},
        .server_key = {(const char *)keys.server_key, 32}};
    if (client(&c, none) < 0)
        goto out;
    ret = server(&s, said(&c));
    if (ret == ONWARD_SASL_ASK) {
        t_assert_str(s.sasl.authcid, "us,er");
        t_assert_str(s.sasl.authzid, row->authzid);
        onward_core__buf_reset(&s.out);
        ret = onward_smtp__sasl_scram(&s.sasl, &known, none, 0, &s.out);
        if (ret < 0 || client(&c, said(&s)) < 0) {
            ret = ONWARD_ENOMEM;
            goto out;
        }
        ret = server(&s, said(&c));
    }
    if (ret == ONWARD_SASL_CHALLENGE) {
        if (client(&c, said(&s)) < 0)
            goto out;
        assert_true(c.sasl.is_proven);
        assert_int_equal(server(&s, said(&c)), ONWARD_SASL_ACCEPT);
    }
    through = ret >= 0;
    *result = ret;
out:
    side_end(&c);
    side_end(&s);
    return through;
}

static void both_sides_of_scram_agree(void **state)
{
    const struct pair_row *row = *state;
    struct t_world w;
    int result;

    t_world_init(&w);
    assert_true(play_pair(&w, row, "p\xc2\xaa", "pa", &result));
    assert_int_equal(result, row->want);
    assert_true(play_pair(&w, row, "pb", "pa", &result));
    assert_int_equal(result, ONWARD_SASL_REFUSE);
    t_world_clear(&w);
}

static bool pair_scenario(struct t_world *w, void *arg)
{
    int result;

    return play_pair(w, arg, "p\xc2\xaa", "pa", &result);
}

static void scram_lives_without_memory(void **state)
{
    struct pair_row row = pair_rows[2];

    (void)state;
    t_oom_sweep(pair_scenario, &row);
}

static void scram_fails_without_randomness(void **state)
{
    struct t_world w;
    struct side c;

    (void)state;
    t_world_init(&w);
    side_begin(&c, &w, "SCRAM-SHA-256");
    assert_int_equal(login(&c, "user", "pencil"), 0);
    w.random_fails = true;
    assert_int_equal(client(&c, none), ONWARD_ERANDOM);
    side_end(&c);
    t_world_clear(&w);
}

/* ---- Others, client's side --------------------------------------------- */

static const struct client_row {
    const char *name, *mech;
    struct onward_smtp__sasl_login login;
    struct onward_str want;
} client_rows[] = {
    {"RFC 4616, first example", "PLAIN",
     {.authcid = LIT("tim"), .password = LIT("tanstaaftanstaaf")},
     LIT("\0tim\0tanstaaftanstaaf")},
    {"RFC 4616, second example", "PLAIN",
     {.authcid = LIT("Kurt"), .authzid = LIT("Ursel"),
      .password = LIT("xipj3plmq")},
     LIT("Ursel\0Kurt\0xipj3plmq")},
    {"RFC 7628 section 4.1", "OAUTHBEARER",
     {.authcid = LIT("user@example.com"), .host = LIT("server.example.com"),
      .port = 587,
      .token = LIT("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")},
     LIT("n,a=user@example.com,\001host=server.example.com\001port=587\001"
         "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001")},
    {"OAUTHBEARER, the token says who", "OAUTHBEARER", {.token = LIT("abc")},
     LIT("n,,\001auth=Bearer abc\001\001")},
    {"XOAUTH2", "XOAUTH2",
     {.authcid = LIT("a@b.example"), .token = LIT("ya29.x")},
     LIT("user=a@b.example\001auth=Bearer ya29.x\001\001")},
};

static void client_says(void **state)
{
    const struct client_row *row = *state;
    struct t_world w;
    struct side c;

    t_world_init(&w);
    side_begin(&c, &w, row->mech);
    assert_int_equal(onward_smtp__sasl_login(&c.sasl, &row->login), 0);
    assert_int_equal(client(&c, none), 0);
    t_assert_str_n(said(&c), row->want.data, row->want.len);
    assert_true(c.sasl.is_proven);
    side_end(&c);
    t_world_clear(&w);
}

static void login_asks_twice(void **state)
{
    struct t_world w;
    struct side c, s;

    (void)state;
    t_world_init(&w);
    side_begin(&c, &w, "LOGIN");
    side_begin(&s, &w, "LOGIN");
    assert_int_equal(login(&c, "tim", "p\xff"), 0);
    assert_int_equal(client(&c, none), 0);
    t_assert_str(said(&c), "");
    assert_int_equal(server(&s, none), ONWARD_SASL_CHALLENGE);
    t_assert_str(said(&s), "Username:");
    assert_int_equal(client(&c, said(&s)), 0);
    assert_int_equal(server(&s, said(&c)), ONWARD_SASL_CHALLENGE);
    t_assert_str(said(&s), "Password:");
    assert_int_equal(client(&c, said(&s)), 0);
    assert_int_equal(server(&s, said(&c)), ONWARD_SASL_ASK);
    t_assert_str(s.sasl.authcid, "tim");
    t_assert_str(s.sasl.password, "p\xff");
    /* A third question is none of LOGIN. */
    assert_int_equal(client(&c, onward_str_of("Token:")), ONWARD_ESYNTAX);
    side_end(&c);
    side_end(&s);
    t_world_clear(&w);
}

static void a_refused_token_is_answered(void **state)
{
    static const struct {
        const char *mech, *error, *answer;
    } rows[] = {
        {"OAUTHBEARER", "{\"status\":\"invalid_token\"}", "\001"},
        {"XOAUTH2", "{\"status\":\"401\",\"schemes\":\"bearer\"}", ""},
    };
    struct t_world w;
    struct side c, s;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < 2; i++) {
        const struct onward_smtp__sasl_login l = {.authcid = LIT("tim"),
                                                  .token = LIT("abc")};

        side_begin(&c, &w, rows[i].mech);
        side_begin(&s, &w, rows[i].mech);
        assert_int_equal(onward_smtp__sasl_login(&c.sasl, &l), 0);
        assert_int_equal(client(&c, none), 0);
        assert_int_equal(server(&s, said(&c)), ONWARD_SASL_ASK);
        onward_core__buf_reset(&s.out);
        assert_int_equal(onward_smtp__sasl_decide(&s.sasl, false, &s.out),
                         ONWARD_SASL_CHALLENGE);
        t_assert_str(said(&s), rows[i].error);
        assert_int_equal(client(&c, said(&s)), 0);
        t_assert_str(said(&c), rows[i].answer);
        /* A yes behind that is no yes. */
        assert_false(c.sasl.is_proven);
        assert_int_equal(server(&s, said(&c)), ONWARD_SASL_REFUSE);
        side_end(&c);
        side_end(&s);
    }
    t_world_clear(&w);
}

/* A098 */
static void credentials_that_cannot_be_sent(void **state)
{
    static const struct onward_smtp__sasl_login bad[] = {
        {.authcid = LIT("a\r\nb"), .password = LIT("p")},
        {.authcid = LIT("a\0b"), .password = LIT("p")},
        {.authcid = LIT("\xff"), .password = LIT("p")},
        {.authcid = LIT("a"), .authzid = LIT("b\n"), .password = LIT("p")},
        {.authcid = LIT("a"), .password = LIT("p\r")},
        {.authcid = LIT("a"), .password = LIT("p\n")},
        {.authcid = LIT("a"), .password = LIT("p\0q")},
        {.authcid = LIT("a"), .token = LIT("p q")},
        {.authcid = LIT("a"), .token = LIT("p\001")},
        {.authcid = LIT("a"), .host = LIT("h\001auth=x"), .token = LIT("p")},
        {.authcid = LIT("a"), .port = 65536, .token = LIT("p")},
    };
    struct t_world w;
    struct side c;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        side_begin(&c, &w, "PLAIN");
        assert_int_equal(onward_smtp__sasl_login(&c.sasl, &bad[i]),
                         ONWARD_ESYNTAX);
        side_end(&c);
    }
    t_world_clear(&w);
}

/* ---- SASLprep ---------------------------------------------------------- */

static const struct prep_row {
    const char *name, *in, *want; /* NULL: refused */
    bool is_query_only;
} prep_rows[] = {
    /* RFC 4013 section 3 */
    {"soft hyphen goes", "I\xc2\xadX", "IX", false},
    {"no change", "user", "user", false},
    {"case stays", "USER", "USER", false},
    {"NFKC of U+00AA", "\xc2\xaa", "a", false},
    {"NFKC of U+2168", "\xe2\x85\xa8", "IX", false},
    {"control", "\x07", NULL, false},
    {"bidirectional", "\xd8\xa7\x31", NULL, false},
    /* Others of its sections 2.1 to 2.5 */
    {"other blanks become blanks", "a\xc2\xa0"
                                   "b\xe3\x80\x80"
                                   "c",
     "a b c", false},
    {"composed", "e\xcc\x81", "\xc3\xa9", false},
    {"nothing is left", "\xe2\x81\xa0", NULL, false},
    {"empty", "", NULL, false},
    {"private use", "\xee\x80\x80", NULL, false},
    {"U+FFFD", "\xef\xbf\xbd", NULL, false},
    {"a noncharacter", "\xf0\x9f\xbf\xbe", NULL, false},
    {"a direction mark", "a\xe2\x80\x8f", NULL, false},
    {"a tag", "a\xf3\xa0\x80\xa1", NULL, false},
    {"right to left", "\xd8\xa7\xd8\xa8", "\xd8\xa7\xd8\xa8", false},
    {"right to left, then left", "\xd8\xa7"
                                 "a\xd8\xa8",
     NULL, false},
    {"no UTF-8", "\xc3", NULL, false},
    {"a surrogate", "\xed\xa0\x80", NULL, false},
    {"not assigned (U+0378)", "\xcd\xb8", "\xcd\xb8", true},
};

static void text_is_prepared(void **state)
{
    const struct prep_row *row = *state;
    struct onward_arena arena;
    struct onward_str got;
    struct t_world w;
    int want = row->want != NULL ? 0 : ONWARD_ESYNTAX;

    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, ONWARD_SASL__ARENA_MAX);
    assert_int_equal(onward_smtp__saslprep(&arena, onward_str_of(row->in),
                                           ONWARD_PREP_QUERY, &got),
                     want);
    if (want == 0)
        t_assert_str(got, row->want);
    assert_int_equal(onward_smtp__saslprep(&arena, onward_str_of(row->in),
                                           ONWARD_PREP_STORED, &got),
                     row->is_query_only ? ONWARD_ESYNTAX : want);
    onward_core__arena_wipe(&arena);
    t_world_clear(&w);
}

/* ---- Deriving ---------------------------------------------------------- */

static void derive_checks_what_it_is_given(void **state)
{
    struct onward_smtp_scram_keys keys = {.size = sizeof(keys)};
    struct onward_str pencil = ONWARD_STR("pencil");
    struct onward_str good = onward_core__str(salt, sizeof(salt));
    char big[65] = {0};
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_smtp_scram_derive(w.ctx, pencil, good, 4095, &keys),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_smtp_scram_derive(w.ctx, pencil, good, 10000001, &keys),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_smtp_scram_derive(w.ctx, pencil, onward_core__str(salt, 7), 4096,
                                 &keys),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_smtp_scram_derive(w.ctx, pencil, onward_core__str(big, 65), 4096,
                                 &keys),
        ONWARD_EINVAL);
    assert_int_equal(onward_smtp_scram_derive(w.ctx, onward_str_of(""), good,
                                              4096, &keys),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_smtp_scram_derive(w.ctx, onward_str_of("a\nb"),
                                              good, 4096, &keys),
                     ONWARD_ESYNTAX);
    keys.size = 1;
    assert_int_equal(onward_smtp_scram_derive(w.ctx, pencil, good, 4096, &keys),
                     ONWARD_EINVAL);
    keys.size = sizeof(keys);
    w.fail_at = w.alloc_count + 1;
    assert_int_equal(onward_smtp_scram_derive(w.ctx, pencil, good, 4096, &keys),
                     ONWARD_ENOMEM);
    t_world_clear(&w);
}

/* ---- Base64 ------------------------------------------------------------ */

/* RFC 4954 section 4: nothing is passed over. */
static void base64_is_strict(void **state)
{
    static const char *const bad[] = {"=AAA", "AAA=BBB", "AAA",  "A",
                                      "AA=",  "AAA= ",   "A AA", "AA\tAA",
                                      "AB==", "AA-_",    "====", "AAAA\r\n"};
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 100);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        onward_core__buf_reset(&out);
        assert_int_equal(onward_smtp__sasl_base64(&out, onward_str_of(bad[i])),
                         ONWARD_ESYNTAX);
    }
    onward_core__buf_reset(&out);
    assert_int_equal(onward_smtp__sasl_base64(&out, onward_str_of("AHRpbQ==")),
                     0);
    t_assert_str_n(onward_core__buf_str(&out), "\0tim", 4);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static void mechanisms_have_names(void **state)
{
    (void)state;
    assert_string_equal(onward_smtp_auth_name(ONWARD_SMTP_AUTH_PLAIN), "PLAIN");
    assert_string_equal(
        onward_smtp_auth_name(ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS),
        "SCRAM-SHA-256-PLUS");
    assert_string_equal(onward_smtp_auth_name(0), "");
    assert_string_equal(onward_smtp_auth_name(3), "");
    assert_null(onward_smtp__sasl_find(onward_str_of("CRAM-MD5")));
    assert_null(onward_smtp__sasl_find(onward_str_of("SCRAM-SHA-256-PLUS2")));
    assert_null(onward_smtp__sasl_best(0));
    assert_string_equal(onward_smtp__sasl_best(63)->name, "SCRAM-SHA-256-PLUS");
    assert_string_equal(onward_smtp__sasl_best(3)->name, "PLAIN");
}

/* ---- All of them ------------------------------------------------------- */

enum { TESTS_MAX = 200 };

static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;

static void add(const char *name, CMUnitTestFunction run, const void *row)
{
    assert_true(test_count < TESTS_MAX);
    tests[test_count++] = (struct CMUnitTest){
        .name = name, .test_func = run, .initial_state = (void *)(uintptr_t)row};
}

#define ADD_ROWS(rows, run)                                                    \
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)                \
    add(rows[i].name, run, &rows[i])

int main(void)
{
    add("the client's side of RFC 7677", scram_client_speaks_rfc7677, NULL);
    add("the server's side of RFC 7677", scram_server_speaks_rfc7677, NULL);
    ADD_ROWS(challenge_rows, scram_client_checks_the_challenge);
    ADD_ROWS(verifier_rows, scram_client_checks_the_server);
    ADD_ROWS(first_rows, server_reads_the_first_message);
    ADD_ROWS(final_rows, scram_server_checks_the_proof);
    ADD_ROWS(pair_rows, both_sides_of_scram_agree);
    add("out of memory", scram_lives_without_memory, NULL);
    add("no randomness", scram_fails_without_randomness, NULL);
    ADD_ROWS(client_rows, client_says);
    add("LOGIN asks twice", login_asks_twice, NULL);
    add("a refused token is answered", a_refused_token_is_answered, NULL);
    add("credentials that cannot be sent", credentials_that_cannot_be_sent,
        NULL);
    ADD_ROWS(prep_rows, text_is_prepared);
    add("derive checks what it is given", derive_checks_what_it_is_given, NULL);
    add("base64 is strict", base64_is_strict, NULL);
    add("mechanisms have names", mechanisms_have_names, NULL);
    return _cmocka_run_group_tests("smtp_sasl", tests, test_count, NULL, NULL);
}
