/* 25 MiB in lines of 76 octets and CRLF, as base64 has them. */
#include "bench/worker.h"

int main(int argc, char **argv)
{
    char path[4096], line[79];
    FILE *file;

    if (argc != 2)
        return 2;
    memset(line, 'x', 76);
    memcpy(line + 76, "\r\n", 3);
    snprintf(path, sizeof(path), "%s/message", argv[1]);
    file = fopen(path, "wb");
    if (file == NULL)
        bench_die(path);
    for (size_t i = 0; i < (25u << 20) / 78; i++)
        fwrite(line, 1, 78, file);
    return fclose(file) == 0 ? 0 : 1;
}
