/*
 * The one door for structs that grow from release to release: options that
 * callers fill in, and what the library fills in for them.
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

int onward_core__out_store(void *dst, const void *src, size_t src_size)
{
    const size_t head = sizeof(size_t); /* every such struct begins with it */
    unsigned char *octets = dst;
    size_t room;

    memcpy(&room, dst, head);
    if (room < head)
        return ONWARD_EINVAL;
    memset(octets + head, 0, room - head);
    memcpy(octets + head, (const unsigned char *)src + head,
           (room < src_size ? room : src_size) - head);
    return 0;
}
