/* One message for the log. */
#include "filter_priv.h"

static const char *spf_of(const struct onward_verifier *v)
{
    const struct onward_spf_check *check =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);

    return check == NULL
               ? ""
               : onward_spf_result_name(onward_spf_check_result(check));
}

/* A signature that passes, or else the topmost. */
static const char *dkim_of(const struct onward_verifier *v)
{
    struct onward_dkim_signature sig = {.size = sizeof(sig)};
    size_t best = ONWARD_DKIM_PENDING;

    for (size_t i = 0; onward_verifier_dkim(v, i, &sig) == 0; i++) {
        if (i == 0 || sig.result == ONWARD_DKIM_PASS)
            best = sig.result;
    }
    return onward_dkim_result_name((int)best); /* "none" without any */
}

static void write_verdict(const struct onward_verifier *v, struct json *j)
{
    struct onward_arc_verdict arc = {.size = sizeof(arc)};

    json_text_or_null(j, "spf", spf_of(v));
    json_text(j, "dkim", dkim_of(v));
    json_text(j, "dmarc",
              onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    if (onward_verifier_arc(v, &arc) == 0)
        json_text(j, "arc", onward_arc_result_name((int)arc.result));
    json_str_or_null(j, "author", onward_verifier_author_domain(v));
}

static void write_decision(const struct filter *f, struct json *j)
{
    static const char *const words[] = {"accept", "reject", "tempfail"};
    const struct filter_decision *d = &f->decision;

    json_text(j, "decision", words[d->verdict]);
    if (d->verdict != FILTER_ACCEPT) {
        json_number(j, "code", d->reply.code);
        json_text(j, "reply", d->reply.text);
        return;
    }
    if (d->quarantine != NULL)
        json_text(j, "quarantine", d->quarantine);
    json_number(j, "cut", d->cut_count);
    if (f->is_ours) {
        json_text_or_null(j, "signed",
                          f->signed_by == NULL ? "" : f->signed_by);
        if (f->unsigned_why != NULL)
            json_text(j, "unsigned", f->unsigned_why);
    } else {
        json_bool(j, "sealed", f->is_sealed);
    }
    if (d->sender != NULL)
        json_text(j, "sender", d->sender);
}

void filter_log(const struct filter *f, struct json *j)
{
    json_text_or_null(j, "client", f->client);
    json_text(j, "from", f->mail_from);
    json_bool(j, "ours", f->is_ours);
    if (f->verifier != NULL && onward_verifier_is_done(f->verifier))
        write_verdict(f->verifier, j);
    if (f->is_decided)
        write_decision(f, j);
}
