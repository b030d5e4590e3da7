/*
 * The shapes of the record types that the library knows (RFC 1035 section 3.3,
 * RFC 3596, RFC 6698), in wire form with names uncompressed.
 */
#include "dns/dns_priv.h"

/* Octets of the uncompressed name at rdata; 0: there is none. */
static size_t name_len(const uint8_t *rdata, size_t len)
{
    size_t at = 0;

    while (at < len && at < ONWARD_DNS_NAME_MAX &&
           rdata[at] <= ONWARD_LABEL_MAX) {
        if (rdata[at] == 0)
            return at + 1;
        at += 1u + rdata[at];
    }
    return 0;
}

static bool is_name(const uint8_t *rdata, size_t len)
{
    return len != 0 && name_len(rdata, len) == len;
}

static bool is_soa(const uint8_t *rdata, size_t len)
{
    size_t mname = name_len(rdata, len);
    size_t rname = mname == 0 ? 0 : name_len(rdata + mname, len - mname);

    return rname != 0 && len - mname - rname == 20;
}

/* One or more strings that end where the rdata ends. */
static bool is_strings(const uint8_t *rdata, size_t len)
{
    size_t at = 0;

    if (len == 0)
        return false;
    while (at < len)
        at += 1u + rdata[at];
    return at == len;
}

bool onward_dns__rdata_is_valid(uint16_t type, const uint8_t *rdata, size_t len)
{
    switch (type) {
    case ONWARD_DNS_A:
        return len == 4;
    case ONWARD_DNS_AAAA:
        return len == 16;
    case ONWARD_DNS_NS:
    case ONWARD_DNS_CNAME:
    case ONWARD_DNS_PTR:
        return is_name(rdata, len);
    case ONWARD_DNS_MX:
        return len > 2 && is_name(rdata + 2, len - 2);
    case ONWARD_DNS_SOA:
        return is_soa(rdata, len);
    case ONWARD_DNS_TXT:
    case ONWARD_DNS_TYPE_SPF:
        return is_strings(rdata, len);
    default:
        /* TLSA too: a short one is unusable, which dane says; it is no reason
         * to doubt the reply. */
        return true;
    }
}
