/* A stranger's first program: it sees installed headers only. */
#include <onward.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    struct onward_ip ip;
    char text[ONWARD_IP_TEXT_MAX];

    if (onward_ip_parse(ONWARD_STR("2001:DB8::1"), &ip) != 0 ||
        onward_ip_format(&ip, text, sizeof(text)) < 0 ||
        strcmp(text, "2001:db8::1") != 0)
        return 1;
    return puts(onward_version()) < 0;
}
