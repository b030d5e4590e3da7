/*
 * Replies as they are written (RFC 5321 section 4.2, RFC 2034): codes checked,
 * text escaped and folded. Reading them is in reply_parser.c.
 */
#include "core/text_shared.h"
#include "smtp/smtp_shared.h"

/* ---- Checks ------------------------------------------------------------ */

/* 1*3DIGIT at *at without a leading zero; moves *at. */
static bool read_number(struct onward_str text, size_t *at, int *value)
{
    size_t start = *at;
    int sum = 0;

    while (*at < text.len && *at - start < 3 &&
           onward_ascii_is_digit((unsigned char)text.data[*at])) {
        sum = sum * 10 + (text.data[*at] - '0');
        (*at)++;
    }
    if (*at == start || (text.data[start] == '0' && *at - start > 1))
        return false;
    *value = sum;
    return true;
}

int onward_smtp__parse_enhanced(struct onward_str text, size_t code,
                                int *subject, int *detail)
{
    size_t class = code / 100;
    size_t at = 2;
    int first, second;

    /* status-code = ("2" / "4" / "5") "." 1*3DIGIT "." 1*3DIGIT
     * (RFC 2034 section 4); 3yz replies have none. */
    if (class != 2 && class != 4 && class != 5)
        return ONWARD_ESYNTAX;
    if (text.len < 5 || (size_t)(unsigned char)text.data[0] != '0' + class ||
        text.data[1] != '.')
        return ONWARD_ESYNTAX;
    if (!read_number(text, &at, &first) || at == text.len ||
        text.data[at++] != '.' || !read_number(text, &at, &second) ||
        at != text.len)
        return ONWARD_ESYNTAX;
    *subject = first;
    *detail = second;
    return 0;
}

int onward_smtp__reply_load(struct onward_smtp_reply *dst,
                            const struct onward_smtp_reply *src)
{
    struct onward_smtp_reply reply;
    int subject, detail;
    int err = onward_core__opts_load(&reply, sizeof(reply), src);

    if (err < 0)
        return err;
    if (reply.code < 200 || reply.code > 599)
        return ONWARD_EINVAL;
    if (reply.enhanced.len != 0 &&
        onward_smtp__parse_enhanced(reply.enhanced, reply.code, &subject,
                                    &detail) < 0)
        return ONWARD_EINVAL;
    *dst = reply;
    return 0;
}

const char *onward_smtp__stock_text(size_t code)
{
    static const struct {
        size_t code;
        const char *text;
    } stock[] = {
        {211, "System status"},
        {214, "See RFC 5321"},
        {220, "Service ready"},
        {221, "Bye"},
        {250, "OK"},
        {251, "User not local, will forward"},
        {252, "Cannot verify the user, but will take the message"},
        {354, "End data with <CR><LF>.<CR><LF>"},
        {421, "Service not available, closing the connection"},
        {450, "Mailbox not available now"},
        {451, "Local error, try again later"},
        {452, "Too many recipients or no room now, try again later"},
        {500, "Command not recognized"},
        {501, "Syntax error in parameters"},
        {502, "Command not implemented"},
        {503, "Bad sequence of commands"},
        {504, "Parameter not implemented"},
        {521, "No mail service here"},
        {530, "Security is required"},
        {550, "Mailbox not available"},
        {552, "Message too big"},
        {553, "Mailbox name not allowed"},
        {554, "Transaction failed"},
        {555, "Parameter not recognized"},
    };

    for (size_t i = 0; i < sizeof(stock) / sizeof(stock[0]); i++) {
        if (stock[i].code == code)
            return stock[i].text;
    }
    if (code < 400)
        return "OK";
    return code < 500 ? "Try again later" : "Refused";
}

/* ---- Writing ----------------------------------------------------------- */

struct writer {
    struct onward_buf *out;
    const struct onward_smtp_reply *reply;
    bool has_enhanced;
    bool is_utf8;
    size_t line_start; /* in out */
};

/* "550-5.7.1 "; the mark of the last line is set right at the end. */
static void start_line(struct writer *w)
{
    static const char plain[] = ".0.0";
    size_t code = w->reply->code;

    w->line_start = w->out->len;
    onward_core__buf_add_u64(w->out, code);
    onward_core__buf_add_byte(w->out, '-');
    if (!w->has_enhanced)
        return;
    if (w->reply->enhanced.len != 0) {
        onward_core__buf_add_str(w->out, w->reply->enhanced);
    } else {
        onward_core__buf_add_u64(w->out, code / 100);
        onward_core__buf_add(w->out, plain, sizeof(plain) - 1);
    }
    onward_core__buf_add_byte(w->out, ' ');
}

static void end_line(struct writer *w)
{
    onward_core__buf_add(w->out, "\r\n", 2);
}

/* A piece that may not be torn apart: one octet, one escape, one character. */
static void add_piece(struct writer *w, const void *data, size_t len)
{
    if (w->out->len - w->line_start + len + 2 > ONWARD_SMTP__REPLY_LINE_MAX) {
        end_line(w);
        start_line(w);
    }
    onward_core__buf_add(w->out, data, len);
}

static void add_escape(struct writer *w, unsigned char octet)
{
    static const char hex[] = "0123456789abcdef";
    const char text[4] = {'\\', 'x', hex[octet >> 4], hex[octet & 15]};

    add_piece(w, text, sizeof(text));
}

static size_t utf8_len(unsigned char first)
{
    if (first >= 0xf0)
        return 4;
    if (first >= 0xe0)
        return 3;
    return first >= 0xc0 ? 2 : 1;
}

/* The characters of a line; returns how many octets of text they were. */
static size_t add_char(struct writer *w, struct onward_str text, size_t at)
{
    unsigned char c = (unsigned char)text.data[at];
    size_t len = w->is_utf8 ? utf8_len(c) : 1;
    /* U+0080 to U+009F are controls as well. */
    bool is_c1 =
        c == 0xc2 && len == 2 && (unsigned char)text.data[at + 1] < 0xa0;

    if (len == 1 && ((c < ' ' && c != '\t') || c >= 0x7f)) {
        add_escape(w, c);
    } else if (is_c1) {
        add_escape(w, c);
        add_escape(w, (unsigned char)text.data[at + 1]);
    } else {
        add_piece(w, text.data + at, len);
    }
    return len;
}

int onward_smtp__reply_write(struct onward_buf *out,
                             const struct onward_smtp_reply *reply,
                             unsigned flags)
{
    struct onward_str text =
        onward_core__sub(reply->text, 0, ONWARD_SMTP__REPLY_TEXT_MAX);
    struct writer w = {.out = out, .reply = reply};

    if (text.len == 0)
        text = onward_str_of(onward_smtp__stock_text(reply->code));
    w.has_enhanced =
        (flags & ONWARD_SMTP__REPLY_PLAIN) == 0 && reply->code / 100 != 3;
    w.is_utf8 =
        (flags & ONWARD_SMTP__REPLY_UTF8) != 0 && onward_core__is_utf8(text);
    start_line(&w);
    for (size_t at = 0; at < text.len;) {
        bool is_crlf = text.data[at] == '\r' && at + 1 < text.len &&
                       text.data[at + 1] == '\n';

        if (!is_crlf && text.data[at] != '\n') {
            at += add_char(&w, text, at);
            continue;
        }
        at += is_crlf ? 2 : 1;
        if (at == text.len)
            break; /* a line end at the end starts no empty line */
        end_line(&w);
        start_line(&w);
    }
    if (out->err == 0)
        out->data[w.line_start + 3] = ' ';
    end_line(&w);
    return out->err;
}
