/*
 * What one process found of a message, as octets for another that seals it:
 *
 *     4    "OArc"
 *     1    the version of this form, 1
 *     1    chain_result
 *     1    chain_instances, at most 50
 *     1    octets of body_hash: 0 or 32
 *     2+n  authserv_id, its length first, high octet first
 *     2+n  results, likewise
 *     n    body_hash
 *
 * What is in the texts is judged by the sealer that gets them.
 */
#include "arc/arc_shared.h"

enum { VERSION = 1, HEAD_SIZE = 8, TEXT_MAX = 65535 };

_Static_assert(offsetof(struct onward_arc_sealer_opts, omit_seal_time) +
                       sizeof(size_t) ==
                   sizeof(struct onward_arc_sealer_opts),
               "no tail padding");

static const char magic[4] = {'O', 'A', 'r', 'c'};

/* What the chain was, when it is known: none without sets, pass with some. A
 * failed one may have sets beyond those that could be counted. */
static bool is_chain(size_t result, size_t instances)
{
    switch (result) {
    case ONWARD_ARC_NONE:
        return instances == 0;
    case ONWARD_ARC_PASS:
        return instances >= 1 && instances <= ONWARD_ARC__SETS_MAX;
    case ONWARD_ARC_FAIL:
        return instances <= ONWARD_ARC__SETS_MAX;
    default:
        return false;
    }
}

static char *put_text(char *at, struct onward_str text)
{
    *at++ = (char)(unsigned char)(text.len >> 8);
    *at++ = (char)(unsigned char)(text.len & 0xff);
    if (text.len != 0)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

int onward_arc_state_write(const struct onward_arc_sealer_opts *opts, char *out,
                           size_t cap)
{
    struct onward_arc_sealer_opts o;
    char *at = out;
    int err;

    if (opts == NULL || out == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    if (!is_chain(o.chain_result, o.chain_instances) ||
        o.authserv_id.len == 0 ||
        (o.body_hash.len != 0 && o.body_hash.len != ONWARD_DKIM__HASH_SIZE))
        return ONWARD_EINVAL;
    if (o.authserv_id.len > TEXT_MAX || o.results.len > TEXT_MAX ||
        cap <
            HEAD_SIZE + 4 + o.authserv_id.len + o.results.len + o.body_hash.len)
        return ONWARD_ELIMIT;
    memcpy(at, magic, sizeof(magic));
    at += sizeof(magic);
    *at++ = VERSION;
    *at++ = (char)o.chain_result;
    *at++ = (char)o.chain_instances;
    *at++ = (char)o.body_hash.len;
    at = put_text(at, o.authserv_id);
    at = put_text(at, o.results);
    if (o.body_hash.len != 0)
        memcpy(at, o.body_hash.data, o.body_hash.len);
    return (int)(at - out) + (int)o.body_hash.len;
}

static unsigned octet(struct onward_str s, size_t i)
{
    return (unsigned char)s.data[i];
}

/* The next text, cut off the front of s; false: it is cut short. */
static bool get_text(struct onward_str *s, struct onward_str *text)
{
    size_t len;

    if (s->len < 2)
        return false;
    len = (size_t)(octet(*s, 0) << 8 | octet(*s, 1));
    if (len > s->len - 2)
        return false;
    *text = onward_core__sub(*s, 2, 2 + len);
    *s = onward_core__sub(*s, 2 + len, s->len);
    return true;
}

int onward_arc_state_read(struct onward_str state,
                          struct onward_arc_sealer_opts *opts)
{
    struct onward_str rest = onward_core__sub(state, HEAD_SIZE, state.len);
    struct onward_str authserv_id, results;
    size_t hash_len;

    if (opts == NULL || opts->size < sizeof(*opts))
        return ONWARD_EINVAL;
    if (state.len < HEAD_SIZE || memcmp(state.data, magic, sizeof(magic)) != 0)
        return ONWARD_ESYNTAX;
    if (octet(state, 4) != VERSION)
        return ONWARD_EVERSION;
    hash_len = octet(state, 7);
    if (!is_chain(octet(state, 5), octet(state, 6)) ||
        (hash_len != 0 && hash_len != ONWARD_DKIM__HASH_SIZE) ||
        !get_text(&rest, &authserv_id) || authserv_id.len == 0 ||
        !get_text(&rest, &results) || rest.len != hash_len)
        return ONWARD_ESYNTAX;
    opts->chain_result = octet(state, 5);
    opts->chain_instances = octet(state, 6);
    opts->authserv_id = authserv_id;
    opts->results = results;
    opts->body_hash = rest;
    return 0;
}
