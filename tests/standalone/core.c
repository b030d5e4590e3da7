/* core alone: an address read and written. */
#include <onward/core.h>

int main(void)
{
    struct onward_ip ip;

    return onward_ip_parse(ONWARD_STR("192.0.2.1"), &ip) == 0 &&
                   !onward_ip_is_public(&ip)
               ? 0
               : 1;
}
