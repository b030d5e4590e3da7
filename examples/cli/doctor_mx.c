/*
 * onward doctor, where mail comes in and goes out: MX records, the addresses
 * of the servers, and what an address says of its name (PTR).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "doctor.h"

enum { REVERSE_MAX = 74 /* 32 nibbles with dots, ip6.arpa, NUL */ };

static const char domain_down[] =
    "Look at the name servers of the domain, and try again.";

/* ---- Names of addresses ------------------------------------------------ */

/* RFC 1035 section 3.5, RFC 3596 section 2.5. */
static void reverse_name(const struct onward_ip *ip, char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    if (ip->family == 4) {
        snprintf(out, REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa", ip->octets[3],
                 ip->octets[2], ip->octets[1], ip->octets[0]);
        return;
    }
    for (size_t i = 16; i > 0; i--) {
        out[len++] = digits[ip->octets[i - 1] & 15];
        out[len++] = '.';
        out[len++] = digits[ip->octets[i - 1] >> 4];
        out[len++] = '.';
    }
    memcpy(out + len, "ip6.arpa", sizeof("ip6.arpa"));
}

static bool is_among(const struct onward_ip *ip, const struct onward_ip *ips,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ips[i].family == ip->family &&
            memcmp(ips[i].octets, ip->octets, ip->family == 4 ? 4 : 16) == 0)
            return true;
    }
    return false;
}

/* Does one of the names that the address has lead back to it? The name goes to
 * name. *is_open: DNS did not say. */
static bool is_confirmed(struct doctor *d, const struct onward_dns_lookup *ptr,
                         const struct onward_ip *ip, char *name, size_t room,
                         bool *is_open)
{
    *is_open = false;
    for (size_t i = 0; i < onward_dns_lookup_count(ptr) && i < 10; i++) {
        struct onward_str text = onward_dns_lookup_data(ptr, i);
        struct onward_ip ips[16];
        int status;

        snprintf(name, room, "%.*s", (int)text.len, text.data);
        if (is_among(ip, ips, doctor_addresses(d, name, ips, 16, &status)))
            return true;
        *is_open = *is_open || status > ONWARD_DNS_STATUS_NXDOMAIN;
    }
    return false;
}

/* What the address should be called; NULL: nobody said. */
static const char *name_for(const struct doctor *d, const struct onward_ip *ip)
{
    for (size_t i = 0; i < d->server_count && d->hostname == NULL; i++) {
        if (is_among(ip, d->servers[i].ips, d->servers[i].ip_count))
            return d->servers[i].name;
    }
    return d->hostname;
}

static void examine_ptr(struct doctor *d, const struct onward_ip *ip)
{
    char reverse[REVERSE_MAX], text[ONWARD_IP_TEXT_MAX], name[256] = "";
    struct onward_dns_lookup *ptr;
    bool is_open;
    int status;

    onward_ip_format(ip, text, sizeof(text));
    reverse_name(ip, reverse);
    ptr = doctor_ask(d, reverse, ONWARD_DNS_PTR);
    status = onward_dns_lookup_status(ptr);
    if (ptr == NULL)
        return;
    if (status == ONWARD_DNS_STATUS_TEMP || status == ONWARD_DNS_STATUS_BOGUS) {
        doctor_find(d, DOCTOR_UNKNOWN, "egress", "no-answer", text,
                    "DNS gives no answer for its PTR record");
        doctor_fix(d, domain_down);
    } else if (status != ONWARD_DNS_STATUS_OK) {
        doctor_find(d, DOCTOR_ERROR, "egress", "no-ptr", text,
                    "no PTR record: large receivers refuse mail from here");
        doctor_fix(d, "Have whoever gave you the address set its name.");
        if (name_for(d, ip) != NULL)
            doctor_record(d, reverse, "PTR", "%s.", name_for(d, ip));
    } else if (!is_confirmed(d, ptr, ip, name, sizeof(name), &is_open) &&
               is_open) {
        doctor_find(d, DOCTOR_UNKNOWN, "egress", "no-answer", text,
                    "DNS gives no answer for the address of its name %s", name);
        doctor_fix(d, domain_down);
    } else if (!is_confirmed(d, ptr, ip, name, sizeof(name), &is_open)) {
        doctor_find(d, DOCTOR_ERROR, "egress", "ptr-unconfirmed", text,
                    "its name %s does not lead back to it", name);
        doctor_fix(d, "Publish the address of that name, or have the PTR "
                      "record changed.");
        doctor_record(d, name, ip->family == 4 ? "A" : "AAAA", "%s", text);
    } else if (d->hostname != NULL && strcasecmp(name, d->hostname) != 0) {
        doctor_find(d, DOCTOR_WARNING, "egress", "ptr-other", text,
                    "its name is %s, and the forwarder says it is %s", name,
                    d->hostname);
        doctor_fix(d, "Set hostname in the configuration to the name of the "
                      "address, or have the PTR record changed.");
        doctor_record(d, reverse, "PTR", "%s.", d->hostname);
    } else {
        doctor_find(d, DOCTOR_OK, "egress", "ptr", text,
                    "its name is %s, and that leads back to it", name);
    }
    onward_dns_lookup_free(ptr);
}

void doctor_examine_egress(struct doctor *d)
{
    if (d->hostname != NULL) {
        struct onward_ip ips[16];
        int status;

        if (doctor_addresses(d, d->hostname, ips, 16, &status) == 0 &&
            status <= ONWARD_DNS_STATUS_NXDOMAIN) {
            char text[ONWARD_IP_TEXT_MAX];

            doctor_find(d, DOCTOR_ERROR, "egress", "no-hostname", d->hostname,
                        "the name that the forwarder gives itself has no "
                        "address");
            doctor_fix(d, "Publish it, or set hostname in the configuration "
                          "to the server's name.");
            if (d->egress_count > 0) {
                onward_ip_format(&d->egress[0], text, sizeof(text));
                doctor_record(d, d->hostname,
                              d->egress[0].family == 4 ? "A" : "AAAA", "%s",
                              text);
            }
        }
    }
    for (size_t i = 0; i < d->egress_count; i++)
        examine_ptr(d, &d->egress[i]);
}

/* ---- MX ---------------------------------------------------------------- */

static void examine_addresses(struct doctor *d, struct doctor_server *s,
                              int status)
{
    char list[256] = "";
    size_t good = 0;

    for (size_t i = 0; i < s->ip_count; i++) {
        char text[ONWARD_IP_TEXT_MAX];
        size_t len = strlen(list);

        onward_ip_format(&s->ips[i], text, sizeof(text));
        if (!doctor_is_public(&s->ips[i])) {
            doctor_find(d, DOCTOR_ERROR, "mx", "private", s->name,
                        "%s is no address of the Internet", text);
            doctor_fix(d, "Publish the address that others reach it at.");
            continue;
        }
        good++;
        snprintf(list + len, sizeof(list) - len, "%s%s", len == 0 ? "" : ", ",
                 text);
    }
    if (good > 0)
        doctor_find(d, DOCTOR_OK, "mx", "server", s->name, "%s", list);
    if (s->ip_count == 0 && status > ONWARD_DNS_STATUS_NXDOMAIN) {
        doctor_find(d, DOCTOR_UNKNOWN, "mx", "no-answer", s->name,
                    "DNS gives no answer for its addresses");
        doctor_fix(d, domain_down);
    } else if (s->ip_count == 0) {
        doctor_find(d, DOCTOR_ERROR, "mx", "no-address", s->name,
                    "it has no address: nothing is delivered there");
        doctor_fix(d, "Publish its address, or take the MX record away.");
        if (d->hostname != NULL && strcasecmp(s->name, d->hostname) == 0 &&
            d->egress_count > 0) {
            char text[ONWARD_IP_TEXT_MAX];

            onward_ip_format(&d->egress[0], text, sizeof(text));
            doctor_record(d, s->name, d->egress[0].family == 4 ? "A" : "AAAA",
                          "%s", text);
        }
    }
}

/* The name of an MX record is no alias (RFC 2181 section 10.3). */
static void examine_alias(struct doctor *d, const struct doctor_server *s)
{
    struct onward_dns_lookup *a = doctor_ask(d, s->name, ONWARD_DNS_A);
    struct onward_str real = onward_dns_lookup_canonical(a);

    if (a != NULL && real.len != 0 &&
        (real.len != strlen(s->name) ||
         strncasecmp(real.data, s->name, real.len) != 0)) {
        doctor_find(d, DOCTOR_ERROR, "mx", "alias", s->name,
                    "it is an alias of %.*s, and an MX record may not lead to "
                    "one (RFC 2181 section 10.3)",
                    (int)real.len, real.data);
        doctor_fix(d, "Name the server itself.");
        doctor_record(d, d->domain, "MX", "%zu %.*s.", s->preference,
                      (int)real.len, real.data);
    }
    onward_dns_lookup_free(a);
}

static void examine_server(struct doctor *d, struct doctor_server *s)
{
    struct onward_ip ip;
    int status;

    if (onward_ip_parse(onward_str_of(s->name), &ip) == 0) {
        doctor_find(d, DOCTOR_ERROR, "mx", "literal", s->name,
                    "an address where a name has to stand (RFC 5321 section "
                    "5.1)");
        doctor_fix(d, "Give the server a name with that address.");
        doctor_record(d, d->domain, "MX", "%zu mail.%s.", s->preference,
                      d->domain);
        return;
    }
    s->ip_count = doctor_addresses(d, s->name, s->ips, 16, &status);
    examine_addresses(d, s, status);
    examine_alias(d, s);
}

static void add_server(struct doctor *d, const struct onward_dns_lookup *mx,
                       size_t i)
{
    struct onward_str name = onward_dns_lookup_data(mx, i);
    struct doctor_server s = {.preference = onward_dns_lookup_preference(mx, i),
                              .name = strndup(name.data, name.len)};
    size_t at = d->server_count;

    if (s.name == NULL || at == DOCTOR_SERVERS) {
        d->err = s.name == NULL ? ONWARD_ENOMEM : d->err;
        free(s.name);
        return;
    }
    /* The preferred first. */
    for (; at > 0 && d->servers[at - 1].preference > s.preference; at--)
        d->servers[at] = d->servers[at - 1];
    d->servers[at] = s;
    d->server_count++;
}

static void examine_records(struct doctor *d,
                            const struct onward_dns_lookup *mx)
{
    size_t count = onward_dns_lookup_count(mx);
    bool has_null = false;

    d->is_mx_secure = onward_dns_lookup_is_secure(mx) == 1;
    for (size_t i = 0; i < count; i++) {
        if (onward_dns_lookup_data(mx, i).len == 0)
            has_null = true;
        else
            add_server(d, mx, i);
    }
    d->is_null_mx = has_null && d->server_count == 0;
    if (d->is_null_mx) {
        doctor_find(d, DOCTOR_NOTE, "mx", "null", d->domain,
                    "a null MX: it takes no mail (RFC 7505)");
        doctor_fix(d, "If it shall take mail, publish the name of a server "
                      "in place of the dot.");
    } else if (has_null) {
        doctor_find(d, DOCTOR_ERROR, "mx", "null-and-others", d->domain,
                    "a null MX beside others: some senders deliver nothing "
                    "(RFC 7505 section 3)");
        doctor_fix(d, "Delete the MX record that is a dot alone.");
    }
    for (size_t i = 0; i < d->server_count; i++)
        examine_server(d, &d->servers[i]);
}

static void examine_without(struct doctor *d)
{
    struct onward_ip ips[16];
    int status;
    size_t count = doctor_addresses(d, d->domain, ips, 16, &status);
    const char *server = d->hostname != NULL ? d->hostname : d->domain;

    if (count == 0) {
        doctor_find(d, DOCTOR_ERROR, "mx", "none", d->domain,
                    "no MX record and no address: it cannot be sent to");
        doctor_fix(d, "Publish the name of its mail server.");
        if (d->hostname != NULL)
            doctor_record(d, d->domain, "MX", "10 %s.", d->hostname);
        else
            doctor_record(d, d->domain, "MX", "10 mail.%s.", d->domain);
        return;
    }
    doctor_find(d, DOCTOR_WARNING, "mx", "implicit", d->domain,
                "no MX record: senders try the address of the name itself");
    doctor_fix(d, "Say it, so that a web server elsewhere does not get the "
                  "mail one day.");
    doctor_record(d, d->domain, "MX", "10 %s.", server);
    /* RFC 5321 section 5.1: it is its own server. */
    d->servers[0] =
        (struct doctor_server){.name = strdup(d->domain), .ip_count = count};
    memcpy(d->servers[0].ips, ips, sizeof(ips));
    if (d->servers[0].name == NULL)
        d->err = ONWARD_ENOMEM;
    else
        d->server_count = 1;
}

void doctor_examine_mx(struct doctor *d)
{
    struct onward_dns_lookup *mx = doctor_ask(d, d->domain, ONWARD_DNS_MX);

    switch (onward_dns_lookup_status(mx)) {
    case ONWARD_DNS_STATUS_OK:
        examine_records(d, mx);
        break;
    case ONWARD_DNS_STATUS_NODATA:
        examine_without(d);
        break;
    case ONWARD_DNS_STATUS_NXDOMAIN:
        d->is_gone = true;
        doctor_find(d, DOCTOR_ERROR, "mx", "no-domain", d->domain,
                    "the domain does not exist in DNS");
        doctor_fix(d, "Look whether it is spelt right, registered and paid "
                      "for, and which name servers it has.");
        break;
    case ONWARD_DNS_STATUS_BOGUS:
        doctor_find(d, DOCTOR_ERROR, "mx", "bogus", d->domain,
                    "DNSSEC validation fails: who validates cannot send to "
                    "it");
        doctor_fix(d, "Sign the zone anew, or take the DS record away.");
        break;
    default:
        doctor_find(d, DOCTOR_UNKNOWN, "mx", "no-answer", d->domain,
                    "DNS gives no answer for MX");
        doctor_fix(d, domain_down);
        break;
    }
    onward_dns_lookup_free(mx);
}
