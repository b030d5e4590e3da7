/* Who may log in: passwords for PLAIN, LOGIN and SCRAM, tokens for OAuth. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sink.h"

enum { ROUNDS = 15000 };

static bool equals(struct onward_str a, struct onward_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Not sooner done for a wrong guess that begins well. */
static bool is_secret(const struct user *user, struct onward_str given)
{
    unsigned char differs = 0;

    if (given.len != user->secret.len)
        return false;
    for (size_t i = 0; i < given.len; i++)
        differs |= (unsigned char)(given.data[i] ^ user->secret.data[i]);
    return differs == 0;
}

static int read_user(struct onward_ctx *ctx, const char *text, bool is_password,
                     struct user *user)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL || colon == text || colon[1] == '\0')
        return -1;
    user->name = (struct onward_str){text, (size_t)(colon - text)};
    user->secret = onward_str_of(colon + 1);
    if (!is_password)
        return 0;
    user->scram.size = sizeof(user->scram);
    if (getrandom(user->salt, sizeof(user->salt), 0) !=
        (ssize_t)sizeof(user->salt))
        return -1;
    return onward_smtp_scram_derive(
        ctx, user->secret,
        (struct onward_str){(const char *)user->salt, sizeof(user->salt)},
        ROUNDS, &user->scram);
}

int users_read(struct onward_ctx *ctx, const struct option_list *list,
               bool is_password, struct user **users, const char **fault)
{
    *fault = NULL;
    *users = calloc(list->count + 1, sizeof(**users));
    if (*users == NULL)
        return -1;
    for (size_t i = 0; i < list->count; i++) {
        if (read_user(ctx, list->items[i], is_password, &(*users)[i]) != 0) {
            *fault = list->items[i];
            return -1;
        }
    }
    return 0;
}

size_t users_mechanisms(const struct sink *sink)
{
    return (sink->password_count != 0 ? (size_t)ONWARD_SMTP_AUTH_PASSWORD : 0) |
           (sink->token_count != 0 ? (size_t)ONWARD_SMTP_AUTH_BEARER : 0);
}

static const struct user *find(const struct user *users, size_t count,
                               struct onward_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (equals(users[i].name, name))
            return &users[i];
    }
    return NULL;
}

/* OAUTHBEARER may leave the name to the token. */
static bool is_token(const struct sink *sink,
                     const struct onward_smtp_auth_request *r)
{
    for (size_t i = 0; i < sink->token_count; i++) {
        const struct user *user = &sink->tokens[i];

        if (is_secret(user, r->token) &&
            (r->authentication_id.len == 0 ||
             equals(user->name, r->authentication_id)))
            return true;
    }
    return false;
}

int users_answer(const struct sink *sink, uint64_t token,
                 const struct onward_smtp_auth_request *r)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply), .code = 235};
    const struct user *user =
        find(sink->passwords, sink->password_count, r->authentication_id);
    struct onward_smtp_scram_credentials known = {.size = sizeof(known),
                                                  .iterations = ROUNDS};
    bool is_good = false;

    /* Nobody acts for another one here. */
    if (r->authorization_id.len != 0 &&
        !equals(r->authorization_id, r->authentication_id))
        return ONWARD_SMTP_DEFAULT;
    switch (r->kind) {
    case ONWARD_SMTP_AUTH_ASK_SCRAM:
        if (user == NULL)
            return onward_smtp_auth_scram(sink->desk, token, NULL);
        known.salt =
            (struct onward_str){(const char *)user->salt, sizeof(user->salt)};
        known.stored_key =
            (struct onward_str){(const char *)user->scram.stored_key,
                                sizeof(user->scram.stored_key)};
        known.server_key =
            (struct onward_str){(const char *)user->scram.server_key,
                                sizeof(user->scram.server_key)};
        return onward_smtp_auth_scram(sink->desk, token, &known);
    case ONWARD_SMTP_AUTH_ASK_PASSWORD:
        is_good = user != NULL && is_secret(user, r->password);
        break;
    case ONWARD_SMTP_AUTH_ASK_TOKEN:
        is_good = is_token(sink, r);
        break;
    default:
        break; /* a kind of later releases */
    }
    if (!is_good)
        return ONWARD_SMTP_DEFAULT;
    return onward_smtp_reply_answer(sink->desk, token, &reply);
}
