/* verify alone: it draws in its own floor chain, no TLS. */
#include <onward/verify.h>

int main(void)
{
    return onward_verifier_new(0, 0, 0, 0) == ONWARD_EINVAL ? 0 : 1;
}
