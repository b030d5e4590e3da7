/*
 * Tokens and tagged senders. What comes from outside is never taken without a
 * signature of ours; what is minted comes back as it was; a text that stands
 * for octets is the only one that does (but for case, in base32).
 */
#include "fuzz.h"

#include "token/token_priv.h"

static struct onward_token_minter *minter(void)
{
    static struct onward_token_minter *made;
    const struct onward_str secret = ONWARD_STR("not known to a fuzzer");

    if (made == NULL)
        FUZZ_CHECK(onward_token_minter_new(fuzz_ctx(), &secret, 1, &made) == 0);
    return made;
}

static struct onward_token_opts opts_of(size_t form)
{
    return (struct onward_token_opts){.size = sizeof(struct onward_token_opts),
                                      .purpose = ONWARD_STR("fuzz"),
                                      .form = form};
}

static void check_letters(enum onward_token_form form, struct onward_str in)
{
    uint8_t raw[ONWARD_TOKEN__RAW_MAX];
    char again[ONWARD_TOKEN_TEXT_MAX];
    size_t len;

    if (!onward_token__read(form, in, raw, sizeof(raw), &len))
        return;
    FUZZ_CHECK(onward_token__text_len(form, len) == in.len);
    onward_token__write(form, raw, len, again);
    for (size_t i = 0; i < in.len; i++) {
        char c = in.data[i];

        if (form == ONWARD_TOKEN_BASE32 && c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        FUZZ_CHECK(again[i] == c);
    }
}

static void check_token(size_t form, struct onward_str in)
{
    static char text[ONWARD_TOKEN_TEXT_MAX], back[ONWARD_TOKEN_PAYLOAD_MAX];
    const struct onward_token_opts opts = opts_of(form);
    int64_t expires_s;
    int verdict, len;

    len = onward_token_check(minter(), &opts, in, back, sizeof(back), NULL,
                             &verdict);
    FUZZ_CHECK(len == 0 && verdict != ONWARD_TOKEN_OK);
    if (in.len > ONWARD_TOKEN_PAYLOAD_MAX)
        return;
    len =
        onward_token_mint(minter(), &opts, in, 1600000001, text, sizeof(text));
    FUZZ_CHECK(len > 0);
    len = onward_token_check(minter(), &opts,
                             (struct onward_str){text, (size_t)len}, back,
                             sizeof(back), &expires_s, &verdict);
    FUZZ_CHECK(verdict == ONWARD_TOKEN_OK && (size_t)len == in.len &&
               expires_s == 1600000001 &&
               (len == 0 || memcmp(back, in.data, in.len) == 0));
}

static void check_sender(struct onward_str in)
{
    char there[ONWARD_TOKEN_ADDRESS_MAX], back[ONWARD_TOKEN_ADDRESS_MAX];
    int verdict, len;

    len = onward_token_untag_sender(minter(), in, back, sizeof(back), &verdict);
    /* Six digits can be guessed; their meaning then stays what it was. */
    FUZZ_CHECK(len == 0 || verdict == ONWARD_TOKEN_OK);
    len = onward_token_tag_sender(minter(), in, 7, there, sizeof(there));
    if (len <= 0 || (size_t)len == in.len)
        return;
    FUZZ_CHECK(memchr(there, '@', 65) != NULL);
    len = onward_token_untag_sender(minter(),
                                    (struct onward_str){there, (size_t)len},
                                    back, sizeof(back), &verdict);
    FUZZ_CHECK(verdict == ONWARD_TOKEN_OK && (size_t)len == in.len &&
               memcmp(back, in.data, in.len) == 0);
}

static void check_alias(struct onward_str in)
{
    struct onward_token_alias alias = {.size = sizeof(alias)};
    char out[ONWARD_TOKEN_ADDRESS_MAX], key[ONWARD_TOKEN_ADDRESS_MAX];
    struct onward_str owner, contact;
    int verdict, len;

    if (onward_token_alias_read(minter(), in, &owner, &contact) == 0)
        FUZZ_CHECK(owner.len + contact.len == in.len - 10);
    FUZZ_CHECK(
        onward_token_alias_key(minter(), in, key, sizeof(key), &verdict) == 0);
    len = onward_token_alias_make(minter(), ONWARD_STR("me@example.net"), in,
                                  ONWARD_STR("fwd.example"), out, sizeof(out),
                                  &alias);
    if (len < 0)
        return;
    len =
        onward_token_alias_key(minter(), (struct onward_str){out, (size_t)len},
                               key, sizeof(key), &verdict);
    FUZZ_CHECK((size_t)len == alias.key_len &&
               memcmp(key, alias.key, alias.key_len) == 0);
    FUZZ_CHECK(onward_token_alias_read(
                   minter(), (struct onward_str){alias.value, alias.value_len},
                   &owner, &contact) == 0);
    FUZZ_CHECK(contact.len == in.len &&
               memcmp(contact.data, in.data, in.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_str in = {(const char *)data, size};

    check_letters(ONWARD_TOKEN_BASE64URL, in);
    check_letters(ONWARD_TOKEN_BASE32, in);
    check_token(ONWARD_TOKEN_BASE64URL, in);
    check_token(ONWARD_TOKEN_BASE32, in);
    check_sender(in);
    check_alias(in);
    return 0;
}
