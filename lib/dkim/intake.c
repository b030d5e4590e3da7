/*
 * A message as it streams in, the same for everything that verifies or signs:
 * the header is kept, then its owner begins, then the body is hashed.
 */
#include "dkim/dkim_shared.h"

void onward_dkim__intake_init(struct onward_dkim__intake *in,
                              struct onward_ctx *ctx, int (*begin)(void *user),
                              void *user)
{
    *in = (struct onward_dkim__intake){.begin = begin, .user = user};
    onward_mime__header_init(&in->header, ctx);
    onward_dkim__body_init(&in->body);
}

void onward_dkim__intake_clear(struct onward_dkim__intake *in)
{
    onward_mime__header_clear(&in->header);
}

static int begin(struct onward_dkim__intake *in)
{
    in->is_begun = true;
    return in->begin == NULL ? 0 : in->begin(in->user);
}

static int take(struct onward_dkim__intake *in, struct onward_str *rest)
{
    size_t taken = 0;
    int ret;

    if (!in->is_begun) {
        ret = onward_header_feed(&in->header, rest->data, rest->len, &taken);
        if (ret == 1)
            ret = begin(in);
        if (ret != 0)
            return ret;
        *rest = onward_core__sub(*rest, taken, rest->len);
    }
    if (in->is_begun && rest->len != 0)
        onward_dkim__body_feed(&in->body, rest->data, rest->len);
    return 0;
}

int onward_dkim__intake_feed(struct onward_dkim__intake *in, const void *data,
                             size_t len, struct onward_str *body)
{
    struct onward_str rest = onward_core__str(data, len);
    int err;

    if (in->is_closed)
        return ONWARD_ESTATE;
    err = len == 0 ? 0 : take(in, &rest);
    in->is_closed = err != 0;
    if (body != NULL)
        *body = in->is_begun ? rest : onward_core__str(NULL, 0);
    return err;
}

int onward_dkim__intake_finish(struct onward_dkim__intake *in)
{
    int err;

    if (in->is_closed)
        return ONWARD_ESTATE;
    in->is_closed = true;
    if (!in->is_begun) {
        err = onward_header_finish(&in->header);
        if (err == 0)
            err = begin(in);
        if (err != 0)
            return err;
    }
    onward_dkim__body_finish(&in->body);
    return 0;
}
