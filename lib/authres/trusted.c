/*
 * Which field of a message a consumer may believe: the topmost that its own
 * border wrote, and no other.
 */
#include "authres/authres_shared.h"

#include "core/domain_shared.h"
#include "mime/mime_shared.h"

/* In doubt a field claims to be ours, and in doubt it is not: `mx.b.example:25`
 * is none that we write. 1, 0 or ONWARD_ENOMEM. */
static int is_id(struct onward_arena *scratch, struct onward_str found,
                 struct onward_str id)
{
    struct onward_str a, b;
    int err;

    if (onward_core__str_ieq(found, id))
        return 1;
    err = onward_core__domain_to_ascii(scratch, found, &a);
    if (err == 0)
        err = onward_core__domain_to_ascii(scratch, id, &b);
    if (err != 0)
        return err == ONWARD_ENOMEM ? err : 0;
    return onward_core__str_ieq(a, b);
}

static int parse(struct onward_arena *scratch,
                 const struct onward_header *header, size_t i,
                 struct onward_str id, struct onward_authres **authres)
{
    struct onward_authres *found = NULL;
    int ret = onward_authres_parse(header->ctx, onward_mime__value(header, i),
                                   NULL, &found);

    if (ret != 0)
        return ret;
    ret = onward_authres_fault(found, NULL) == NULL
              ? is_id(scratch, onward_authres_authserv_id(found), id)
              : 0;
    if (ret != 1) {
        onward_authres_free(found);
        return ret == 0 ? ONWARD_ENOENT : ret;
    }
    *authres = found;
    return 0;
}

int onward_authres_trusted(const struct onward_header *header,
                           struct onward_str authserv_id,
                           struct onward_authres **authres)
{
    struct onward_arena scratch;
    size_t i;
    int ret = 0;

    if (header == NULL || authserv_id.len == 0 || authres == NULL)
        return ONWARD_EINVAL;
    onward_core__arena_init(&scratch, header->ctx,
                            4 * onward_core__limits(header->ctx)->header_bytes);
    i = onward_header_first(header, ONWARD_STR("Authentication-Results"));
    while (i != ONWARD_HEADER_NONE) {
        ret = onward_authres__claims_authserv_id(
            &scratch, onward_mime__value(header, i), authserv_id);
        onward_core__arena_reset(&scratch);
        if (ret != 0)
            break;
        i = header->items[i].below;
    }
    if (ret >= 0)
        ret = ret == 0 ? ONWARD_ENOENT
                       : parse(&scratch, header, i, authserv_id, authres);
    onward_core__arena_clear(&scratch);
    return ret;
}
