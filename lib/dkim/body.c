/*
 * The body hash set: one object that reads a body once and gives every body
 * hash that the signatures of a message asked for (RFC 6376 section 3.7).
 */
#include "dkim/dkim_shared.h"

static void hash_one(struct onward_dkim__body_hash *h, const void *data,
                     size_t len)
{
    if (h->has_limit) {
        if (h->left < len)
            len = (size_t)h->left;
        h->left -= len;
    }
    if (len > 0)
        sha256_update(&h->sha, len, data);
}

static void to_hashes(struct onward_dkim__body *body,
                      enum onward_dkim__canon canon, const void *data,
                      size_t len)
{
    for (size_t i = 0; i < body->count; i++) {
        if (body->hashes[i].canon == canon)
            hash_one(&body->hashes[i], data, len);
    }
}

static void emit_simple(void *user, const void *data, size_t len)
{
    to_hashes(user, ONWARD_DKIM__SIMPLE, data, len);
}

static void emit_relaxed(void *user, const void *data, size_t len)
{
    to_hashes(user, ONWARD_DKIM__RELAXED, data, len);
}

void onward_dkim__body_init(struct onward_dkim__body *body)
{
    memset(body, 0, sizeof(*body));
    body->forms[ONWARD_DKIM__SIMPLE] = (struct onward_dkim__canon_body){
        .canon = ONWARD_DKIM__SIMPLE,
        .sink = {.emit = emit_simple, .user = body}};
    body->forms[ONWARD_DKIM__RELAXED] = (struct onward_dkim__canon_body){
        .canon = ONWARD_DKIM__RELAXED,
        .sink = {.emit = emit_relaxed, .user = body}};
}

int onward_dkim__body_want(struct onward_dkim__body *body,
                           enum onward_dkim__canon canon, bool has_limit,
                           uint64_t limit, size_t *index)
{
    struct onward_dkim__body_hash *h;

    if (body->octets > 0 || body->is_finished)
        return ONWARD_ESTATE;
    for (size_t i = 0; i < body->count; i++) {
        h = &body->hashes[i];
        if (h->canon == canon && h->has_limit == has_limit &&
            h->limit == limit) {
            *index = i;
            return 0;
        }
    }
    if (body->count == ONWARD_DKIM__BODY_HASHES_MAX)
        return ONWARD_ELIMIT;
    h = &body->hashes[body->count];
    h->canon = canon;
    h->has_limit = has_limit;
    h->limit = h->left = limit;
    sha256_init(&h->sha);
    body->is_wanted[canon] = true;
    *index = body->count++;
    return 0;
}

void onward_dkim__body_feed(struct onward_dkim__body *body, const void *data,
                            size_t len)
{
    body->octets += len;
    for (size_t i = 0; i < 2; i++) {
        if (body->is_wanted[i])
            onward_dkim__canon_body_feed(&body->forms[i], data, len);
    }
}

void onward_dkim__body_finish(struct onward_dkim__body *body)
{
    if (body->is_finished)
        return;
    body->is_finished = true;
    for (size_t i = 0; i < 2; i++) {
        if (body->is_wanted[i])
            onward_dkim__canon_body_finish(&body->forms[i]);
    }
    for (size_t i = 0; i < body->count; i++)
        sha256_digest(&body->hashes[i].sha, ONWARD_DKIM__HASH_SIZE,
                      body->hashes[i].digest);
}

const unsigned char *
onward_dkim__body_digest(const struct onward_dkim__body *body, size_t index)
{
    return body->hashes[index].digest;
}

uint64_t onward_dkim__body_octets(const struct onward_dkim__body *body,
                                  enum onward_dkim__canon canon)
{
    return body->forms[canon].octets;
}
