/*
 * What rules can say beyond one address and one action: matchers, actions,
 * order, subdomains, templates. Names that begin with "row" are behaviour of
 * the product that is followed, by the number it has in its description.
 */
#include "ruleset/rules.h"

#define ZONES(zones)                                                           \
    "{\"version\":1,\"zones\":[" zones "],\"addresses\":[{\"email\":"          \
    "\"*@ok.example\",\"verified\":true},{\"email\":\"gone@ok.example\","      \
    "\"verified\":true,\"status\":\"revoked\"},{\"email\":\"un@ok.example\"," \
    "\"verified\":\"2026-01-02T03:04:05Z\",\"status\":\"unverified\"}]}"
#define SET(settings, rules, rest)                                             \
    ZONES("{\"name\":\"a.example\",\"settings\":{" settings "},\"rules\":["    \
          rules "]" rest "}")
#define ZONE(rules) SET("", rules, "")
#define RULE(rest, matchers, actions)                                          \
    "{" rest "\"matchers\":[" matchers "],\"actions\":[" actions "]}"
#define M(type, field, value)                                                  \
    "{\"type\":\"" type "\",\"field\":\"" field "\",\"value\":" value "}"
#define TO(address) M("literal", "to", "\"" address "\"")
#define HEADER(type, name, value)                                              \
    "{\"type\":\"" type "\",\"field\":\"header\",\"name\":\"" name             \
    "\",\"value\":" value "}"
#define TREE(op, matchers)                                                     \
    "{\"type\":\"" op "\",\"matchers\":[" matchers "]}"
#define ALL "{\"type\":\"all\"}"
#define NAME(name) "\"name\":\"" name "\","
#define PRIO(n) "\"priority\":" #n ","
#define FORWARD(list) "{\"type\":\"forward\",\"value\":[" list "]}"
#define WORKER(name) "{\"type\":\"worker\",\"value\":[\"" name "\"]}"
#define NAMED(type, name) "{\"type\":\"" type "\",\"value\":\"" name "\"}"
#define DROP "{\"type\":\"drop\"}"
#define REJECT "{\"type\":\"reject\"}"
#define GO_ON "{\"type\":\"continue\"}"
#define STOP "{\"type\":\"stop\"}"
#define NO_ADDRESS "reject no-address none a.example/ 550 5.1.1 No such address"
#define NEED "need-message not-known none a.example/"

/* One rule with a condition: worker "w" when it holds. */
#define IF(matcher) ZONE(RULE("", matcher, WORKER("w")))
#define HOLDS "handler rule pattern a.example/ w"
#define WHOLE .size = -1, .score = -1, .tls = -1, .is_whole = true
#define EARLY .size = -1, .score = -1, .tls = -1

static const struct row {
    const char *name;
    const char *text;
    const char *to;
    struct rules_facts facts;
    const char *want;
} rows[] = {
    /* ---- The product ---- */
    {"row 1: a rule as the API has it",
     ZONE("{\"id\":\"1\",\"tag\":\"1\",\"name\":\"r\",\"enabled\":true,"
          "\"priority\":0,\"matchers\":[" TO("me@a.example") "],\"actions\":["
          FORWARD("\"me@ok.example\"") "],\"source\":\"api\","
          "\"owner_worker_tag\":null}"),
     "me@a.example", {WHOLE},
     "forward rule exact a.example/r me@ok.example"},
    {"row 2: literal is the whole address", ZONE(RULE("", TO("me@a.example"),
                                                       DROP)),
     "me.too@a.example", {WHOLE}, NO_ADDRESS},
    {"row 3: forward to several, which the product has not",
     ZONE(RULE("", TO("me@a.example"),
               FORWARD("\"b@ok.example\",\"a@ok.example\""))),
     "me@a.example", {WHOLE},
     "forward rule exact a.example/ b@ok.example a@ok.example"},
    {"row 3: worker", ZONE(RULE("", TO("me@a.example"), WORKER("w"))),
     "me@a.example", {WHOLE}, "handler rule exact a.example/ w"},
    {"row 4: ascending priority",
     ZONE(RULE(PRIO(2), TO("me@a.example"), WORKER("2")) ","
          RULE(PRIO(1), TO("me@a.example"), WORKER("1"))),
     "me@a.example", {WHOLE}, "handler rule exact a.example/ 1"},
    {"row 4: the first of equal priority",
     ZONE(RULE("", TO("me@a.example"), WORKER("1")) ","
          RULE("", TO("me@a.example"), WORKER("2"))),
     "me@a.example", {WHOLE}, "handler rule exact a.example/ 1"},
    {"row 5: a disabled rule is not there",
     ZONE(RULE("\"enabled\":false,", TO("me@a.example"), WORKER("1")) ","
          RULE("", TO("me@a.example"), WORKER("2"))),
     "me@a.example", {WHOLE}, "handler rule exact a.example/ 2"},
    {"row 5: not verified refuses, and falls into no catch-all",
     SET("", RULE("", TO("me@a.example"), FORWARD("\"x@no.example\"")),
         ",\"catch_all\":" RULE("", ALL, DROP)),
     "me@a.example", {WHOLE},
     "reject not-verified exact a.example/ 550 5.2.1 Destination of this "
     "address is not verified"},
    {"row 6: the catch-all is last",
     SET("", RULE(PRIO(9), M("glob", "to", "\"m?@a.example\""), WORKER("w")),
         ",\"catch_all\":" RULE(PRIO(0), ALL, DROP)),
     "me@a.example", {WHOLE}, HOLDS},
    {"row 6: a catch-all on a subdomain, which the product refuses",
     ZONE(RULE("", TO("*@sub.a.example"), WORKER("w"))), "x@sub.a.example",
     {WHOLE}, "handler rule catch-all a.example/ w"},
    {"row 6: and it is for that subdomain alone",
     ZONE(RULE("", TO("*@sub.a.example"), WORKER("w"))), "x@a.example",
     {WHOLE}, NO_ADDRESS},
    {"row 6: a disabled catch-all",
     SET("", "", ",\"catch_all\":" RULE("\"enabled\":false,", ALL, DROP)),
     "x@a.example", {WHOLE}, NO_ADDRESS},
    {"row 7: drop", ZONE(RULE("", TO("me@a.example"), DROP)), "me@a.example",
     {WHOLE}, "drop rule exact a.example/"},
    {"row 8: off by default", ZONE(RULE("", TO("me@a.example"), DROP)),
     "me+x@a.example", {WHOLE}, NO_ADDRESS},
    {"row 8: exact before base",
     SET("\"support_subaddress\":true",
         RULE(PRIO(-9), TO("me@a.example"), WORKER("base")) ","
         RULE("", TO("me+x@a.example"), WORKER("exact")), ""),
     "me+x@a.example", {WHOLE}, "handler rule exact a.example/ exact"},
    {"row 8: base before catch-all",
     SET("\"support_subaddress\":true",
         RULE("", TO("me@a.example"), WORKER("base")),
         ",\"catch_all\":" RULE("", ALL, DROP)),
     "me+x+y@a.example", {WHOLE}, "handler rule base a.example/ base"},
    {"row 8: other separators",
     SET("\"subaddress_separators\":\"-_\"",
         RULE("", TO("me@a.example"), WORKER("base")), ""),
     "me_x@a.example", {WHOLE}, "handler rule base a.example/ base"},
    {"row 8: and only those",
     SET("\"subaddress_separators\":\"-_\"",
         RULE("", TO("me@a.example"), WORKER("base")), ""),
     "me+x@a.example", {WHOLE}, NO_ADDRESS},
    {"row 8: a dot is never special",
     SET("\"support_subaddress\":true", RULE("", TO("me@a.example"), DROP), ""),
     "m.e@a.example", {WHOLE}, NO_ADDRESS},
    {"row 9: any local part", ZONE(RULE("", TO("M!#$%&'*/=?^`{|}~@a.example"),
                                        DROP)),
     "M!#$%&'*/=?^`{|}~@a.example", {WHOLE}, "drop rule exact a.example/"},
    {"row 9: 64 octets",
     ZONE(RULE("", TO("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddd"
                      "ddddddd@a.example"), DROP)),
     "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd@a.example",
     {WHOLE}, "drop rule exact a.example/"},
    {"row 10: a subdomain that is covered",
     SET("\"subdomains\":[\"eu.a.example\"]",
         RULE("", M("prefix", "to", "\"me@\""), WORKER("w")), ""),
     "me@eu.a.example", {WHOLE}, HOLDS},
    {"row 10: a subdomain that is not",
     SET("\"subdomains\":[\"eu.a.example\"]",
         RULE("", M("prefix", "to", "\"me@\""), WORKER("w")), ""),
     "me@us.a.example", {WHOLE},
     "reject no-zone none / 550 5.7.1 Relaying denied"},
    {"row 10: all of them",
     SET("\"subdomains\":[\"*\"]",
         RULE("", M("prefix", "to", "\"me@\""), WORKER("w")), ""),
     "me@x.y.a.example", {WHOLE}, HOLDS},
    {"row 10: a zone of its own wins",
     ZONES("{\"name\":\"a.example\",\"rules\":["
           RULE("", TO("*@*.a.example"), WORKER("above")) "]},"
           "{\"name\":\"sub.a.example\",\"catch_all\":"
           RULE("", ALL, WORKER("own")) "}"),
     "x@sub.a.example", {WHOLE}, "handler rule catch-all sub.a.example/ own"},
    {"row 12: set back to unverified",
     ZONE(RULE("", TO("me@a.example"), FORWARD("\"un@ok.example\""))),
     "me@a.example", {WHOLE},
     "reject not-verified exact a.example/ 550 5.2.1 Destination of this "
     "address is not verified"},
    {"row 12: revoked, though its domain is verified",
     ZONE(RULE("", TO("me@a.example"), FORWARD("\"gone@ok.example\""))),
     "me@a.example", {WHOLE},
     "reject not-verified exact a.example/ 550 5.2.1 Destination of this "
     "address is not verified"},
    {"row 13: settings as the API has them",
     ZONES("{\"settings\":{\"id\":\"x\",\"name\":\"a.example\",\"enabled\":true,"
           "\"status\":\"ready\",\"skip_wizard\":true,\"support_subaddress\":"
           "true,\"created\":\"\",\"modified\":\"\",\"tag\":\"\"},\"rules\":["
           RULE("", TO("me@a.example"), DROP) "]}"),
     "me+x@a.example", {WHOLE}, "drop rule base a.example/"},

    /* ---- Matchers ---- */
    {"to: glob", IF(M("glob", "to", "\"s*-?@a.example\"")),
     "sales-1@a.example", {WHOLE}, HOLDS},
    {"to: glob, not", IF(M("glob", "to", "\"s*-?@a.example\"")),
     "sales-12@a.example", {WHOLE}, NO_ADDRESS},
    {"to: regex", IF(M("regex", "to", "\"^s[0-9]+@\"")), "s42@a.example",
     {WHOLE}, HOLDS},
    {"to: local parts are exact", IF(M("regex", "to", "\"^s[0-9]+@\"")),
     "S42@a.example", {WHOLE}, NO_ADDRESS},
    {"to: folded with the zone",
     SET("\"fold_local\":true",
         RULE("", M("regex", "to", "\"^s[0-9]+@\""), WORKER("w")), ""),
     "S42@a.example", {WHOLE}, HOLDS},
    {"to: one of several literals",
     IF(M("literal", "to", "[\"x@a.example\",\"y@A.example\"]")), "y@a.example",
     {WHOLE}, HOLDS},
    {"to: an @ in quotes is not that of the domain",
     IF(M("glob", "to", "\"admin@*\"")), "\"admin@x\"@a.example", {WHOLE},
     NO_ADDRESS},
    {"to: base of a pattern",
     SET("\"support_subaddress\":true",
         RULE("", M("regex", "to", "\"^me@\""), WORKER("w")), ""),
     "me+x@a.example", {WHOLE}, HOLDS},
    {"from: domain", IF(M("domain", "from", "[\"b.example\",\"*.c.example\"]")),
     "x@a.example", {WHOLE, .sender = "me@x.C.example"}, HOLDS},
    {"from: not the domain itself",
     IF(M("domain", "from", "\"*.c.example\"")), "x@a.example",
     {WHOLE, .sender = "me@c.example"}, NO_ADDRESS},
    {"from: not the end of a label", IF(M("domain", "from", "\"*.c.example\"")),
     "x@a.example", {WHOLE, .sender = "me@xc.example"}, NO_ADDRESS},
    {"from: literal", IF(M("literal", "from", "\"me@b.example\"")),
     "x@a.example", {WHOLE, .sender = "Me@B.example"}, HOLDS},
    {"from: the null path", IF(M("literal", "from", "\"\"")), "x@a.example",
     {WHOLE, .sender = ""}, HOLDS},
    {"header: contains, without case",
     IF(HEADER("contains", "subject", "\"INVOICE\"")), "x@a.example",
     {WHOLE, .header = "To: x|Subject: your Invoice"}, HOLDS},
    {"header: with case",
     IF("{\"type\":\"contains\",\"field\":\"header\",\"name\":\"Subject\","
        "\"case\":\"exact\",\"value\":\"INVOICE\"}"),
     "x@a.example", {WHOLE, .header = "Subject: your Invoice"}, NO_ADDRESS},
    {"header: any of several", IF(HEADER("prefix", "Received", "\"by\"")),
     "x@a.example", {WHOLE, .header = "Received: from|Received: by"}, HOLDS},
    {"header: exists",
     IF("{\"type\":\"exists\",\"field\":\"header\",\"name\":\"List-Id\"}"),
     "x@a.example", {WHOLE, .header = "List-ID: x"}, HOLDS},
    {"size: at least", IF(M("at_least", "size", "1000")), "x@a.example",
     {.size = 1000, .score = -1, .tls = -1}, HOLDS},
    {"size: not known", IF(M("at_least", "size", "1000")), "x@a.example",
     {EARLY}, NEED},
    {"size: less", IF(M("at_least", "size", "1000")), "x@a.example",
     {.size = 999, .score = -1, .tls = -1, .is_whole = true}, NO_ADDRESS},
    {"score: at least", IF(M("at_least", "score", "-0.5")), "x@a.example",
     {.size = -1, .score = -500, .tls = -1}, HOLDS},
    {"score: at most", IF(M("at_most", "score", "5.25")), "x@a.example",
     {.size = -1, .score = 5251, .tls = -1}, NO_ADDRESS},
    {"attachment: type", IF(M("literal", "attachment_type",
                              "\"application/pdf\"")),
     "x@a.example", {WHOLE, .types = "text/plain|Application/PDF"}, HOLDS},
    {"attachment: name", IF(M("suffix", "attachment_name",
                              "[\".exe\",\".scr\"]")),
     "x@a.example", {WHOLE, .names = "a.txt|B.SCR"}, HOLDS},
    {"client: in a network", IF(M("network", "client",
                                  "[\"192.0.2.128/25\",\"2001:db8::/33\"]")),
     "x@a.example", {WHOLE, .client = "192.0.2.200"}, HOLDS},
    {"client: outside of it", IF(M("network", "client",
                                   "[\"192.0.2.128/25\",\"2001:db8::/33\"]")),
     "x@a.example", {WHOLE, .client = "192.0.2.127"}, NO_ADDRESS},
    {"client: IPv6", IF(M("network", "client", "[\"2001:db8::/33\"]")),
     "x@a.example", {WHOLE, .client = "2001:db8:7fff::1"}, HOLDS},
    {"client: mapped", IF(M("network", "client", "\"192.0.2.1\"")),
     "x@a.example", {WHOLE, .client = "::ffff:192.0.2.1"}, HOLDS},
    {"tls: is not", IF(M("is", "tls", "false")), "x@a.example",
     {.size = -1, .score = -1, .tls = 0}, HOLDS},
    {"verdict", IF(M("literal", "dmarc", "[\"fail\",\"none\"]")),
     "x@a.example", {WHOLE, .auth = "spf=pass|dmarc=none"}, HOLDS},
    {"and", IF(TREE("and", M("is", "tls", "true") ","
                           M("literal", "spf", "\"pass\""))),
     "x@a.example", {.size = -1, .score = -1, .tls = 1, .auth = "spf=fail",
                     .is_whole = true}, NO_ADDRESS},
    {"or", IF(TREE("or", M("is", "tls", "true") ","
                         M("literal", "spf", "\"pass\""))),
     "x@a.example", {.size = -1, .score = -1, .tls = 1, .auth = "spf=fail",
                     .is_whole = true}, HOLDS},
    {"not", IF(TREE("not", M("literal", "spf", "\"pass\""))), "x@a.example",
     {WHOLE, .auth = "spf=fail"}, HOLDS},
    {"several matchers are and",
     ZONE(RULE("", TO("me@a.example") "," M("literal", "spf", "\"pass\""),
               WORKER("w"))),
     "me@a.example", {WHOLE, .auth = "spf=fail"}, NO_ADDRESS},
    {"a catch-all with a condition",
     SET("", RULE("", ALL "," M("at_least", "score", "5"), WORKER("w")),
         ",\"catch_all\":" RULE("", ALL, DROP)),
     "me@a.example", {.size = -1, .score = 5000, .tls = -1},
     "handler rule catch-all a.example/ w"},

    /* ---- What is not known yet ---- */
    {"unknown: not needed when a part fails",
     IF(TREE("and", M("at_least", "size", "1") ","
                    M("is", "tls", "true"))),
     "x@a.example", {.size = -1, .score = -1, .tls = 0}, NO_ADDRESS},
    {"unknown: not needed when a part holds",
     IF(TREE("or", M("at_least", "size", "1") "," M("is", "tls", "true"))),
     "x@a.example", {.size = -1, .score = -1, .tls = 1}, HOLDS},
    {"unknown: needed", IF(M("contains", "from", "\"x\"")), "x@a.example",
     {EARLY}, NEED},
    {"unknown: not needed behind a rule that is taken",
     ZONE(RULE("", TO("me@a.example"), WORKER("w")) ","
          RULE("", M("contains", "from", "\"x\""), REJECT)),
     "me@a.example", {EARLY}, "handler rule exact a.example/ w"},
    {"unknown: first match stays in order",
     ZONE(RULE("", M("contains", "from", "\"x\""), REJECT) ","
          RULE("", TO("me@a.example"), WORKER("w"))),
     "me@a.example", {EARLY}, NEED},
    {"unknown: refused when all that can come refuses",
     ZONE(RULE("", M("contains", "from", "\"x\""), REJECT)), "me@a.example",
     {EARLY},
     "reject rule none a.example/ 550 5.7.1 Rejected by the recipient's rules"},
    {"unknown: a temporary refusal is said first",
     ZONE(RULE("", M("contains", "from", "\"x\""), REJECT) ","
          RULE("", M("contains", "from", "\"y\""),
               "{\"type\":\"defer\",\"text\":\"later\"}")),
     "me@a.example", {EARLY}, "reject rule none a.example/ 451 4.7.1 later"},
    {"a fact that cannot be told now",
     IF(M("contains", "from", "\"x\"")), "me@a.example",
     {.failing = ONWARD_ECALLBACK},
     "reject not-now none a.example/ 451 4.3.0 This cannot be decided now"},

    /* ---- Actions ---- */
    {"defer", ZONE(RULE("", TO("me@a.example"),
                        "{\"type\":\"defer\",\"code\":450,\"enhanced\":"
                        "\"4.2.1\",\"text\":\"later\"}")),
     "me@a.example", {WHOLE}, "reject rule exact a.example/ 450 4.2.1 later"},
    {"failover", ZONE(RULE("", TO("me@a.example"),
                           "{\"type\":\"failover\",\"value\":[\"a@ok.example\","
                           "\"b@ok.example\"]}")),
     "me@a.example", {WHOLE},
     "failover rule exact a.example/ a@ok.example b@ok.example"},
    {"quarantine", ZONE(RULE("", TO("me@a.example"), NAMED("quarantine", "q"))),
     "me@a.example", {WHOLE},
     "quarantine rule exact a.example/ + quarantine q"},
    {"webhook", ZONE(RULE("", TO("me@a.example"), NAMED("webhook", "h"))),
     "me@a.example", {WHOLE}, "webhook rule exact a.example/ + webhook h"},
    {"tag and field beside a forward",
     ZONE(RULE("", TO("me@a.example"),
               NAMED("tag", "t") ",{\"type\":\"add_field\",\"name\":\"X-A\","
               "\"value\":\"b\"}," FORWARD("\"a@ok.example\""))),
     "me@a.example", {WHOLE},
     "forward rule exact a.example/ a@ok.example + tag t + add-field X-A: b + "
     "forward a@ok.example"},
    {"continue: what follows is added",
     ZONE(RULE("", TO("me@a.example"), NAMED("tag", "t") "," GO_ON) ","
          RULE("", TO("me@a.example"), WORKER("w"))),
     "me@a.example", {WHOLE},
     "handler rule exact a.example/ w + tag t + handler w"},
    {"continue: nothing follows",
     ZONE(RULE("", TO("me@a.example"), NAMED("tag", "t") "," GO_ON)),
     "me@a.example", {WHOLE}, NO_ADDRESS},
    {"a refusal stands alone",
     ZONE(RULE("", TO("me@a.example"), FORWARD("\"a@ok.example\"") "," GO_ON)
          "," RULE("", TO("me@a.example"), REJECT)),
     "me@a.example", {WHOLE},
     "reject rule exact a.example/ 550 5.7.1 Rejected by the recipient's "
     "rules"},
    {"match all: rule and catch-all",
     SET("\"match\":\"all\"",
         RULE("", TO("me@a.example"), FORWARD("\"a@ok.example\"")),
         ",\"catch_all\":" RULE("", ALL, WORKER("all"))),
     "me@a.example", {WHOLE},
     "forward rule exact a.example/ a@ok.example + forward a@ok.example + "
     "handler all"},
    {"match all: stop",
     SET("\"match\":\"all\"",
         RULE("", TO("me@a.example"), FORWARD("\"a@ok.example\"") "," STOP),
         ",\"catch_all\":" RULE("", ALL, WORKER("all"))),
     "me@a.example", {WHOLE}, "forward rule exact a.example/ a@ok.example"},
    {"match all: a drop beside others says nothing",
     SET("\"match\":\"all\"", RULE("", TO("me@a.example"), DROP),
         ",\"catch_all\":" RULE("", ALL, WORKER("all"))),
     "me@a.example", {WHOLE},
     "handler rule catch-all a.example/ all + drop + handler all"},
    {"match all: a pattern counts once, whole or base",
     SET("\"match\":\"all\",\"support_subaddress\":true",
         RULE("", M("prefix", "to", "\"me\""), WORKER("w")), ""),
     "me+x@a.example", {WHOLE}, HOLDS},

    /* ---- Order ---- */
    {"order: a filter before a literal of a later priority",
     ZONE(RULE("", TO("me@a.example"), WORKER("literal")) ","
          RULE(PRIO(-1), M("contains", "from", "\"x\""), WORKER("filter"))),
     "me@a.example", {WHOLE, .sender = "x@b.example"},
     "handler rule pattern a.example/ filter"},
    {"order: of equal priority, that of the file",
     ZONE(RULE("", TO("me@a.example"), WORKER("literal")) ","
          RULE("", M("contains", "from", "\"x\""), WORKER("filter"))),
     "me@a.example", {WHOLE, .sender = "x@b.example"},
     "handler rule exact a.example/ literal"},

    /* ---- Templates ---- */
    {"template: local and domain",
     ZONE(RULE("", TO("*@a.example"), FORWARD("\"{local}@OK.example\""))),
     "me+x@a.example", {WHOLE},
     "forward rule catch-all a.example/ me+x@ok.example"},
    {"template: user, tag, sub",
     SET("\"support_subaddress\":true",
         RULE("", TO("*@*.a.example"),
              FORWARD("\"{tag}.{user}.{sub}@ok.example\"")), ""),
     "me+x@eu.a.example", {WHOLE},
     "forward rule catch-all a.example/ x.me.eu@ok.example"},
    {"template: captures",
     ZONE(RULE("", M("regex", "to", "\"^(\\\\w+)-(\\\\w+)@\""),
               FORWARD("\"{2}.{1}@ok.example\""))),
     "a-b@a.example", {WHOLE}, "forward rule pattern a.example/ b.a@ok.example"},
    {"template: not verified",
     ZONE(RULE("", TO("*@a.example"), FORWARD("\"{local}@no.example\""))),
     "me@a.example", {WHOLE},
     "reject not-verified catch-all a.example/ 550 5.2.1 Destination of this "
     "address is not verified"},
    {"template: no address comes of it",
     ZONE(RULE("", TO("*@a.example"), FORWARD("\"{tag}@ok.example\""))),
     "me@a.example", {WHOLE},
     "reject no-destination catch-all a.example/ 550 5.1.1 No destination can "
     "be made of this address"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct rules_facts facts = row->facts;
    struct onward_ruleset_facts table = rules_facts(&facts);
    struct onward_ruleset *rs;
    struct t_world w;
    char got[1024];

    t_world_init(&w);
    rs = rules_load(w.ctx, row->text);
    rules_decide(w.ctx, rs, row->to, &table, got, sizeof(got));
    assert_string_equal(got, row->want);
    onward_ruleset_free(rs);
    t_world_clear(&w);
}

/* ---- Faults ------------------------------------------------------------ */

static const struct fault_row {
    const char *name;
    const char *text;
    const char *path, *fault;
} faults[] = {
    {"capture that is not there",
     ZONE(RULE("", TO("me@a.example"), FORWARD("\"{1}@ok.example\""))),
     "zones[0].rules[0].actions[0].value[0]",
     "a capture that is not there, expected those of the rule's first glob or "
     "regex on to"},
    {"two addresses",
     ZONE(RULE("", TO("a@a.example") "," TO("b@a.example"), DROP)),
     "zones[0].rules[0].matchers[1]",
     "a second address, expected one, and conditions"},
    {"field without a name",
     ZONE(RULE("", M("contains", "header", "\"x\""), DROP)),
     "zones[0].rules[0].matchers[0]", "no key \"name\", expected a string"},
    {"matcher of another field",
     ZONE(RULE("", M("prefix", "size", "\"x\""), DROP)),
     "zones[0].rules[0].matchers[0].type",
     "a matcher that this field has not, expected another type or field"},
    {"bits behind the prefix",
     ZONE(RULE("", M("network", "client", "\"192.0.2.1/24\""), DROP)),
     "zones[0].rules[0].matchers[0].value",
     "bits behind the prefix, expected 0 for them"},
    {"prefix too long",
     ZONE(RULE("", M("network", "client", "\"192.0.2.0/33\""), DROP)),
     "zones[0].rules[0].matchers[0].value",
     "no length of a prefix, expected 0 to 32, for IPv6 to 128"},
    {"all inside of a condition", ZONE(RULE("", TREE("not", ALL), DROP)),
     "zones[0].rules[0].matchers[0].matchers[0].type",
     "the matcher all in a condition, expected it at the top, or none"},
    {"not of two",
     ZONE(RULE("", TREE("not", M("is", "tls", "true") ","
                               M("is", "tls", "true")), DROP)),
     "zones[0].rules[0].matchers[0].matchers",
     "not so many matchers, expected one"},
    {"nothing decided",
     ZONE(RULE("", TO("me@a.example"), NAMED("tag", "t"))),
     "zones[0].rules[0].actions",
     "actions that decide nothing, expected continue, or an action that does"},
    {"a trace field",
     ZONE(RULE("", TO("me@a.example"), "{\"type\":\"add_field\",\"name\":"
               "\"Received\",\"value\":\"x\"}," DROP)),
     "zones[0].rules[0].actions[0].name",
     "a field that rules cannot add, expected a name of letters, digits, - and "
     "_ that begins with X-"},
    {"a line break in a field",
     ZONE(RULE("", TO("me@a.example"), "{\"type\":\"add_field\",\"name\":"
               "\"X-A\",\"value\":\"x\\r\\nBcc: y\"}," DROP)),
     "zones[0].rules[0].actions[0].value",
     "text that no field can hold, expected 1 to 400 printable ASCII "
     "characters"},
    {"separator that is a letter",
     SET("\"subaddress_separators\":\"x\"", "", ""),
     "zones[0].settings.subaddress_separators",
     "a separator that is none, expected some of +-_.=#"},
    {"subdomain of another", SET("\"subdomains\":[\"b.example\"]", "", ""),
     "zones[0].settings.subdomains[0]",
     "a domain outside the zone, expected one below it"},
    {"unknown match mode", SET("\"match\":\"some\"", "", ""),
     "zones[0].settings.match", "unknown match mode, expected first or all"},
    {"score with an exponent",
     ZONE(RULE("", M("at_least", "score", "1e3"), DROP)),
     "zones[0].rules[0].matchers[0].value",
     "a number of another form, expected one like 5 or -0.125"},
};

static void test_fault(void **state)
{
    const struct fault_row *row = *state;
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    struct t_world w;

    t_world_init(&w);
    assert_int_equal(onward_ruleset_new(w.ctx, onward_str_of(row->text), NULL,
                                        &fault, &rs),
                     ONWARD_ESYNTAX);
    assert_string_equal(fault.path, row->path);
    assert_string_equal(fault.text, row->fault);
    assert_int_equal(fault.line, 1);
    assert_null(rs);
    t_world_clear(&w);
}

/* ---- Memory ------------------------------------------------------------ */

/* No memory is never another decision. */
static bool oom_scenario(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    struct rules_facts facts = row->facts;
    struct onward_ruleset_facts table = rules_facts(&facts);
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_ruleset_router *router = NULL;
    struct onward_mailbox *to = NULL;
    struct onward_ruleset *rs = NULL;
    int ret = onward_ruleset_new(w->ctx, onward_str_of(row->text), NULL, NULL,
                                 &rs);

    if (ret == 0)
        ret = onward_mailbox_parse(w->ctx, onward_str_of(row->to),
                                   ONWARD_MAILBOX_ALLOW_UTF8, &to);
    if (ret == 0)
        ret = onward_ruleset_router_new(w->ctx, &router);
    if (ret == 0)
        ret = onward_ruleset_route(rs, router, to, &table, NULL, &d);
    if (ret == 0)
        assert_true(strncmp(onward_ruleset_kind_name(d.kind), row->want,
                            strlen(onward_ruleset_kind_name(d.kind))) == 0);
    onward_ruleset_router_free(router);
    onward_mailbox_free(to);
    onward_ruleset_free(rs);
    if (ret == ONWARD_ENOMEM)
        return false;
    assert_int_equal(ret, 0);
    return true;
}

static void test_survives_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        t_oom_sweep(oom_scenario, (void *)&rows[i]);
}

/* ---- Groups ------------------------------------------------------------ */

static uint64_t group_of(struct onward_ctx *ctx, const struct onward_ruleset *rs,
                         const char *to)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_ruleset_router *router;
    struct onward_mailbox *mailbox;

    assert_int_equal(onward_ruleset_router_new(ctx, &router), 0);
    assert_int_equal(onward_mailbox_parse(ctx, onward_str_of(to), 0, &mailbox),
                     0);
    assert_int_equal(onward_ruleset_route(rs, router, mailbox, NULL, NULL, &d),
                     0);
    onward_mailbox_free(mailbox);
    onward_ruleset_router_free(router);
    return d.group;
}

static void test_groups_tell_templates_and_unknown_apart(void **state)
{
    static const char text[] = SET(
        "\"match\":\"all\"",
        RULE("", TO("*@a.example") "," M("at_least", "size", "9"), DROP) ","
        RULE("", TO("one@a.example"), WORKER("w")) ","
        RULE("", M("prefix", "to", "\"p\"") "," M("at_least", "size", "9"),
             WORKER("p")), "");
    static const char other[] =
        ZONE(RULE("", TO("*@a.example"), FORWARD("\"{local}@ok.example\"")));
    struct onward_ruleset *rs;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, text);
    assert_true(group_of(w.ctx, rs, "x@a.example") ==
                group_of(w.ctx, rs, "y@a.example"));
    assert_true(group_of(w.ctx, rs, "x@a.example") !=
                group_of(w.ctx, rs, "one@a.example"));
    assert_true(group_of(w.ctx, rs, "p1@a.example") !=
                group_of(w.ctx, rs, "p2@a.example"));
    onward_ruleset_free(rs);
    rs = rules_load(w.ctx, other);
    assert_true(group_of(w.ctx, rs, "x@a.example") !=
                group_of(w.ctx, rs, "y@a.example"));
    onward_ruleset_free(rs);
    t_world_clear(&w);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {
        cmocka_unit_test(test_survives_no_memory),
        cmocka_unit_test(test_groups_tell_templates_and_unknown_apart),
    };
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        FAULTS = sizeof(faults) / sizeof(faults[0])
    };
    struct CMUnitTest tests[ROWS + FAULTS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < FAULTS; i++)
        tests[ROWS + i] =
            (struct CMUnitTest){.name = faults[i].name,
                                .test_func = test_fault,
                                .initial_state = (void *)&faults[i]};
    return _cmocka_run_group_tests("rows", tests, ROWS + FAULTS, NULL, NULL) +
           cmocka_run_group_tests(singles, NULL, NULL);
}
