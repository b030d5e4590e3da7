/*
 * Dates of mail and of logs, in UTC, without the C library's time functions:
 * these need a locale, a time zone file, or both.
 */
#include "core/text_shared.h"

static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed",
                                    "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

enum { DAY_S = 86400, DAYS_400_YEARS = 146097, COMMENT_DEPTH_MAX = 16 };
#define FIRST_S (-INT64_C(62135596800)) /* year 1 */
#define LAST_S INT64_C(253402300799)    /* year 9999 */

struct date {
    int64_t year;
    int month, day, hour, minute, second, weekday; /* month 1 to 12 */
};

/*
 * Days since 1970-01-01 of a day of the Gregorian calendar. Years are counted
 * from March, so that the leap day is the last of its year.
 */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_400_YEARS + day_of_era - 719468;
}

static struct date date_of(int64_t unix_s)
{
    int64_t clamped = unix_s < FIRST_S  ? FIRST_S
                      : unix_s > LAST_S ? LAST_S
                                        : unix_s;
    int64_t since = clamped - FIRST_S;  /* never negative from here on */
    int64_t days = since / DAY_S + 306; /* since 0000-03-01 */
    int seconds = (int)(since % DAY_S);
    int64_t era = days / DAYS_400_YEARS;
    int64_t day_of_era = days % DAYS_400_YEARS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int from_march = (int)((5 * day_of_year + 2) / 153);
    struct date d;

    d.day = (int)day_of_year - (153 * from_march + 2) / 5 + 1;
    d.month = from_march < 10 ? from_march + 3 : from_march - 9;
    d.year = year_of_era + era * 400 + (d.month <= 2);
    d.hour = seconds / 3600;
    d.minute = seconds / 60 % 60;
    d.second = seconds % 60;
    d.weekday = (int)((since / DAY_S + 1) % 7); /* 0001-01-01: a Monday */
    return d;
}

static char *put_digits(char *at, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

static char *put_time(char *at, const struct date *d)
{
    at = put_digits(at, d->hour, 2);
    *at++ = ':';
    at = put_digits(at, d->minute, 2);
    *at++ = ':';
    return put_digits(at, d->second, 2);
}

int onward_core__date_rfc5322(struct onward_buf *out, int64_t unix_s)
{
    struct date d = date_of(unix_s);
    char text[32], *at = text;

    at = put_text(at, weekdays[d.weekday], 3);
    at = put_text(at, ", ", 2);
    at = put_digits(at, d.day, d.day < 10 ? 1 : 2);
    *at++ = ' ';
    at = put_text(at, months[d.month - 1], 3);
    *at++ = ' ';
    at = put_digits(at, d.year, 4);
    *at++ = ' ';
    at = put_time(at, &d);
    at = put_text(at, " +0000", 6);
    return onward_core__buf_add(out, text, (size_t)(at - text));
}

int onward_core__date_rfc3339(struct onward_buf *out, int64_t unix_s)
{
    struct date d = date_of(unix_s);
    char text[32], *at = text;

    at = put_digits(at, d.year, 4);
    *at++ = '-';
    at = put_digits(at, d.month, 2);
    *at++ = '-';
    at = put_digits(at, d.day, 2);
    *at++ = 'T';
    at = put_time(at, &d);
    *at++ = 'Z';
    return onward_core__buf_add(out, text, (size_t)(at - text));
}

/* Where a reader stands. Every read_ function moves on and returns true, or
 * returns false and the text is refused. */
struct cursor {
    struct onward_str s;
    size_t at;
};

static unsigned char peek(const struct cursor *c)
{
    return c->at < c->s.len ? (unsigned char)c->s.data[c->at] : 0;
}

/* Comments and folding white space (RFC 5322 section 3.2.2). False: a comment
 * never ends or nests too deep. */
static bool skip_cfws(struct cursor *c)
{
    size_t depth = 0;

    for (; c->at < c->s.len; c->at++) {
        unsigned char octet = peek(c);

        if (octet == '(') {
            if (++depth > COMMENT_DEPTH_MAX)
                return false;
        } else if (depth == 0) {
            if (!onward_ascii_is_wsp(octet) && octet != '\r' && octet != '\n')
                return true;
        } else if (octet == ')') {
            depth--;
        } else if (octet == '\\') {
            c->at++;
        }
    }
    return depth == 0;
}

static bool read_number(struct cursor *c, size_t min_digits, size_t max_digits,
                        int *value, size_t *digits)
{
    size_t start = c->at;

    *value = 0;
    while (c->at - start < max_digits && onward_ascii_is_digit(peek(c))) {
        *value = *value * 10 + (peek(c) - '0');
        c->at++;
    }
    *digits = c->at - start;
    return *digits >= min_digits && !onward_ascii_is_digit(peek(c));
}

static struct onward_str read_word(struct cursor *c)
{
    size_t start = c->at;

    while (onward_ascii_is_alpha(peek(c)))
        c->at++;
    return onward_core__sub(c->s, start, c->at);
}

static int index_of(struct onward_str word, const char names[][4], int count)
{
    for (int i = 0; i < count; i++) {
        if (onward_core__str_ieq(word, onward_str_of(names[i])))
            return i;
    }
    return -1;
}

static bool read_char(struct cursor *c, char want)
{
    if (peek(c) != (unsigned char)want)
        return false;
    c->at++;
    return skip_cfws(c);
}

/* [ day-name "," ] day month year */
static bool read_day(struct cursor *c, struct date *d)
{
    size_t digits;
    int year;

    if (onward_ascii_is_alpha(peek(c))) {
        if (index_of(read_word(c), weekdays, 7) < 0 || !skip_cfws(c) ||
            !read_char(c, ','))
            return false;
    }
    if (!read_number(c, 1, 2, &d->day, &digits) || !skip_cfws(c))
        return false;
    d->month = index_of(read_word(c), months, 12) + 1;
    if (d->month == 0 || !skip_cfws(c) ||
        !read_number(c, 2, 4, &year, &digits) || !skip_cfws(c))
        return false;
    if (digits == 2) /* RFC 5322 section 4.3 */
        year += year < 50 ? 2000 : 1900;
    else if (digits == 3)
        year += 1900;
    d->year = year;
    return true;
}

/* hour ":" minute [ ":" second ] */
static bool read_time(struct cursor *c, struct date *d)
{
    size_t digits;

    d->second = 0;
    if (!read_number(c, 2, 2, &d->hour, &digits) || !skip_cfws(c) ||
        !read_char(c, ':') || !read_number(c, 2, 2, &d->minute, &digits) ||
        !skip_cfws(c))
        return false;
    if (peek(c) != ':')
        return true;
    return read_char(c, ':') && read_number(c, 2, 2, &d->second, &digits) &&
           skip_cfws(c);
}

/* Seconds east of UTC. Military zones were specified the wrong way round, so
 * their letters say nothing (RFC 5322 section 4.3). */
static bool read_zone(struct cursor *c, int *east_s)
{
    static const struct {
        char name[4];
        int hours;
    } zones[] = {{"UT", 0},   {"GMT", 0},  {"EST", -5}, {"EDT", -4},
                 {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6},
                 {"PST", -8}, {"PDT", -7}};
    struct onward_str word;
    size_t digits;
    int value;

    if (peek(c) == '+' || peek(c) == '-') {
        int sign = peek(c) == '+' ? 1 : -1;

        c->at++;
        if (!read_number(c, 4, 4, &value, &digits) || value % 100 > 59)
            return false;
        *east_s = sign * (value / 100 * 3600 + value % 100 * 60);
        return skip_cfws(c);
    }
    word = read_word(c);
    *east_s = 0;
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (onward_core__str_ieq(word, onward_str_of(zones[i].name)))
            *east_s = zones[i].hours * 3600;
    }
    return word.len > 0 && skip_cfws(c);
}

static bool is_real(const struct date *d)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31};
    bool is_leap =
        d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);
    int length = lengths[d->month - 1] + (d->month == 2 && is_leap);

    return d->year >= 1 && d->day >= 1 && d->day <= length && d->hour <= 23 &&
           d->minute <= 59 && d->second <= 60; /* a leap second */
}

int onward_core__parse_date_rfc5322(struct onward_str s, int64_t *unix_s)
{
    int east_s;

    return onward_core__parse_date_zone(s, unix_s, &east_s);
}

int onward_core__parse_date_zone(struct onward_str s, int64_t *unix_s,
                                 int *zone_east_s)
{
    struct cursor c = {.s = s};
    struct date d = {0};
    int east_s;

    if (!skip_cfws(&c) || !read_day(&c, &d) || !read_time(&c, &d) ||
        !read_zone(&c, &east_s) || c.at != s.len || !is_real(&d))
        return ONWARD_ESYNTAX;
    *unix_s = days_of(d.year, d.month, d.day) * DAY_S + d.hour * 3600 +
              d.minute * 60 + d.second - east_s;
    *zone_east_s = east_s;
    return 0;
}
