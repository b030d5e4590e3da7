/*
 * What waits for the host: questions in the order of their commands, answered
 * in any order. An answer is only recorded; server_settle() acts on it when
 * all before it have been acted on, so replies keep their order (RFC 2920
 * section 3.2).
 */
#include "smtp/server_priv.h"

bool server_fits_yes_no(size_t code)
{
    size_t class = code / 100;

    return class == 2 || class == 4 || class == 5;
}

bool server_may_overlap(const struct onward_smtp_server *s)
{
    return s->first == NULL ||
           (s->last->asker->overlaps && s->question_count < SERVER_OVERLAP_MAX);
}

static void release(struct onward_smtp_server *s, struct server_question *q)
{
    onward_core__ask_close(&q->ask);
    onward_core__free(s->ctx, q->text);
    onward_core__free(s->ctx, q);
}

struct server_question *server_question_open(struct onward_smtp_server *s,
                                             const struct server_asker *asker)
{
    struct server_question *q = onward_core__alloc(s->ctx, sizeof(*q));
    int err;

    if (q == NULL) {
        s->error = ONWARD_ENOMEM;
        return NULL;
    }
    *q = (struct server_question){.session = s, .asker = asker};
    err = onward_core__ask_open(s->desk, &q->ask, ONWARD_ASK_REPLY);
    if (err < 0) {
        s->error = err;
        release(s, q);
        return NULL;
    }
    if (s->first == NULL)
        s->first = q;
    else
        s->last->next = q;
    s->last = q;
    s->question_count++;
    s->has_progress = true;
    return q;
}

static void answer_with(struct server_question *q,
                        const struct onward_smtp_reply *reply)
{
    onward_core__ask_close(&q->ask);
    q->reply = *reply;
    q->is_answered = true;
}

void server_question_asked(struct onward_smtp_server *s,
                           struct server_question *q, int handling)
{
    if (server_is_over(s) || q->is_answered)
        return;
    if (handling < 0) {
        onward_core__log(s->ctx, ONWARD_LOG_ERROR, "smtp", "host-failed",
                         s->log_id, onward_core__str(NULL, 0));
        answer_with(q, &q->asker->failure);
    } else if (handling == ONWARD_SMTP_DEFAULT) {
        answer_with(q, &q->asker->usual);
    }
}

void server_question_expire(struct onward_smtp_server *s)
{
    onward_core__log(s->ctx, ONWARD_LOG_WARN, "smtp", "answer-timeout",
                     s->log_id, onward_core__str(NULL, 0));
    for (struct server_question *q = s->first; q != NULL; q = q->next) {
        if (!q->is_answered)
            answer_with(q, &q->asker->failure);
    }
}

bool server_is_delayed(const struct onward_smtp_server *s)
{
    const struct server_question *q = s->first;

    return q != NULL && q->is_answered && q->reply.delay_ms > 0 && !q->is_due &&
           !s->is_shutdown;
}

int64_t server_delay_ms(struct onward_smtp_server *s)
{
    struct server_question *q = s->first;
    int64_t now_ms = onward_channel__now(&s->channel);
    int64_t delay_ms = s->limits.answer_ms;

    if (q->reply.delay_ms < (uint64_t)delay_ms)
        delay_ms = (int64_t)q->reply.delay_ms;
    /* A clock that is not known yet starts with the first time told. */
    if (now_ms == 0)
        return delay_ms;
    if (q->due_ms == 0)
        q->due_ms = now_ms + delay_ms;
    return q->due_ms > now_ms ? q->due_ms - now_ms : 0;
}

void server_settle(struct onward_smtp_server *s)
{
    /* Replies that the client does not read wait here, not in the channel. */
    while (!server_is_over(s) && s->first != NULL && s->first->is_answered &&
           !server_is_delayed(s) && !onward_channel__is_full(&s->channel)) {
        struct server_question *q = s->first;

        s->first = q->next;
        if (s->first == NULL)
            s->last = NULL;
        s->question_count--;
        s->has_progress = true;
        q->asker->answered(s, q);
        if (!server_is_over(s) && server_is_last(&q->reply))
            server_end(s, 0);
        release(s, q);
    }
}

void server_questions_close(struct onward_smtp_server *s)
{
    for (struct server_question *q = s->first; q != NULL; q = q->next)
        onward_core__ask_close(&q->ask);
}

void server_questions_drop(struct onward_smtp_server *s)
{
    while (s->first != NULL) {
        struct server_question *q = s->first;

        s->first = q->next;
        release(s, q);
    }
    s->last = NULL;
    s->question_count = 0;
}

/* ---- The host's side --------------------------------------------------- */

/* Copy what the reply borrows into one block. Without memory the code is still
 * a full answer: it goes out with a stock text. */
static void keep_reply(struct server_question *q,
                       const struct onward_smtp_reply *reply)
{
    struct onward_str text =
        onward_core__sub(reply->text, 0, ONWARD_SMTP__REPLY_TEXT_MAX);
    size_t len = reply->enhanced.len + text.len;
    struct onward_smtp_reply kept = {
        .size = sizeof(kept), .code = reply->code, .delay_ms = reply->delay_ms};

    if (len > 0)
        q->text = onward_core__alloc(q->session->ctx, len);
    if (q->text != NULL) {
        if (reply->enhanced.len > 0)
            memcpy(q->text, reply->enhanced.data, reply->enhanced.len);
        if (text.len > 0)
            memcpy(q->text + reply->enhanced.len, text.data, text.len);
        kept.enhanced = onward_core__str(q->text, reply->enhanced.len);
        kept.text = onward_core__str(q->text + reply->enhanced.len, text.len);
    }
    answer_with(q, &kept);
}

/* Inside a call of the session it goes on by itself. */
static void wake(struct onward_smtp_server *s)
{
    if (!onward_channel__is_busy(&s->channel))
        onward_core__task_ready(&s->task);
}

void server_question_answer(struct server_question *q,
                            const struct onward_smtp_reply *reply)
{
    answer_with(q, reply);
    wake(q->session);
}

int onward_smtp_reply_answer(struct onward_desk *desk, uint64_t token,
                             const struct onward_smtp_reply *reply)
{
    struct onward_core__ask *ask =
        onward_core__ask_find(desk, token, ONWARD_ASK_REPLY);
    struct onward_smtp_reply loaded;
    struct server_question *q;
    int err;

    if (ask == NULL)
        return ONWARD_ESTALE;
    q = ONWARD_CONTAINER(ask, struct server_question, ask);
    if (reply == NULL) {
        answer_with(q, &q->asker->usual);
    } else {
        err = onward_smtp__reply_load(&loaded, reply);
        if (err < 0)
            return err;
        if (!q->asker->fits(loaded.code))
            return ONWARD_EINVAL;
        keep_reply(q, &loaded);
    }
    wake(q->session);
    return 0;
}
