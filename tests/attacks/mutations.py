#!/usr/bin/env python3
"""Does a test fail when its defence is gone?

    python3 tests/attacks/mutations.py [ID...]

Each row takes one defence out of a copy of lib/, builds one test of this
folder's README and wants it to fail. By hand, after tests or defences have
changed: some minutes, so no part of the ordinary tests. It needs the test
vectors (ONWARD_CONFORMANCE) and a compiler cache to be quick.

A row: the id of the attack; the file; the text that stands there once; what
takes its place; the test."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

ROWS = [
    # ---- Constructors without memory or random numbers
    ("A124", "verify/verifier.c",
     "        detach(v);\n        destroy(v);\n        return err;",
     "        return err;", "attacks_every_new"),
    ("A124", "egress/egress.c", "    err = read_opts(made);\n    if (err < 0) {",
     "    err = read_opts(made);\n    if (0) {", "attacks_every_new"),
    ("A124", "dsn/dsn.c", "    err = keep_opts(dsn);\n",
     "    keep_opts(dsn);\n", "attacks_every_new"),
    ("A124", "srs/srs.c",
     "    if (srs == NULL)\n        return ONWARD_ENOMEM;\n    srs->ctx",
     "    srs->ctx", "attacks_every_new"),
    ("A124", "smtp/client.c",
     "    err = load(c, opts, host);\n    if (err != 0) {\n"
     "        onward_smtp__client_destroy(c);\n",
     "    err = load(c, opts, host);\n    if (err != 0) {\n",
     "attacks_every_new"),
    ("A125", "core/ctx.c",
     "    if (ctx->random.fill(ctx->random.user, data, len) >= 0)\n",
     "    ctx->random.fill(ctx->random.user, data, len);\n    if (1)\n",
     "attacks_every_new"),
    ("A125", "ruleset/build.c",
     "err = onward_core__random(ctx, build->key, sizeof(build->key));",
     "onward_core__random(ctx, build->key, sizeof(build->key));",
     "attacks_every_new"),
    ("A125", "tlsrpt/collector.c",
     "int err = onward_core__random(c->ctx, octets, sizeof(octets));",
     "int err = onward_core__random(c->ctx, octets, sizeof(octets)) & 0;",
     "attacks_every_new"),
    ("A125", "dmarc/check.c", "    else if (c->is_draw_failed)",
     "    else if (0)", "dmarc_policy"),
    ("A125", "egress/servers.c",
     "        if (err != 0)\n            return err;\n        pick",
     "        pick", "egress_plan"),
    ("A125", "mime/edit_footer.c",
     "    int err = onward_core__random(e->ctx, random, sizeof(random));\n",
     "    int err = onward_core__random(e->ctx, random, sizeof(random)) & 0;\n",
     "mime_edit_body"),
    # ---- DANE
    ("A037", "dane/lookup.c",
     "return end_failed(l, ONWARD_DANE_REASON_RECORDS_BOGUS);",
     "return next_base(l);", "dane_lookup"),
    ("A037", "dane/lookup.c",
     "return end_failed(l, ONWARD_DANE_REASON_RECORDS_FAILED);",
     "return next_base(l);", "dane_lookup"),
    ("A037", "dane/lookup.c",
     "end_failed(l, ONWARD_DANE_REASON_INTERNAL);",
     "end_none(l, ONWARD_DANE_REASON_NO_RECORDS);", "dane_lookup"),
    ("A038", "dane/lookup.c", "        if (answer->is_secure)\n            return found(l);",
     "        return found(l);", "dane_lookup"),
    ("A038", "dane/lookup.c", "    if (!answer->is_secure)\n        return end_none",
     "    if (0)\n        return end_none", "dane_lookup"),
    ("A039", "tls/tlsa.c", "if (rdata.len < 4)", "if (rdata.len < 3)",
     "dane_record"),
    ("A039", "tls/tlsa.c", "return has_data(out) ? ONWARD_TLS__TLSA_OK : ONWARD_TLS__TLSA_DATA;",
     "return ONWARD_TLS__TLSA_OK;", "tls_dane"),
    ("A030", "dane/choose.c", "    if (lookup->origin == ONWARD_DANE_MX_INSECURE)\n        return;\n",
     "", "dane_lookup"),
    ("A030", "tls/dane.c",
     "return s->f->verified != NULL ? ONWARD_TLS_OK : ONWARD_TLS_NAME_MISMATCH;",
     "return ONWARD_TLS_OK;", "tls_dane"),
    ("A030", "tls/dane.c", "got = onward_tls__check_time(anchor, now_s);",
     "got = ONWARD_TLS_OK;", "tls_dane"),
    # ---- Notices
    ("A112", "relay/notice.c",
     "if (err == 0 && is_proven(r->verifier, mailbox.domain_ascii))",
     "if (err == 0)", "relay_notice"),
    ("A112", "relay/notice.c",
     "onward_core__domain_is_within(domain, sig.domain_ascii)", "1",
     "relay_notice"),
    ("A112", "relay/notice.c", "if (verdict == ONWARD_SRS_NONE)",
     "if (verdict != ONWARD_SRS_OK)", "relay_notice"),
    # ---- Forwarding
    ("A083", "handler/fields.c", "        !onward_mime__is_writable(value) ||\n",
     "", "handler_fields"),
    ("A083", "mime/write_field.c",
     "if ((c < ' ' && c != '\\t') || c == 0x7f)",
     "if (0)", "mime_builder"),
    ("A092", "handler/fields.c",
     "    if (!onward_mime__is_field_name(name))\n"
     "        return ONWARD_REFUSAL_FIELD_NAME;\n", "", "handler_fields"),
    ("A092", "mime/builder_parts.c",
     "            !onward_mime__is_writable(onward_params_text(type, i)))",
     "            0)", "mime_build_values"),
    ("A100", "relay/policy.c",
     "    return onward_verifier_dmarc_result(r->verifier) != ONWARD_DMARC_PASS &&",
     "    return 0 &&", "relay_policy"),
    ("A100", "relay/vouch.c",
     "    if (r->dkim == NULL ||\n", "    if (1 || r->dkim == NULL ||\n",
     "relay_policy"),
    ("A100", "relay/vouch.c",
     "    case ONWARD_DMARC_NONE:\n        return is_any_near(r, 2);",
     "    case ONWARD_DMARC_NONE:\n        return false;", "relay_policy"),
    ("A101", "relay/policy.c",
     "            ONWARD_DMARC_POLICY_REJECT ||\n", "            99 ||\n",
     "relay_policy"),
    ("A101", "relay/policy.c", "    if (author.len != 0 &&\n        (onward_",
     "    if (0 &&\n        (onward_", "relay_policy"),
    ("A102", "relay/event_act.c",
     "return word == 1 ? 1 : refuse(w, ONWARD_REFUSAL_NOT_VERIFIED, w->text);",
     "return 1;", "relay_event"),
    ("A102", "relay/event_act.c", "    if (word < 0)\n        return refuse(",
     "    if (0)\n        return refuse(", "relay_event"),
    ("A102", "ruleset/decide.c",
     "return (flags & ONWARD_RULESET__DESTINATION_VERIFIED) != 0;", "return 1;",
     "ruleset_route"),
    ("A102", "ruleset/decide.c", "    if (word != 0)\n        return word == 1;",
     "    if (word == 1)\n        return 1;", "ruleset_route"),
    ("A104", "relay/event_act.c",
     "e->forwards >= e->relay->opts.max_forwards", "0", "relay_event"),
    ("A104", "relay/event_send.c", "e->sends >= l->r->opts.max_sends", "0",
     "relay_event"),
    ("A104", "relay/event_act.c",
     "if (e->state != ONWARD_EVENT_OPEN || onward_relay__is_dead(e->relay))",
     "if (0)", "relay_event"),
    ("A104", "handler/fields.c",
     "if (is_one_of(name, trace) || starts_with_one_of(name, trace_starts))",
     "if (0)", "handler_fields"),
    ("A104", "handler/fields.c",
     "if (l->bytes + name.len + value.len + AROUND > l->opts.max_bytes)",
     "if (0)", "handler_fields"),
    ("A104", "handler/fields.c", "l->x_count >= l->opts.max_x_fields", "0",
     "handler_fields"),
    ("A104", "handler/fields.c", "if (value.len > l->opts.value_bytes)",
     "if (0)", "handler_fields"),
    ("A105", "relay/edit.c",
     "        if (ret == 1)\n            (void)onward_edit_cut(r->edit, i);",
     "        (void)onward_edit_cut(r->edit, i);", "relay_message"),
    ("A105", "relay/edit.c",
     "if (names(value, r->opts.hostname) || names(value, r->opts.authserv_id))",
     "if (1)", "relay_message"),
    ("A110", "relay/policy.c",
     "    if (onward_header_count_named(h, ONWARD_STR(\"Received\")) >",
     "    if (0 && onward_header_count_named(h, ONWARD_STR(\"Received\")) >",
     "relay_policy"),
    ("A110", "relay/policy.c",
     "    if (ret == 1)\n        return refuse(r, ONWARD_RELAY_REASON_LOOP",
     "    if (0)\n        return refuse(r, ONWARD_RELAY_REASON_LOOP",
     "relay_policy"),
    ("A110", "relay/event_act.c",
     "return is_loop ? refuse(w, ONWARD_REFUSAL_LOOP, w->text) : 1;",
     "return 1;", "relay_event"),
    ("A110", "relay/expand.c", "    if (is_above(above, address))\n",
     "    if (0)\n", "relay_expand"),
    ("A110", "relay/expand.c",
     "if (depth >= x->r->opts.max_expansion || ", "if (", "relay_expand"),
    ("A111", "handler/reply.c", "    if (is_bulk(h))\n", "    if (0)\n",
     "handler_reply"),
    ("A111", "handler/reply.c", "    if (is_from_list(h))\n", "    if (0)\n",
     "handler_reply"),
    ("A111", "handler/reply.c",
     "onward_dsn_is_automatic(NULL, c->q.original_from) == 1", "0",
     "handler_reply"),
    ("A111", "handler/reply.c",
     "has_other_word(h, ONWARD_STR(\"Auto-Submitted\"), ONWARD_STR(\"no\"))",
     "0", "handler_reply"),
    ("A111", "dsn/wanted.c", "    if (is_automatic_sender(reverse_path))\n",
     "    if (0)\n", "dsn_write"),
    ("A111", "dsn/wanted.c",
     "    if (onward_core__str_istarts(name, ONWARD_STR(\"List-\")))\n",
     "    if (0)\n", "dsn_write"),
    ("A113", "handler/reply.c", "    if (c->q.original_from.len == 0)\n",
     "    if (0)\n", "handler_reply"),
    ("A113", "handler/reply.c", "    if (c->q.dmarc_result != ONWARD_DMARC_PASS)\n",
     "    if (0)\n", "handler_reply"),
    ("A113", "handler/reply.c",
     "    if (ret == 0)\n        return refuse(c, ONWARD_REFUSAL_REPLY_RECIPIENT",
     "    if (0)\n        return refuse(c, ONWARD_REFUSAL_REPLY_RECIPIENT",
     "handler_reply"),
    ("A113", "handler/reply.c",
     "onward_core__limit(c->q.max_references, MAX_REFERENCES))", "SIZE_MAX)",
     "handler_reply"),
    ("A113", "handler/reply.c", "    if (!onward_core__str_eq(id, c->id))\n",
     "    if (0)\n", "handler_reply"),
    ("A113", "relay/event_send.c", "        if (word == 1)\n            return",
     "        if (0)\n            return", "relay_event"),
    ("A113", "relay/submit.c",
     "s->query.is_done ? ONWARD_RELAY__READY : ONWARD_RELAY__LOOK;",
     "ONWARD_RELAY__READY;", "relay_event"),
    ("A113", "relay/submit.c",
     "if (status == 0 && !onward_relay__is_claim(s->query.value))",
     "if (status == 0)", "relay_event"),
    ("A113", "relay/submit.c",
     "is_claimed(s) ? ONWARD_RELAY__RECORD : ONWARD_RELAY__SUBMITTED;",
     "ONWARD_RELAY__SUBMITTED;", "relay_event"),
    ("A114", "dsn/write.c", "    onward_dsn__add_clean(&clean, value);",
     "    onward_core__buf_add_str(&clean, value);", "dsn_write"),
    ("A114", "dsn/write.c", "        onward_dsn__add_clean(out, address);",
     "        onward_core__buf_add_str(out, address);", "dsn_write"),
    ("A114", "dsn/original.c", " && source->len <= max &&", " &&",
     "dsn_write"),
    ("A114", "dsn/original.c", "            c = '?';", "            ;",
     "dsn_write"),
    # ---- Rewritten senders, tokens, patterns
    ("A106", "relay/route.c", "if (q->relay->reverse_path.len != 0)",
     "if (0)", "relay_kept"),
    ("A107", "srs/tag.c", "if (given.len < srs->opts.hash_min || ",
     "if (", "srs"),
    ("A107", "srs/tag.c", "        fits |= fits_one(srs, &srs->secrets[i], ONWARD_SRS_SHA256, got,",
     "        fits |= i == 0; fits |= fits_one(srs, &srs->secrets[i], ONWARD_SRS_SHA256, got,",
     "relay_kept"),
    ("A107", "token/token.c", "    if (!is_signed(minter, &opts, raw, len))\n        return 0;\n",
     "", "token_token"),
    ("A107", "token/letters.c", "return count < bits && held == 0;", "return true;",
     "token_token"),
    ("A107", "token/token.c", "onward_core__str(lengths[1], 8), opts->purpose,",
     "onward_core__str(\"\", 0), opts->purpose,", "token_token"),
    ("A108", "srs/rewrite.c", "    if (age_days > srs->opts.max_age_days)\n        return ONWARD_SRS_EXPIRED;\n",
     "", "srs"),
    ("A108", "srs/tag.c", "if (stamp.len != ONWARD_SRS__STAMP_LEN)",
     "if (stamp.len < ONWARD_SRS__STAMP_LEN)", "srs"),
    ("A109", "srs/tag.c", "const bool is_sha1 = hash == ONWARD_SRS_SHA1;\n    struct",
     "const bool is_sha1 = true;\n    struct", "srs"),
    ("A115", "ruleset/pattern_run.c", "        if (m->met[at] == place + 1)\n            return;\n",
     "        if (m->met[at] == place + 1 && m->p.insts[at * 4] != 2)\n            return;\n",
     "ruleset_pattern_growth"),
    ("A115", "ruleset/pattern_run.c", "        if (at >= m->p.inst_count) {",
     "        if (at > 65535) {", "ruleset_pattern"),
    ("A115", "ruleset/pattern_run.c", "    if (number >= m->p.class_count) {",
     "    if (number > 65535) {", "ruleset_pattern"),
    # ---- Egress
    ("A027", "egress/attempts.c",
     "        level_of(attempt) == ONWARD_TLS_OPPORTUNISTIC) {",
     "        level_of(attempt) != ONWARD_TLS_NONE) {", "egress_outcomes"),
    ("A030", "egress/attempts.c",
     "    return target->name.text;\n}\n\nstatic void make_demand",
     "    return server->name.text;\n}\n\nstatic void make_demand",
     "egress_outcomes"),
    ("A030", "egress/attempts.c",
     "            demand->pkix_name_count = 1;\n", "", "egress_outcomes"),
    ("A030", "tls/verify.c", "got == ONWARD_TLS_OK && f->pkix_count > 0",
     "0", "tls_dane"),
    ("A031", "egress/policy.c", "    case ONWARD_MTASTS_REASON_STORE:\n", "",
     "egress_outcomes"),
    ("A035", "egress/policy.c",
     "        refuse(j, ONWARD_EGRESS_USE_NOT_IN_POLICY);", "        (void)0;",
     "egress_policy"),
    ("A037", "egress/policy.c",
     "        refuse(j, ONWARD_EGRESS_USE_DANE_FAILED);", "        (void)0;",
     "egress_policy"),
    ("A038", "egress/targets.c",
     "mx->is_secure ? ONWARD_DANE_MX_SECURE : ONWARD_DANE_MX_INSECURE;",
     "ONWARD_DANE_MX_SECURE;", "egress_outcomes"),
    ("A036", "egress/addresses.c",
     "    return plan->host.allow_address(plan->host.user, ip) == 1;",
     "    return true;", "egress_plan"),
    # ---- DNS
    ("A040", "dns/name.c", "target >= from || ", "", "dns_wire"),
    ("A040", "dns/name.c", " ||\n            ONWARD_DNS_NAME_MAX - out < label + 1",
     "", "dns_wire"),
    ("A040", "dns/wire.c", "if (w->len - w->at < rdata_len)", "if (0)",
     "dns_wire"),
    ("A040", "dns/wire.c", "if (at > end || end - at != suffix)",
     "if (at > end)", "dns_wire"),
    ("A041", "dns/wire.c", " || (p[2] & 0x02) != 0", "", "dns_wire"),
    ("A041", "dns/wire.c", "if (len > ONWARD_DNS_REPLY_MAX)", "if (0)",
     "dns_wire"),
    ("A041", "dns/answer.c", "onward_core__buf_add(data, rdata + at + 1, rdata[at]);",
     "onward_core__buf_add(data, rdata + at + 1, rdata[at]),\n"
     "            onward_core__buf_add(data, \" \", 1);", "dns_wire"),
    ("A042", "spf/check.c", "c->phase == PHASE_DONE && !c->guard.is_dead",
     "c->phase == PHASE_DONE", "attacks_verdicts"),
    ("A042", "verify/verifier.c", "if (v->is_done || !v->is_finished)",
     "if (!v->is_finished)", "verify_order"),
    ("A043", "spf/check.c", "now_ms >= c->deadline_ms", "0", "spf_check"),
    ("A043", "verify/verifier.c", "now_ms >= v->deadline_ms", "0",
     "attacks_verdicts"),
    # ---- MTA-STS
    ("A031", "mtasts/lookup.c", "if (l->kept == NULL && !is_announced)",
     "if (!is_announced)\n        onward_mtasts__kept_free(l->kept), "
     "l->kept = NULL;\n    if (l->kept == NULL && !is_announced)",
     "mtasts_lookup"),
    ("A031", "mtasts/lookup.c", "    } else {\n        v->http_status =",
     "    } else {\n        onward_mtasts__kept_free(lookup->kept);\n"
     "        lookup->kept = NULL;\n        v->http_status =", "mtasts_lookup"),
    ("A031", "mtasts/state.c",
     "if (onward_mtasts__kept_expires_s(made) <= now_s)", "if (0)",
     "mtasts_state"),
    ("A032", "mtasts/http.c", "} else if (h->status != 200) {",
     "} else if (h->status >= 400) {", "mtasts_http"),
    ("A032", "mtasts/http.c", "} else if (h->is_encoded) {",
     "} else if (0) {", "mtasts_http"),
    ("A032", "mtasts/http.c", "} else if (!h->is_text) {", "} else if (0) {",
     "mtasts_fetch"),
    ("A032", "mtasts/http.c", "if (is_clean && h->state", "if (h->state",
     "mtasts_fetch"),
    ("A032", "mtasts/http.c", "if (n > h->head_left || ", "if (", "mtasts_http"),
    ("A032", "mtasts/job.c", "now_ms >= job->deadline_ms", "0",
     "mtasts_fetch"),
    ("A032", "mtasts/fetch.c", "if (r->status != 200)", "if (0)",
     "mtasts_lookup"),
    ("A033", "mtasts/policy.c",
     "return s.len <= ONWARD_DOMAIN_MAX && onward_core__domain_is_hostname(s);",
     "return s.len <= ONWARD_DOMAIN_MAX;", "mtasts_text"),
    ("A034", "mtasts/fetch.c", ".level = ONWARD_TLS_VERIFIED",
     ".level = ONWARD_TLS_ENCRYPTED", "mtasts_fetch"),
    ("A034", "mtasts/fetch.c", ".names = &f->job->host",
     ".names = &f->job->domain", "mtasts_fetch"),
    ("A036", "mtasts/job.c", "if (!allows(job, &ip))",
     "if (!allows(job, &ip) && 0)", "mtasts_lookup"),
    # ---- SPF
    ("A044", "spf/check.c",
     "static bool count_term(struct onward_spf_check *c)\n{\n"
     "    if (c->lookups >= c->max_terms)",
     "static bool count_term(struct onward_spf_check *c)\n{\n"
     "    if (c->lookups > c->max_terms)", "spf_check"),
    ("A045", "spf/check.c",
     "    if (!count_term(c))\n        return false;\n"
     "    if (onward_spf__target(c, frame->domain,",
     "    if (onward_spf__target(c, frame->domain,", "spf_check"),
    ("A046", "spf/check.c", "c->void_lookups > c->max_void",
     "c->void_lookups > c->max_void && c->frame->parent == NULL", "spf_check"),
    ("A046", "spf/check.c", "c->void_lookups > c->max_void",
     "c->void_lookups > c->max_void + 1", "spf_check"),
    ("A047", "spf/macro.c", "(unsigned char)hex[c >> 4]",
     "(unsigned char)hex[c >> 4 & 7]", "spf_check"),
    ("A047", "spf/macro.c", "skip = parts - t->keep;",
     "skip = parts - t->keep - 1;", "spf_conformance"),
    ("A048", "spf/check.c", "text.data[i] >= 0x20 && text.data[i] < 0x7f",
     "text.data[i] < 0x7f", "spf_check"),
    ("A048", "spf/check.c", "EXPLANATION_MAX = 500", "EXPLANATION_MAX = 5000",
     "spf_check"),
    ("A049", "spf/record.c",
     "return text.len == VERSION_LEN || text.data[VERSION_LEN] == ' ';",
     "return true;", "spf_check"),
    ("A049", "spf/lookup.c", "if (found != 1)", "if (found == 0)",
     "spf_check"),
    ("A050", "verify/dmarc.c",
     "    const struct onward_spf_check *spf = v->spf_mail_from;\n",
     "    const struct onward_spf_check *spf = v->spf_helo;\n",
     "attacks_verdicts"),
    ("A051", "spf/check.c",
     "    case POLICY_FAILED:\n"
     "        return ended(c, ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_DNS);",
     "    case POLICY_FAILED:\n        return no_record(c);", "spf_check"),
    ("A051", "dkim/check.c",
     "decide(check, ONWARD_DKIM_TEMPERROR, ONWARD_DKIM_REASON_KEY_UNREACHABLE,\n"
     "               \"key cannot be looked up\");",
     "decide(check, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_KEY_NONE, \"\");",
     "dkim_verify"),
    ("A051", "dmarc/walk.c", "return WALK_FAILED;", "continue;",
     "dmarc_check"),
    ("A051", "dmarc/check.c", "else if (c->is_unknown_aligned)", "else if (0)",
     "dmarc_check"),
    ("A051", "arc/validate.c",
     "check->sig.verdict.result == ONWARD_DKIM_TEMPERROR", "0",
     "arc_validate"),
    # ---- DKIM
    ("A052", "dkim/signature.c",
     "if (p->sig->kind == ONWARD_DKIM__DKIM && !has_from)", "if (0)",
     "dkim_verify"),
    ("A052", "dkim/signature.c",
     "if (!onward_core__str_eq(value_of(p, \"v\"), ONWARD_STR(\"1\")))",
     "if (0)", "dkim_verify"),
    ("A052", "dkim/signature.c", "need(p, \"h\", \"h= is missing\");", "",
     "dkim_verify"),
    ("A053", "dkim/signature.c",
     "if (!onward_core__domain_is_dns_name(s, min_labels))", "if (0)",
     "dkim_verify"),
    ("A054", "dkim/describe.c", "if (there[i] <= counts[i])",
     "if (there[i] <= counts[i] + 1)", "dkim_verify"),
    ("A054", "dkim/describe.c", "facts->is_from_exposed = true;", ";",
     "dkim_facts"),
    ("A055", "dkim/check.c",
     "check->unsigned_octets > 0 && !policy->allow_partial_body", "0",
     "dkim_facts"),
    ("A055", "dkim/check.c", "sig->has_limit && sig->limit > octets", "0",
     "dkim_facts"),
    ("A056", "dkim/signature.c",
     "refuse(p, ONWARD_DKIM_REASON_ALGORITHM, \"rsa-sha1 must not be used\");",
     "p->sig->algorithm = ONWARD_KEY_RSA;", "dkim_verify"),
    ("A056", "key/pubkey.c", "if (bits < ONWARD_KEY_RSA_BITS_MIN || "
     "bits > ONWARD_KEY_RSA_BITS_MAX)", "if (0)", "dkim_keyrecord"),
    ("A057", "dkim/signature.c", "!is_signature_len(p->sig->algorithm, p->sig->b.len)",
     "0", "dkim_verify"),
    ("A057", "dkim/signature.c", "hash.len != ONWARD_DKIM__HASH_SIZE", "0",
     "dkim_verify"),
    ("A058", "dkim/verify.c", "size_t count = all < max ? all : max;",
     "size_t count = max == 0 ? 0 : all;", "dkim_verify"),
    ("A059", "dkim/signature.c", "if (++count > p->policy->max_signed_fields)",
     "if (0)", "dkim_verify"),
    ("A060", "dkim/canon.c",
     "        if (is_header_blank(*p)) {\n            r->has_wsp = true;",
     "        if (is_header_blank(*p)) {\n"
     "            for (volatile size_t n = (size_t)(end - p); n > 0;)\n"
     "                n = n - 1;\n            r->has_wsp = true;",
     "attacks_limits"),
    ("A061", "dkim/canon.c", "b->has_wsp = false; /* WSP at the end",
     "/* WSP at the end", "dkim_canon"),
    ("A061", "dkim/canon.c", "if (is_last && end > from && end[-1] == '\\r')",
     "if (0)", "dkim_canon"),
    ("A062", "dkim/signature.c", "if (onward_header_is_malformed(header))",
     "if (0)", "dkim_verify"),
    ("A063", "dkim/describe.c",
     "sha256_update(&sha, b.len, (const uint8_t *)b.data);",
     "sha256_update(&sha, 1, (const uint8_t *)b.data);", "dkim_verify"),
    ("A063", "dkim/describe.c", "v->policy.now_s - sig->time_s : 0",
     "v->policy.now_s : 0", "dkim_verify"),
    ("A064", "dkim/write.c", "if (from > 1)", "if (0)", "dkim_sign"),
    ("A064", "dkim/write.c", "if (from == 0)", "if (0)", "dkim_sign"),
    ("A064", "dkim/write.c", "if (onward_header_is_malformed(header))",
     "if (0)", "dkim_sign"),
    ("A064", "dkim/write.c", "return is_bare ? ", "return 0 ? ", "dkim_sign"),
    ("A065", "dkim/listing.c", "{\"reply-to\", ONCE_MORE}",
     "{\"reply-to\", IF_THERE}", "dkim_sign"),
    ("A065", "dkim/listing.c", "{\"message-id\", IF_ONCE_MORE}",
     "{\"message-id\", IF_THERE}", "dkim_sign"),
    ("A066", "relay/edit.c",
     "        err = add(r, \"Authentication-Results\",",
     "        err = add(r, \"DKIM-Signature\", ONWARD_STR(\"v=1\"));\n"
     "    if (err == 0)\n"
     "        err = add(r, \"Authentication-Results\",", "relay_message"),
    ("A066", "relay/seal.c",
     "o.body_hash = onward_verifier_body_hash(relay->verifier);",
     "o.body_hash = onward_verifier_body_hash(relay->verifier);\n"
     "    o.domain = onward_verifier_author_domain(relay->verifier);",
     "relay_product"),
    # ---- ARC
    ("A067", "dkim/signature.c", "s.data[0] == '0' ||\n        ", "",
     "arc_validate"),
    ("A067", "dkim/signature.c", "value > 50", "value > 99", "arc_validate"),
    ("A067", "arc/chain.c",
     "        refuse(chain, ONWARD_ARC_REASON_DUPLICATE, check->sig.instance,\n"
     "               \"a set has a signature twice\");", "        ;",
     "arc_validate"),
    ("A067", "arc/chain.c",
     "        refuse(chain, ONWARD_ARC_REASON_DUPLICATE, instance,\n"
     "               \"a set has its results twice\");", "", "arc_validate"),
    ("A068", "verify/dmarc.c", "if (!is_listed)", "if (0)", "verify"),
    ("A068", "verify/dmarc.c",
     " &&\n            from.len != 0 && onward_core__str_ieq(from, v->author_domain)",
     "", "verify"),
    ("A069", "verify/results.c",
     "opts->results = results_of(onward_core__buf_str(&verifier->authres));",
     "opts->results = ONWARD_STR(\"spf=pass\");", "relay_product"),
    # ---- DMARC
    ("A070", "verify/author.c",
     "if (onward_header_count_named(h, ONWARD_STR(\"From\")) > 1)", "if (0)",
     "verify"),
    ("A070", "verify/dmarc.c",
     "    if (verifier->author_result != ONWARD_DMARC_PERMERROR ||\n"
     "        verifier->allow_no_author)",
     "    if (verifier->author_result != ONWARD_DMARC_PENDING)", "verify"),
    ("A071", "mime/header.c",
     "    if (onward_ascii_is_wsp((unsigned char)line.data[0]))\n"
     "        return note(", "    if (0)\n        return note(",
     "mime_header"),
    ("A071", "mime/header.c", "if (!onward_mime__is_field_name(name))",
     "if (0)", "mime_header"),
    ("A071", "mime/header.c",
     "        name.len--;\n    if (name.len == 0)",
     "        break;\n    if (name.len == 0)", "verify"),
    ("A072", "verify/author.c",
     "    if (item == ONWARD_HEADER_NONE)\n"
     "        return no_author(v, ONWARD_DMARC_REASON_NO_AUTHOR);",
     "    if (item == ONWARD_HEADER_NONE)\n"
     "        item = onward_header_first(h, ONWARD_STR(\"Sender\"));\n"
     "    if (item == ONWARD_HEADER_NONE)\n"
     "        return no_author(v, ONWARD_DMARC_REASON_NO_AUTHOR);", "verify"),
    ("A073", "verify/author.c", "        return false;\n"
     "    authors->domains[", "        return true;\n    authors->domains[",
     "verify_policy"),
    ("A073", "verify/dmarc.c", "strictness(v->dmarcs[i]) > strictness(v->dmarc)",
     "strictness(v->dmarcs[i]) < strictness(v->dmarc)", "verify_policy"),
    ("A074", "address/list.c", "if (peek(c) != '>')", "if (0)",
     "address_list"),
    ("A074", "address/list.c",
     "return onward_address__syntax(&p->c, \"text behind an address\");",
     "return 0;", "address_list"),
    ("A075", "dmarc/walk.c", "return found == 1;", "return found != 0;",
     "dmarc_conformance"),
    ("A075", "dmarc/record.c", "if ((seen & 1u << tag) != 0)", "if (0)",
     "dmarc_conformance"),
    ("A075", "dmarc/record.c",
     "onward_core__str_eq(value, ONWARD_STR(\"DMARC1\"))",
     "onward_core__str_ieq(value, ONWARD_STR(\"DMARC1\"))",
     "dmarc_conformance"),
    ("A076", "dmarc/destination.c",
     "!onward_core__str_ieq(host_of(uri), host_of(d->uri))", "0",
     "dmarc_destination"),
    ("A076", "dmarc/destination.c",
     "enum onward_dmarc_consent consent = ONWARD_DMARC_CONSENT_NONE;",
     "enum onward_dmarc_consent consent = ONWARD_DMARC_CONSENT_GIVEN;",
     "dmarc_destination"),
    ("A076", "dmarc/record.c", "item.data[i] > 0x20 && item.data[i] < 0x7f",
     "item.data[i] != 0", "dmarc_destination"),
    ("A077", "relay/edit.c",
     "    for (; i != ONWARD_HEADER_NONE; i = h->items[i].below) {\n"
     "        int ret", "    for (; i != ONWARD_HEADER_NONE; "
     "i = ONWARD_HEADER_NONE) {\n        int ret", "relay_message"),
    ("A077", "authres/claims.c",
     "onward_core__str_ieq(claimed, own)", "onward_core__str_eq(found, own)",
     "authres_claims"),
    ("A077", "relay/edit.c",
     "        cut_received_spf(r);", "        (void)cut_received_spf;",
     "relay_message"),
    ("A078", "authres/parse.c", "if (p->items_left == 0)", "if (0)",
     "authres_parse"),
    ("A079", "authres/build.c",
     "if (is_token(value) || (allow_address && is_plain_address(value)))",
     "if (value.len != 0)", "authres_build"),
    ("A079", "authres/build.c", "return c >= 0x20 && c != 0x7f;",
     "return c != 0;", "authres_build"),
    # ---- MIME
    ("A082", "mime/words.c", "if ((unsigned char)rest.data[text] <= ' ')",
     "if (0)", "mime_conformance"),
    ("A086", "mime/part.c", "    if (below == ONWARD_HEADER_NONE)\n"
     "        return 0;\n    return anomaly(",
     "    if (below != ONWARD_HEADER_NONE)\n"
     "        return 0;\n    return anomaly(", "mime_parser"),
    ("A087", "mime/parser.c", "if (rest != 0 && rest != 2)", "if (0)",
     "mime_parser"),
    ("A087", "mime/parser.c", " || memcmp(line.data, \"--\", 2) != 0", "",
     "mime_parser"),
    ("A087", "mime/parser.c", "if (has_lf && !allows_lf(p))", "if (0)",
     "mime_parser"),
    ("A088", "mime/part.c",
     "    if (part->depth >= x->p->opts.max_depth)\n"
     "        return anomaly(x, ONWARD_MIME_DEPTH_LIMIT, offset, 0);\n"
     "    if (part->encoding == ONWARD_ENCODING_BASE64 ||",
     "    if (part->encoding == ONWARD_ENCODING_BASE64 ||", "mime_tree"),
    ("A088", "mime/parser.c",
     "p->is_all_body = p->parts >= p->opts.max_parts;",
     "p->is_all_body = false;", "mime_tree"),
    ("A088", "mime/emit.c", "p->header.max_bytes = most < left ? most : left;",
     "p->header.max_bytes = most;", "mime_tree"),
    ("A089", "mime/decode.c", "    if (d->state == B64_ENDED) {",
     "    if (0) {", "mime_text"),
    ("A089", "mime/decode.c", "d->damage |= ONWARD_DAMAGE_QP_CUT;", ";",
     "mime_text"),
    ("A090", "mime/params.c",
     "if (r->found_count == ONWARD_MIME__PARAMS_MAX) {",
     "if (r->found_count == ONWARD_MIME__PARAMS_MAX - 1) {", "mime_text"),
    ("A090", "mime/params.c", "if (group[next]->section == want)", "if (1)",
     "mime_text"),
    ("A091", "mime/flowed.c", "add_fit(&out, leaf_of(name));",
     "add_fit(&out, name);", "mime_text"),
    ("A091", "mime/flowed.c", "    fit = trim_ends(onward_core__buf_str(&out));",
     "    fit = onward_core__buf_str(&out);", "mime_text"),
    # ---- Text, tables
    ("A084", "core/text.c",
     "return u8_check((const uint8_t *)s.data, s.len) == NULL;",
     "return true;", "core_text"),
    ("A085", "core/ctx.c",
     "        onward_core__random(&loaded, loaded.hash_key, "
     "sizeof(loaded.hash_key));",
     "        0;", "core_table"),
    # ---- SMTP server
    ("A001", "smtp/server_message.c",
     "        server_message_doom(s, SERVER_DOOM_BARE);",
     "        (void)s;", "smtp_server_dialogue"),
    ("A006", "smtp/server_bdat.c",
     "if (s->txn->params.body != ONWARD_SMTP_BODY_BINARYMIME)",
     "if (s->txn->params.body == ONWARD_SMTP_BODY_BINARYMIME)",
     "smtp_server_bdat"),
    ("A007", "smtp/server_bdat.c",
     "    if (!server_is_over(s) && chunk->left == 0)\n        chunk_done(s);",
     "    if (!server_is_over(s) && (chunk->left == 0 || data[n - 1] == '\\n'))\n"
     "        chunk_done(s);", "smtp_server_bdat"),
    ("A008", "smtp/server_bdat.c", "size / 2 > s->limits.message_bytes", "0",
     "smtp_server_bdat"),
    ("A009", "smtp/server_message.c",
     "    if (server_txn(s)->is_open && !server_is_over(s))\n"
     "        finish(s, reply, false);", "", "smtp_server_bdat"),
    ("A010", "smtp/server_engine.c",
     "    (void)kind;\n    server_end(s, ONWARD_ECANCELED);", "    (void)kind;",
     "smtp_server_message"),
    ("A014", "smtp/server_line.c", "        return longest;",
     "        return longest + 1;", "smtp_server_pace"),
    ("A015", "smtp/server_line.c", "if (c < ' ' || c == 0x7f)",
     "if (c == 0x7f)", "smtp_server_dialogue"),
    ("A016", "smtp/server_dsn.c", "if (c < ' ' || c > '~')", "if (c > 255)",
     "smtp_server_params"),
    ("A016", "smtp/server_dsn.c", "c < ' ' || (c >= 0x7f && c < 0xa0) ||",
     "c == 0 ||", "smtp_server_params"),
    ("A020", "smtp/server_engine.c", "? s->chunk->size - s->chunk->left",
     "? UINT32_MAX", "smtp_server_message"),
    ("A020", "smtp/server_bdat.c", "++s->junk_count > s->limits.junk", "0",
     "smtp_server_message"),
    ("A022", "smtp/server_xclient.c", "if ((s->flags & flag) == 0)",
     "if (flag == 0)", "smtp_server_proxy"),
    ("A022", "smtp/server_proxy.c",
     "        s->flags &= ~(size_t)SERVER_TRUST_FLAGS;", "",
     "smtp_server_proxy"),
    ("A022", "smtp/server_xclient.c", "else if (!server_is_helo_name(value))",
     "else if (value.len == 0)", "smtp_server_proxy"),
    ("A022", "smtp/proxy.c", "(needed == SIZE_MAX || rest < needed)",
     "needed == SIZE_MAX", "smtp_server_proxy"),
    ("A023", "smtp/server_message.c",
     "    if (size > limit)\n        server_message_doom(s, SERVER_DOOM_SIZE);",
     "", "smtp_server_host"),
    ("A025", "smtp/server_xclient.c", "    server_forget(s);\n", "",
     "smtp_server_proxy"),
]


def run(argv, **kwargs):
    return subprocess.run([str(a) for a in argv], capture_output=True,
                          text=True, errors="replace", **kwargs)


def copy_tree(place):
    for name in ("meson.build", "meson_options.txt", "include", "lib",
                 "pkgconfig", "tests", "examples", "fuzz", "doc"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name)
        else:
            shutil.copy(source, place / name)


def try_row(place, row):
    """True when the test fails as it should."""
    ident, name, old, new, test = row
    path = place / "lib" / name
    whole = path.read_text()
    if whole.count(old) != 1:
        print(f"{ident} {name}: stands there {whole.count(old)} times: {old!r}")
        return False
    path.write_text(whole.replace(old, new))
    try:
        built = run(["ninja", "-C", place / "build", f"tests/test_{test}"])
        if built.returncode != 0:
            print(f"{ident} {name}: does not build\n{built.stdout[-2000:]}")
            return False
        try:
            done = run([place / "build/tests" / f"test_{test}"], timeout=30,
                       env=dict(os.environ, UBSAN_OPTIONS="halt_on_error=1"))
            failed = done.returncode != 0
        except subprocess.TimeoutExpired:
            failed = True
    finally:
        path.write_text(whole)
    print(f"{ident} {name}: {test} fails" if failed else
          f"{ident} {name}: {test} DOES NOT FAIL without {old!r}", flush=True)
    return failed


def main():
    wanted = set(sys.argv[1:])
    rows = [r for r in ROWS if not wanted or r[0] in wanted]
    if "ONWARD_CONFORMANCE" not in os.environ:
        sys.exit("ONWARD_CONFORMANCE names the folder of the test vectors")
    with tempfile.TemporaryDirectory(prefix="onward-mutations-") as folder:
        place = pathlib.Path(folder)
        copy_tree(place)
        made = run(["meson", "setup", place / "build", place,
                    "-Db_sanitize=address,undefined", "-Db_lundef=false",
                    "-Dwerror=false"])
        if made.returncode != 0:
            sys.exit(made.stdout + made.stderr)
        # Without any row each of the tests passes.
        tests = sorted({f"tests/test_{r[4]}" for r in rows})
        built = run(["ninja", "-C", place / "build", *tests])
        if built.returncode != 0:
            sys.exit(built.stdout[-4000:])
        for test in tests:
            done = run([place / "build" / test])
            if done.returncode != 0:
                sys.exit(f"{test} fails as it is\n{done.stdout[-2000:]}")
        missed = [r for r in rows if not try_row(place, r)]
    print(f"{len(rows) - len(missed)} of {len(rows)} seen to fail")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
