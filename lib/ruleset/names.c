/* Words for logs. */
#include "ruleset/ruleset_priv.h"

const char *onward_ruleset_reason_name(int reason)
{
    switch (reason) {
    case ONWARD_RULESET_RULE:
        return "rule";
    case ONWARD_RULESET_NO_ZONE:
        return "no-zone";
    case ONWARD_RULESET_ZONE_DISABLED:
        return "zone-disabled";
    case ONWARD_RULESET_NO_ADDRESS:
        return "no-address";
    case ONWARD_RULESET_NOT_VERIFIED:
        return "not-verified";
    case ONWARD_RULESET_NOT_NOW:
        return "not-now";
    case ONWARD_RULESET_UNKNOWN:
        return "not-known";
    case ONWARD_RULESET_NO_DESTINATION:
        return "no-destination";
    }
    return "unknown";
}

const char *onward_ruleset_kind_name(int kind)
{
    switch (kind) {
    case ONWARD_RULESET_FORWARD:
        return "forward";
    case ONWARD_RULESET_DROP:
        return "drop";
    case ONWARD_RULESET_HANDLER:
        return "handler";
    case ONWARD_RULESET_REJECT:
        return "reject";
    case ONWARD_RULESET_FAILOVER:
        return "failover";
    case ONWARD_RULESET_QUARANTINE:
        return "quarantine";
    case ONWARD_RULESET_WEBHOOK:
        return "webhook";
    case ONWARD_RULESET_NEED_MESSAGE:
        return "need-message";
    case ONWARD_RULESET_ADD_FIELD:
        return "add-field";
    case ONWARD_RULESET_TAG:
        return "tag";
    }
    return "unknown";
}
