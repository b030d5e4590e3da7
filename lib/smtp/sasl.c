/*
 * The table of SASL mechanisms, and what they share.
 */
#include "smtp/sasl_priv.h"

#include "core/text_shared.h"

/* Channel binding shuts out who sits between; SCRAM shows no secret; a token
 * says less than a password; LOGIN has nothing that PLAIN has not. */
const struct onward_smtp__sasl_mech
    onward_smtp__sasl_mechs[ONWARD_SMTP__SASL_MECHS] = {
        {"SCRAM-SHA-256-PLUS", ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS,
         .client = onward_smtp__scram_client,
         .server = onward_smtp__scram_server},
        {"SCRAM-SHA-256", ONWARD_SMTP_AUTH_SCRAM_SHA_256,
         .client = onward_smtp__scram_client,
         .server = onward_smtp__scram_server},
        {"OAUTHBEARER", ONWARD_SMTP_AUTH_OAUTHBEARER,
         .client = onward_smtp__oauth_client,
         .server = onward_smtp__oauth_server},
        {"XOAUTH2", ONWARD_SMTP_AUTH_XOAUTH2,
         .client = onward_smtp__oauth_client,
         .server = onward_smtp__oauth_server},
        {"PLAIN", ONWARD_SMTP_AUTH_PLAIN, .client = onward_smtp__plain_client,
         .server = onward_smtp__plain_server},
        {"LOGIN", ONWARD_SMTP_AUTH_LOGIN, .server_first = true,
         .client = onward_smtp__login_client,
         .server = onward_smtp__login_server},
};

const struct onward_smtp__sasl_mech *
onward_smtp__sasl_find(struct onward_str name)
{
    for (size_t i = 0; i < ONWARD_SMTP__SASL_MECHS; i++) {
        const struct onward_smtp__sasl_mech *mech = &onward_smtp__sasl_mechs[i];

        if (onward_core__str_ieq(name, onward_str_of(mech->name)))
            return mech;
    }
    return NULL;
}

const struct onward_smtp__sasl_mech *onward_smtp__sasl_best(size_t set)
{
    for (size_t i = 0; i < ONWARD_SMTP__SASL_MECHS; i++) {
        if ((set & (size_t)onward_smtp__sasl_mechs[i].id) != 0)
            return &onward_smtp__sasl_mechs[i];
    }
    return NULL;
}

const char *onward_smtp_auth_name(int mechanism)
{
    for (size_t i = 0; i < ONWARD_SMTP__SASL_MECHS; i++) {
        if ((int)onward_smtp__sasl_mechs[i].id == mechanism)
            return onward_smtp__sasl_mechs[i].name;
    }
    return "";
}

/* ---- Life -------------------------------------------------------------- */

void onward_smtp__sasl_init(struct onward_smtp__sasl *x, struct onward_ctx *ctx,
                            const struct onward_smtp__sasl_mech *mech)
{
    *x = (struct onward_smtp__sasl){.ctx = ctx, .mech = mech};
    onward_core__arena_init(&x->arena, ctx, ONWARD_SASL__ARENA_MAX);
}

void onward_smtp__sasl_clear(struct onward_smtp__sasl *x)
{
    if (x->ctx == NULL)
        return;
    onward_core__arena_wipe(&x->arena);
    onward_core__wipe(x, sizeof(*x));
}

int onward_smtp__sasl_work(struct onward_smtp__sasl *x, size_t rounds,
                           struct onward_buf *out)
{
    return onward_smtp__scram_client_work(x, rounds, out);
}

int onward_smtp__sasl_decide(struct onward_smtp__sasl *x, bool is_allowed,
                             struct onward_buf *out)
{
    x->is_proven = is_allowed;
    if (is_allowed)
        return ONWARD_SASL_ACCEPT;
    if ((x->mech->id & ONWARD_SMTP_AUTH_BEARER) != 0)
        return onward_smtp__oauth_refuse(x, out);
    return ONWARD_SASL_REFUSE;
}

/* RFC 4954 section 4: the identities of all mechanisms; empty stays empty. */
static int prepare(struct onward_smtp__sasl *x, struct onward_str *name)
{
    if (name->len == 0)
        return 0;
    return onward_smtp__saslprep(&x->arena, *name, ONWARD_PREP_QUERY, name);
}

static int prepare_both(struct onward_smtp__sasl *x)
{
    int err = prepare(x, &x->authcid);

    return err == 0 ? prepare(x, &x->authzid) : err;
}

int onward_smtp__sasl_login(struct onward_smtp__sasl *x,
                            const struct onward_smtp__sasl_login *login)
{
    if (!onward_smtp__sasl_is_name(login->authcid) ||
        !onward_smtp__sasl_is_name(login->authzid) ||
        !onward_smtp__sasl_is_name(login->host) ||
        !onward_smtp__sasl_is_token(login->token) ||
        login->password.len > ONWARD_SASL__NAME_MAX || login->port > 65535)
        return ONWARD_ESYNTAX;
    for (size_t i = 0; i < login->password.len; i++) {
        char c = login->password.data[i];

        if (c == '\0' || c == '\r' || c == '\n')
            return ONWARD_ESYNTAX;
    }
    x->authcid = login->authcid;
    x->authzid = login->authzid;
    x->password = login->password;
    x->token = login->token;
    x->host = login->host;
    x->port = login->port;
    return prepare_both(x);
}

int onward_smtp__sasl_server(struct onward_smtp__sasl *x,
                             struct onward_str response, struct onward_buf *out)
{
    int event = x->mech->server(x, response, out), err;

    if (event != ONWARD_SASL_ASK)
        return event;
    err = prepare_both(x);
    if (err < 0)
        return err == ONWARD_ENOMEM ? err : ONWARD_SASL_SYNTAX;
    x->has_names = true;
    return event;
}

/* ---- Text -------------------------------------------------------------- */

int onward_smtp__sasl_base64(struct onward_buf *out, struct onward_str text)
{
    /* The shared decoder skips white space, which nobody may put here. */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (!onward_ascii_is_alnum(c) && c != '+' && c != '/' && c != '=')
            return ONWARD_ESYNTAX;
    }
    return onward_core__base64_decode(out, text, false);
}

int onward_smtp__sasl_keep(struct onward_smtp__sasl *x, struct onward_str text,
                           struct onward_str *out)
{
    if (text.len == 0) {
        *out = onward_core__str("", 0);
        return 0;
    }
    return onward_core__arena_dup(&x->arena, text, out);
}

bool onward_smtp__sasl_is_name(struct onward_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];

        /* C1 controls are C2 80 to C2 9F. */
        if (c < ' ' || c == 0x7f ||
            (c == 0xc2 && i + 1 < name.len &&
             (unsigned char)name.data[i + 1] < 0xa0))
            return false;
    }
    return name.len <= ONWARD_SASL__NAME_MAX && onward_core__is_utf8(name);
}

/* Printable ASCII without blanks; 12288 octets of a line are 9210 of a
 * message. */
bool onward_smtp__sasl_is_token(struct onward_str token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~')
            return false;
    }
    return token.len <= 8192;
}

bool onward_smtp__sasl_split(struct onward_str *rest, unsigned char c,
                             struct onward_str *part)
{
    size_t at = onward_core__str_find(*rest, c);

    if (at == rest->len)
        return false;
    *part = onward_core__sub(*rest, 0, at);
    *rest = onward_core__sub(*rest, at + 1, rest->len);
    return true;
}

/* ---- GS2 --------------------------------------------------------------- */

int onward_smtp__gs2_write_name(struct onward_buf *out, struct onward_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (c == ',')
            onward_core__buf_add_text(out, "=2C");
        else if (c == '=')
            onward_core__buf_add_text(out, "=3D");
        else
            onward_core__buf_add_byte(out, c);
    }
    return out->err;
}

int onward_smtp__gs2_read_name(struct onward_smtp__sasl *x,
                               struct onward_str text, struct onward_str *name)
{
    struct onward_str two, comma = ONWARD_STR("2C"), equals = ONWARD_STR("3D");
    char *at;

    if (text.len == 0)
        return ONWARD_ESYNTAX;
    at = onward_core__arena_alloc(&x->arena, text.len);
    if (at == NULL)
        return ONWARD_ENOMEM;
    *name = onward_core__str(at, 0);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '=') {
            two = onward_core__sub(text, i + 1, i + 3);
            if (!onward_core__str_eq(two, comma) &&
                !onward_core__str_eq(two, equals))
                return ONWARD_ESYNTAX;
            c = two.data[0] == '2' ? ',' : '=';
            i += 2;
        }
        at[name->len++] = c;
    }
    return onward_smtp__sasl_is_name(*name) ? 0 : ONWARD_ESYNTAX;
}

/* gs2-header = ("p=" cb-name / "n" / "y") "," ["a=" saslname] "," */
int onward_smtp__gs2_parse(struct onward_smtp__sasl *x, struct onward_str *rest,
                           struct onward_smtp__gs2 *gs2)
{
    struct onward_str all = *rest, flag, name;

    *gs2 = (struct onward_smtp__gs2){.flag = 0};
    if (!onward_smtp__sasl_split(rest, ',', &flag) ||
        !onward_smtp__sasl_split(rest, ',', &name) || flag.len == 0)
        return ONWARD_ESYNTAX;
    gs2->header = onward_core__sub(all, 0, all.len - rest->len);
    gs2->flag = flag.data[0];
    if (gs2->flag == 'p') {
        if (flag.len < 3 || flag.data[1] != '=')
            return ONWARD_ESYNTAX;
        gs2->type = onward_core__sub(flag, 2, flag.len);
    } else if (flag.len != 1 || (gs2->flag != 'n' && gs2->flag != 'y')) {
        return ONWARD_ESYNTAX;
    }
    if (name.len == 0)
        return 0;
    if (!onward_core__str_starts(name, ONWARD_STR("a=")))
        return ONWARD_ESYNTAX;
    return onward_smtp__gs2_read_name(x, onward_core__sub(name, 2, name.len),
                                      &x->authzid);
}
