/* onward explain: why a message passed or failed, and what to change, in plain
 * words. */
#include <stdio.h>

#include "checking.h"
#include "cli.h"
#include "message.h"
#include "options.h"
#include "results.h"
#include "style.h"
#include "world.h"

struct advice {
    int reason;
    const char *text; /* whole sentences */
};

static const struct advice dkim_advice[] = {
    {ONWARD_DKIM_REASON_HEADER,
     "The message's header is damaged. Look at the program that made it."},
    {ONWARD_DKIM_REASON_SYNTAX,
     "The DKIM-Signature field cannot be read. Replace the signer, or what "
     "rewrites its field."},
    {ONWARD_DKIM_REASON_MISSING,
     "The DKIM-Signature field lacks a tag that must be there. Replace the "
     "signer."},
    {ONWARD_DKIM_REASON_VALUE,
     "A tag of the DKIM-Signature field has a bad value. Replace the signer, "
     "or what rewrites its field."},
    {ONWARD_DKIM_REASON_VERSION, "The signer should write v=1."},
    {ONWARD_DKIM_REASON_ALGORITHM,
     "Let the signer use rsa-sha256 or ed25519-sha256; rsa-sha1 counts "
     "nowhere any more."},
    {ONWARD_DKIM_REASON_DOMAIN,
     "d= and s= must be domain names. Correct the signer's settings."},
    {ONWARD_DKIM_REASON_IDENTITY,
     "i= must be in the domain d= or below it. Correct the signer's settings, "
     "or leave i= out."},
    {ONWARD_DKIM_REASON_FROM, "The signer must sign the From field."},
    {ONWARD_DKIM_REASON_QUERY, "The signer should leave q= out."},
    {ONWARD_DKIM_REASON_TIMES,
     "The signature expires before it was made. Correct the signer."},
    {ONWARD_DKIM_REASON_LIMIT,
     "There is more in it than is looked at. Let the signer sign less."},
    {ONWARD_DKIM_REASON_EXPIRED,
     "The signature was good up to the time in x=, which is past. Send "
     "faster, or let the signer give more time."},
    {ONWARD_DKIM_REASON_BODY_LENGTH,
     "l= says that more was signed than is there: the body was cut. Let the "
     "signer leave l= out, and look for what cuts messages."},
    {ONWARD_DKIM_REASON_KEY_UNREACHABLE,
     "DNS did not give the key. Try again; if it stays, the domain's name "
     "servers are the place to look."},
    {ONWARD_DKIM_REASON_KEY_NONE,
     "There is no key at the selector. Publish it, or sign with a selector "
     "that is published; never take a key away while mail is under way."},
    {ONWARD_DKIM_REASON_KEY_SYNTAX,
     "The key record is broken; `onward lint dkim` says where."},
    {ONWARD_DKIM_REASON_KEY_REVOKED,
     "The domain has withdrawn the key. Sign with one that is in use."},
    {ONWARD_DKIM_REASON_KEY_TYPE,
     "The key at the selector is of another type than the signature. One "
     "selector holds one key: correct the record or the signer."},
    {ONWARD_DKIM_REASON_KEY_HASH,
     "The key record forbids sha256. Take h= out of it."},
    {ONWARD_DKIM_REASON_KEY_SERVICE,
     "The key is not for email. Take s= out of its record."},
    {ONWARD_DKIM_REASON_KEY_IDENTITY,
     "The key has t=s, so that i= must be in d= itself. Take t=s out of the "
     "record, or leave i= out."},
    {ONWARD_DKIM_REASON_KEY_SIZE,
     "Nobody takes a key of that size. Make one of 2048 bits."},
    {ONWARD_DKIM_REASON_BODY_HASH,
     "The body was changed after it was signed: by a mailing list's footer, a "
     "scanner's note, or another encoding of the text. Sign after all that, "
     "or let who changes it seal with ARC."},
    {ONWARD_DKIM_REASON_SIGNATURE,
     "A signed field was changed, added or taken away after it was signed, or "
     "the published key is not the signer's. Mailing lists that mark the "
     "Subject do the first; compare the key for the second."},
    {ONWARD_DKIM_REASON_PARTIAL_BODY,
     "l= leaves a part of the body to anybody. Let the signer leave l= out."},
    {0, NULL},
};

static const struct advice spf_advice[] = {
    {ONWARD_SPF_REASON_MATCH, "The record of the domain says so. If that is "
                              "wrong, put the client's address into it."},
    {ONWARD_SPF_REASON_DEFAULT,
     "Nothing in the record matches. Let it end with \"-all\" or \"~all\"."},
    {ONWARD_SPF_REASON_NO_DOMAIN, "There is no domain that could be asked."},
    {ONWARD_SPF_REASON_NO_RECORD,
     "The domain has no SPF record. Publish one with the servers that send "
     "for it."},
    {ONWARD_SPF_REASON_MANY_RECORDS,
     "The domain has several SPF records, and so none counts. Make them one."},
    {ONWARD_SPF_REASON_SYNTAX,
     "The record is broken; `onward lint spf` says where."},
    {ONWARD_SPF_REASON_TERM_LIMIT,
     "The record and what it includes ask more than 10 times. Take includes "
     "away, or put addresses in their place."},
    {ONWARD_SPF_REASON_VOID_LIMIT,
     "Too many names in the record do not exist. Take them out."},
    {ONWARD_SPF_REASON_NAME_LIMIT,
     "A name in the record has more than 10 MX hosts. Name addresses "
     "instead."},
    {ONWARD_SPF_REASON_INCLUDE,
     "The record includes a domain without one. Take the include out."},
    {ONWARD_SPF_REASON_REDIRECT,
     "The record redirects to a domain without one. Correct redirect=."},
    {ONWARD_SPF_REASON_DNS,
     "DNS did not answer. Try again; if it stays, the domain's name servers "
     "are the place to look."},
    {ONWARD_SPF_REASON_TIMEOUT,
     "DNS took too long. Make the record ask for less."},
    {0, NULL},
};

static const struct advice dmarc_advice[] = {
    {ONWARD_DMARC_REASON_ALIGNED, "What passed is of the author's domain."},
    {ONWARD_DMARC_REASON_NOT_ALIGNED,
     "Nothing that is of the author's domain passed. Sign with d= of the "
     "domain in From, or send with its envelope sender."},
    {ONWARD_DMARC_REASON_NO_RECORD,
     "The author's domain asks for nothing. Publish a DMARC record to change "
     "that."},
    {ONWARD_DMARC_REASON_NO_POLICY,
     "The record says no policy that can be used; `onward lint dmarc` says "
     "where it goes wrong."},
    {ONWARD_DMARC_REASON_DNS, "DNS did not answer. Try again."},
    {ONWARD_DMARC_REASON_BAD_DOMAIN,
     "The domain in From is no name that could be asked."},
    {ONWARD_DMARC_REASON_TRUSTED_FORWARDER,
     "It fails, but a forwarder that is trusted says that it passed there."},
    {ONWARD_DMARC_REASON_NO_AUTHOR,
     "There is no From with an address. Write one."},
    {ONWARD_DMARC_REASON_MANY_AUTHORS,
     "There are several From fields, or authors of several domains. Write one "
     "author."},
    {ONWARD_DMARC_REASON_RANDOM,
     "The record says pct=, and this machine has no random numbers. Try "
     "again."},
    {0, NULL},
};

static const struct advice arc_advice[] = {
    {ONWARD_ARC_REASON_FAILED, "A forwarder found the chain broken already."},
    {ONWARD_ARC_REASON_MESSAGE,
     "The message was changed after the last forwarder sealed it. Whoever "
     "changes it must seal it again."},
    {ONWARD_ARC_REASON_SEAL,
     "A seal does not verify: a forwarder's fields were changed, or its key "
     "is not published."},
    {ONWARD_ARC_REASON_NONE, NULL},
};

/* Indented, folded at 78 columns. */
static void print_advice(const struct advice *list, int reason)
{
    const char *text = NULL;
    int column = 78;

    for (; list->text != NULL; list++) {
        if (list->reason == reason)
            text = list->text;
    }
    if (text == NULL)
        return;
    while (*text != '\0') {
        const char *end = text;

        while (*end != '\0' && *end != ' ')
            end++;
        if (column + 1 + (int)(end - text) > 78) {
            printf("%s   ", column == 78 ? "" : "\n");
            column = 3;
        }
        column += printf(" %.*s", (int)(end - text), text);
        text = *end == ' ' ? end + 1 : end;
    }
    putchar('\n');
}

static void explain_spf(const struct onward_verifier *v)
{
    static const struct {
        int identity;
        const char *name;
    } checks[] = {{ONWARD_SPF_MAIL_FROM, "the envelope sender"},
                  {ONWARD_SPF_HELO, "the client's name"}};
    size_t count = 0;

    for (size_t i = 0; i < 2; i++) {
        const struct onward_spf_check *check =
            onward_verifier_spf(v, checks[i].identity);

        if (check == NULL)
            continue;
        count++;
        printf("SPF of %s: ", checks[i].name);
        style_verdict(onward_spf_result_name(onward_spf_check_result(check)));
        putchar('\n');
        if (onward_spf_check_result(check) != ONWARD_SPF_PASS)
            print_advice(spf_advice, onward_spf_check_reason(check));
    }
    if (count == 0)
        puts("SPF: not checked\n    It needs the client's address: --ip, "
             "--helo and --mail-from.");
}

static void explain_dkim(const struct onward_verifier *v)
{
    size_t count = onward_verifier_dkim_count(v);

    if (count == 0)
        puts("DKIM: none\n    The message is not signed. Sign it where it "
             "leaves the author's domain.");
    for (size_t i = 0; i < count; i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_verifier_dkim(v, i, &s) != 0)
            continue;
        printf("DKIM of ");
        results_put(s.domain.len != 0 ? s.domain : ONWARD_STR("?"));
        printf(", selector ");
        results_put(s.selector.len != 0 ? s.selector : ONWARD_STR("?"));
        printf(": ");
        style_verdict(onward_dkim_result_name((int)s.result));
        if (s.detail.len != 0)
            printf(" (%.*s)", (int)s.detail.len, s.detail.data);
        putchar('\n');
        print_advice(dkim_advice, (int)s.reason);
        if (s.is_test)
            puts("    The key is published as a test: treat the mail as not "
                 "signed.");
        if (s.is_from_exposed)
            puts("    There is a From that it does not sign, so it counts for "
                 "no author.");
    }
}

static void explain_arc(const struct onward_verifier *v)
{
    struct onward_arc_verdict a = {.size = sizeof(a)};

    onward_verifier_arc(v, &a);
    printf("ARC: ");
    style_verdict(onward_arc_result_name((int)a.result));
    putchar('\n');
    print_advice(arc_advice, (int)a.reason);
}

static void explain_dmarc(const struct onward_verifier *v)
{
    const struct onward_dmarc_check *check = onward_verifier_dmarc(v);
    const char *policy;

    printf("DMARC of ");
    results_put(onward_verifier_author_domain(v).len != 0
                    ? onward_verifier_author_domain(v)
                    : ONWARD_STR("?"));
    printf(": ");
    style_verdict(onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    putchar('\n');
    print_advice(dmarc_advice, onward_verifier_dmarc_reason(v));
    if (check == NULL || onward_verifier_dmarc_result(v) != ONWARD_DMARC_FAIL)
        return;
    policy = onward_dmarc_policy_name(onward_dmarc_check_policy(check));
    printf("    The owner asks for: %s\n", policy);
}

static void explain(const struct onward_verifier *v)
{
    explain_spf(v);
    explain_dkim(v);
    explain_arc(v);
    explain_dmarc(v);
}

static int print_json(const struct command *command, struct onward_verifier *v)
{
    struct onward_str json = {0};
    int err = onward_verifier_explain(v, &json);

    if (err != 0)
        return cli_broken(command, "%s", onward_strerror(err));
    fwrite(json.data, 1, json.len, stdout);
    putchar('\n');
    return CLI_DONE;
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct world world;
    struct checking checking = {0};
    struct onward_verifier *v = NULL;
    struct message message;
    bool is_json = false, is_raw = false;
    const char *path, *fault = NULL;
    struct option options[] = {
        CHECKING_OPTIONS(&checking, false),
        WORLD_OPTIONS_DNS(&choice),
        WORLD_OPTION_TIME(&choice),
        {"json", OPTION_FLAG, &is_json, NULL,
         "print all steps as one JSON object", false, false},
        {"raw", OPTION_FLAG, &is_raw, NULL, "take it as it is, LF too", false,
         false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);
    int err;

    if (status >= 0)
        return status;
    if (args.count > 1)
        return cli_usage(command, "\"%s\", expected one message",
                         args.items[1]);
    path = args.count == 0 ? "-" : args.items[0];
    if (message_read(command, path, is_raw, &message, &fault) != 0)
        return cli_broken(command, "%s: %s, expected a readable message", path,
                          fault);
    status = world_new(command, &choice, &world);
    if (status < 0)
        status = checking_test(command, &world, &checking);
    if (status < 0) {
        err = checking_run(&world, &checking, message.wire, &v);
        status = CLI_DONE;
        if (err != 0)
            status = cli_broken(command, "%s: %s", path, onward_strerror(err));
        else if (is_json)
            status = print_json(command, v);
        else
            explain(v);
    }
    onward_verifier_free(v);
    message_clear(&message);
    world_clear(&world);
    return status;
}

const struct command command_explain = {
    .name = "explain",
    .operands = "[MESSAGE]",
    .summary = "Say why a message passes or fails, and what to change",
    .details = "",
    .examples = "onward explain --dns zone.txt signed.eml\n"
                "onward explain --ip 192.0.2.1 --helo mail.example.com "
                "--mail-from alice@example.com --dns zone.txt < message.eml\n"
                "onward explain --dns zone.txt --json signed.eml\n",
    .run = run,
};
