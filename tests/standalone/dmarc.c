/* dmarc alone: a record read. */
#include <onward/dmarc.h>

int main(void)
{
    struct onward_dmarc_record r = {.size = sizeof(r)};

    return onward_dmarc_record_parse(ONWARD_STR("v=DMARC1; p=reject"), &r) ==
                       0 &&
                   r.policy == ONWARD_DMARC_POLICY_REJECT &&
                   onward_dmarc_check_new(0, 0, 0, 0) == ONWARD_EINVAL
               ? 0
               : 1;
}
