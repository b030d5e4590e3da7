/*
 * The charsets that iconv(3) knows, for the library.
 */
#ifndef CHARSETS_H
#define CHARSETS_H

#include <onward/mime_text.h>

extern const struct onward_charsets iconv_charsets;

#endif
