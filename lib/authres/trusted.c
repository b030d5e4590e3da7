/*
 * Which field of a message a consumer may believe: the topmost that its own
 * border wrote, and no other.
 */
#include "authres/authres_shared.h"

#include "mime/mime_shared.h"

static int parse(const struct onward_header *header, size_t i,
                 struct onward_authres **authres)
{
    struct onward_authres *found = NULL;
    int err = onward_authres_parse(header->ctx, onward_mime__value(header, i),
                                   NULL, &found);

    if (err != 0)
        return err;
    if (onward_authres_fault(found, NULL) != NULL) {
        onward_authres_free(found);
        return ONWARD_ENOENT;
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
    onward_core__arena_clear(&scratch);
    if (ret < 0)
        return ret;
    return ret == 0 ? ONWARD_ENOENT : parse(header, i, authres);
}
