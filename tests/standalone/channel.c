/* channel alone: engines have channels; here the pump is only linked. */
#include <onward/channel.h>

int main(void)
{
    int (*volatile pump)(struct onward_channel *,
                         const struct onward_channel_io *) =
        onward_channel_pump;

    return pump != 0 ? 0 : 1;
}
