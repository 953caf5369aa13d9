/* A TFTP client that reads one file, as firmware does: block by block, with the block size and the file's
 * size asked for. */
#pragma once

#include "base/addr.h"
#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

enum { FETCH_MAX = 64 << 20 };

struct fetched {
    uint64_t size;        /* bytes that came */
    uint64_t said;        /* what the server said the size is (tsize); UINT64_MAX: nothing */
    uint16_t blksize;     /* granted; 512 when the server did not take the option */
    struct digest digest; /* of the bytes */
    uint64_t took_us;
};

/* Fetches it, for at most 15 s. 0; -ETIMEDOUT: the server fell silent; -EPROTO: it refused (`error` says what
 * it said), or sent what is no TFTP; -EFBIG: more than FETCH_MAX; -errno of the sockets. */
#define FETCH_ERROR_MAX 128
int fetch(ipv4_t server, uint16_t port, const char *name, uint16_t blksize, struct fetched *ret_fetched,
          char error[static FETCH_ERROR_MAX]);
