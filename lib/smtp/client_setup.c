/*
 * What is said between the last EHLO and the first message, one step after the
 * other: each step is a command with as many lines as it needs. How one is
 * added stands in client_priv.h.
 */
#include "smtp/client_priv.h"

/* In the order they run; ends at a step without begin. */
static const struct onward_smtp__setup_step steps[] = {
    {ONWARD_SMTP_PHASE_AUTH, onward_smtp__auth_begin, onward_smtp__auth_reply},
    {.begin = NULL},
};

static const struct onward_smtp__setup_step *
current(const struct onward_smtp_client *c)
{
    return &steps[c->setup_at];
}

enum onward_smtp_phase
onward_smtp__setup_phase(const struct onward_smtp_client *c)
{
    return current(c)->begin == NULL ? ONWARD_SMTP_PHASE_EHLO
                                     : current(c)->phase;
}

bool onward_smtp__setup_expects(const struct onward_smtp_client *c)
{
    return c->setup_due && !onward_channel__is_unseen(&c->channel);
}

/* A step gave result: wait as it says, or begin the next. 0 or an error. */
static int go_on(struct onward_smtp_client *c, int result)
{
    while (result == ONWARD_SETUP_DONE) {
        c->setup_at++;
        if (current(c)->begin == NULL)
            return onward_smtp__client_idle(c);
        result = current(c)->begin(c);
    }
    c->setup_due = result == ONWARD_SETUP_REPLY;
    if (result == ONWARD_SETUP_REPLY)
        onward_smtp__expect_within(c, c->opts.command_timeout_ms);
    /* The host takes its time; the delivery's deadline holds. */
    if (result == ONWARD_SETUP_HOST)
        onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
    if (result == ONWARD_SETUP_HELLO) {
        onward_smtp__offers_forget(&c->offers);
        c->setup_at++;
        return onward_smtp__client_ehlo(c);
    }
    return result < 0 ? result : 0;
}

int onward_smtp__setup_begin(struct onward_smtp_client *c)
{
    c->state = ONWARD_CLIENT_SETUP;
    if (current(c)->begin == NULL)
        return onward_smtp__client_idle(c);
    return go_on(c, current(c)->begin(c));
}

int onward_smtp__setup_on_reply(struct onward_smtp_client *c)
{
    c->setup_due = false;
    return go_on(c, current(c)->reply(c));
}

void onward_smtp__setup_resume(struct onward_smtp_client *c, int result)
{
    int err = go_on(c, result);

    if (err < 0)
        (void)onward_smtp__client_fail(c, err);
}
