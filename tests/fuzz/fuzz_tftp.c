/* The TFTP parser: one datagram. What it accepts is within the ranges that proto/tftp.h promises. */
#include "proto/tftp.h"
#include "serve/files.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static void check_name(const char *name)
{
    char normal[256];
    MUST(name[0] && strlen(name) <= TFTP_NAME_MAX);
    if (file_name_normalise(name, normal, sizeof(normal)) < 0)
        return;
    MUST(normal[0] && normal[0] != '/' && !strstr(normal, "//") && !strchr(normal, '\\'));
    for (const char *part = normal; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        MUST(!(part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tftp_packet p;
    if (tftp_parse(data, size, &p) < 0)
        return 0;
    if (p.op == TFTP_ERROR)
        MUST(strlen(p.message) < size + 1);
    if (p.op != TFTP_RRQ && p.op != TFTP_WRQ)
        return 0;
    const struct tftp_options *o = &p.request.options;
    uint8_t buf[TFTP_SMALL_MAX];
    struct tftp_packet oack;
    check_name(p.request.name);
    MUST(!(o->has & TFTP_O_BLKSIZE) || (o->blksize >= TFTP_BLKSIZE_MIN && o->blksize <= TFTP_BLKSIZE_MAX));
    MUST(!(o->has & TFTP_O_TIMEOUT) || o->timeout >= 1);
    MUST(!(o->has & TFTP_O_WINDOWSIZE) || o->windowsize >= 1);
    MUST(!(o->has & TFTP_O_TSIZE) || p.request.mode == TFTP_OCTET);
    MUST(tftp_parse(buf, tftp_write_oack(buf, o), &oack) == 0 && oack.op == TFTP_OACK);
    return 0;
}
