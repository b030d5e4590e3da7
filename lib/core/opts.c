/*
 * The one loader through which the library looks at structs that callers
 * fill in and that grow from release to release.
 */
#include "core/core_shared.h"

int onward_core__opts_load(void *dst, size_t dst_size, const void *src)
{
    const unsigned char *octets = src;
    size_t src_size;

    if (src == NULL) {
        memset(dst, 0, dst_size);
        memcpy(dst, &dst_size, sizeof(dst_size));
        return 0;
    }
    memcpy(&src_size, src, sizeof(src_size));
    if (src_size < sizeof(src_size))
        return ONWARD_EINVAL;
    for (size_t i = dst_size; i < src_size; i++) {
        if (octets[i] != 0)
            return ONWARD_EVERSION;
    }
    memset(dst, 0, dst_size);
    memcpy(dst, src, src_size < dst_size ? src_size : dst_size);
    return 0;
}
