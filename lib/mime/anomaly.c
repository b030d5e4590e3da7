/* The names and the severities of anomalies. */
#include "mime/parser_priv.h"

static const struct {
    int code;
    const char *name;
} names[] = {
    {ONWARD_MIME_DUPLICATE_CONTENT, "duplicate-content-field"},
    {ONWARD_MIME_DUPLICATE_FIELD, "duplicate-field"},
    {ONWARD_MIME_BAD_TYPE, "bad-type"},
    {ONWARD_MIME_NO_BOUNDARY, "no-boundary"},
    {ONWARD_MIME_TWO_BOUNDARIES, "two-boundaries"},
    {ONWARD_MIME_SAME_BOUNDARY, "same-boundary"},
    {ONWARD_MIME_ENCODED_MULTIPART, "encoded-multipart"},
    {ONWARD_MIME_ENCODED_MESSAGE, "encoded-message"},
    {ONWARD_MIME_NO_DELIMITER, "no-delimiter"},
    {ONWARD_MIME_LF_DELIMITER, "lf-delimiter"},
    {ONWARD_MIME_LONG_DELIMITER, "long-delimiter"},
    {ONWARD_MIME_LATE_DELIMITER, "late-delimiter"},
    {ONWARD_MIME_DEPTH_LIMIT, "depth-limit"},
    {ONWARD_MIME_PARTS_LIMIT, "parts-limit"},
    {ONWARD_MIME_HEADER_LIMIT, "header-limit"},
    {ONWARD_MIME_BOUNDARY_LIMIT, "boundary-limit"},
    {ONWARD_MIME_UNKNOWN_ENCODING, "unknown-encoding"},
    {ONWARD_MIME_ODD_BOUNDARY, "odd-boundary"},
    {ONWARD_MIME_NO_CLOSE, "no-close-delimiter"},
    {ONWARD_MIME_NO_VERSION, "no-mime-version"},
    {ONWARD_MIME_ODD_PARAMETERS, "odd-parameters"},
    {ONWARD_MIME_DAMAGED_BODY, "damaged-body"},
    {ONWARD_MIME_BODY_NUL, "body-nul"},
    {ONWARD_MIME_BODY_8BIT, "body-8bit"},
    {ONWARD_MIME_BODY_BARE_CR, "body-bare-cr"},
    {ONWARD_MIME_BODY_BARE_LF, "body-bare-lf"},
    {ONWARD_MIME_BODY_LONG_LINE, "body-long-line"},
    {ONWARD_MIME_MANY_ANOMALIES, "many-anomalies"},
};

const char *onward_mime_anomaly_name(int code)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].code == code)
            return names[i].name;
    }
    return onward_header_anomaly_name(code);
}

int onward_mime_anomaly_severity(int code)
{
    if (strcmp(onward_mime_anomaly_name(code), "unknown") == 0)
        return 0;
    if (code < ONWARD_MIME_DUPLICATE_CONTENT)
        return onward_mime__is_malformed_code(code) ? ONWARD_HEADER_MALFORMED
                                                    : ONWARD_HEADER_ODD;
    return code < ONWARD_MIME_ODD_BOUNDARY ? ONWARD_HEADER_MALFORMED
                                           : ONWARD_HEADER_ODD;
}
