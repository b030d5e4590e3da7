/* Words for actions, reasons and oddities. */
#include "dsn/dsn_priv.h"

const char *onward_dsn_action_name(int action)
{
    static const char *const names[ONWARD_DSN__ACTIONS] = {
        "", "failed", "delayed", "delivered", "relayed", "expanded"};

    return action > 0 && action < ONWARD_DSN__ACTIONS ? names[action] : "";
}

const char *onward_dsn_unwanted_name(int unwanted)
{
    static const char *const names[] = {"", "null-sender", "never", "not-asked",
                                        "automatic"};

    return unwanted > 0 && unwanted <= ONWARD_DSN_AUTOMATIC ? names[unwanted]
                                                            : "";
}

const char *onward_dsn_oddity_name(int oddity)
{
    static const struct {
        int bit;
        const char *name;
    } names[] = {
        {ONWARD_DSN_ODDITY_NO_REPORT, "no-report"},
        {ONWARD_DSN_ODDITY_NO_MTA, "no-mta"},
        {ONWARD_DSN_ODDITY_NO_RECIPIENT, "no-recipient"},
        {ONWARD_DSN_ODDITY_ACTION, "action"},
        {ONWARD_DSN_ODDITY_STATUS, "status"},
        {ONWARD_DSN_ODDITY_NO_TYPE, "no-type"},
        {ONWARD_DSN_ODDITY_TWICE, "twice"},
        {ONWARD_DSN_ODDITY_LINE, "line"},
        {ONWARD_DSN_ODDITY_MERGED, "merged"},
        {ONWARD_DSN_ODDITY_DATE, "date"},
        {ONWARD_DSN_ODDITY_MANY, "many"},
        {ONWARD_DSN_ODDITY_EMPTY, "empty"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].bit == oddity)
            return names[i].name;
    }
    return "";
}
