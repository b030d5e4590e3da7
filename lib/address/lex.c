/*
 * Character classes, faults, and the checks that every address has to pass,
 * wherever it came from.
 */
#include "address/lex_priv.h"

#include "core/domain_shared.h"
#include "core/text_shared.h"

int onward_address__refuse(const struct cursor *c,
                           enum onward_address__fault_kind kind,
                           const char *what)
{
    c->fault->kind = kind;
    c->fault->at = c->at;
    c->fault->what = what;
    return kind == ONWARD_ADDRESS_FAULT_LENGTH ? ONWARD_ELIMIT : ONWARD_ESYNTAX;
}

int onward_address__syntax(const struct cursor *c, const char *what)
{
    return onward_address__refuse(c, ONWARD_ADDRESS_FAULT_SYNTAX, what);
}

bool onward_address__is_atext(int octet)
{
    if (octet > 0x7f)
        return true;
    if (octet <= 0x20 || octet == 0x7f)
        return false;
    return memchr("()<>[]:;@\\,.\"", octet, 13) == NULL;
}

/* [1.2.3.4], [IPv6:...] (RFC 5321 section 4.1.3). */
static bool read_literal(struct onward_str domain, struct onward_ip *ip)
{
    struct onward_str tag = ONWARD_STR("IPv6:");
    struct onward_str inside = onward_core__sub(domain, 1, domain.len - 1);
    bool is_ipv6 = onward_core__str_istarts(inside, tag);
    struct onward_ip found;

    if (is_ipv6)
        inside = onward_core__sub(inside, tag.len, inside.len);
    if (onward_ip_parse(inside, &found) != 0 ||
        found.family != (is_ipv6 ? 6 : 4))
        return false;
    *ip = found;
    return true;
}

/* Of a DNS name: is it one for hosts, but for underscores? Some senders have
 * these in their names, and nobody has a hyphen at the end of a label. */
static bool is_sender_domain(struct onward_str ascii)
{
    for (size_t i = 0; i < ascii.len; i++) {
        bool is_first = i == 0 || ascii.data[i - 1] == '.';
        bool is_last = i + 1 == ascii.len || ascii.data[i + 1] == '.';

        if (ascii.data[i] == '-' && (is_first || is_last))
            return false;
    }
    return true;
}

static int finish_domain(struct cursor *c, bool strict,
                         struct onward_address__mailbox *mailbox)
{
    struct onward_str domain = mailbox->domain;
    int ret;

    if (domain.len > ONWARD_ADDRESS_DOMAIN_MAX)
        return onward_address__refuse(c, ONWARD_ADDRESS_FAULT_LENGTH,
                                      "domain over 255 octets");
    if (domain.data[0] == '[') {
        if (!read_literal(domain, &mailbox->literal) && strict)
            return onward_address__syntax(c, "address literal is no address");
        return 0;
    }
    if (strict && domain.data[domain.len - 1] == '.')
        return onward_address__syntax(c, "domain ends in a dot");
    ret =
        onward_core__domain_to_ascii(c->arena, domain, &mailbox->domain_ascii);
    if (ret == ONWARD_ENOMEM)
        return ret;
    if (ret != 0 || !(strict ? onward_core__domain_is_hostname
                             : is_sender_domain)(mailbox->domain_ascii))
        return onward_address__refuse(c, ONWARD_ADDRESS_FAULT_DOMAIN,
                                      "domain is not a host name");
    return 0;
}

int onward_address__finish(struct cursor *c, size_t start,
                           struct onward_str local_part,
                           struct onward_str domain, bool strict_domain,
                           struct onward_address__mailbox *mailbox)
{
    struct cursor address = *c; /* faults point to its start */
    struct onward_address__mailbox found = {.local_part = local_part,
                                            .domain = domain};
    int ret;

    address.at = start;
    found.is_utf8 =
        !onward_core__is_ascii(local_part) || !onward_core__is_ascii(domain);
    if (found.is_utf8) {
        if (!onward_core__is_utf8(local_part) || !onward_core__is_utf8(domain))
            return onward_address__syntax(&address, "address is not UTF-8");
        if (onward_core__has_invisible(local_part) || onward_core__has_invisible(domain))
            return onward_address__refuse(&address,
                                          ONWARD_ADDRESS_FAULT_FORBIDDEN,
                                          "invisible character in an address");
    }
    ret = finish_domain(&address, strict_domain, &found);
    if (ret != 0)
        return ret;
    *mailbox = found;
    return 0;
}
