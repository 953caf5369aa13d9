/* TFTP packets (RFC 1350, 2347, 2348, 2349, 7440) as values. Pure. */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFTP_PORT        69
#define TFTP_BLKSIZE     512 /* without the option */
#define TFTP_BLKSIZE_MIN 8   /* RFC 2348 */
#define TFTP_BLKSIZE_MAX 65464
#define TFTP_REQUEST_MAX 1024 /* longer requests are refused (RFC 2347 says 512; some loaders send more) */
#define TFTP_NAME_MAX    255  /* bytes of a file name */

enum tftp_op { TFTP_RRQ = 1, TFTP_WRQ, TFTP_DATA, TFTP_ACK, TFTP_ERROR, TFTP_OACK };

enum tftp_error {
    TFTP_E_UNDEFINED,
    TFTP_E_NOT_FOUND,
    TFTP_E_ACCESS,
    TFTP_E_DISK_FULL,
    TFTP_E_ILLEGAL,
    TFTP_E_UNKNOWN_TID,
    TFTP_E_EXISTS,
    TFTP_E_NO_USER,
    TFTP_E_OPTIONS, /* RFC 2347 */
};

enum tftp_mode { TFTP_OCTET, TFTP_NETASCII };

/* Options, as bits of tftp_options.has. */
enum tftp_option { TFTP_O_BLKSIZE = 1, TFTP_O_TSIZE = 2, TFTP_O_TIMEOUT = 4, TFTP_O_WINDOWSIZE = 8 };

struct tftp_options {
    unsigned has;
    uint16_t blksize;    /* bytes, 8..65464 (T4) */
    uint64_t tsize;      /* bytes */
    uint8_t timeout;     /* seconds, 1..255 (T5) */
    uint16_t windowsize; /* blocks, 1..65535 (T6) */
};

struct tftp_request {
    const char *name; /* 1..TFTP_NAME_MAX bytes, in the packet */
    enum tftp_mode mode;
    struct tftp_options options;
};

struct tftp_packet {
    enum tftp_op op;
    union {
        struct tftp_request request; /* RRQ, WRQ */
        uint16_t block;              /* DATA, ACK */
        uint16_t code;               /* ERROR */
        struct tftp_options options; /* OACK */
    };
    const char *message; /* ERROR: NUL-terminated within the packet, or "" */
};

/* Parses one packet. Options (T9): names in either case, unknown ones passed over, a value that is no decimal
 * number or out of its range counts as not asked, the first of several counts, tsize is passed over in
 * netascii. 0 or -EINVAL: too short, unknown opcode, a missing NUL, an empty or too long name, an unknown
 * mode, an option without value, a request longer than TFTP_REQUEST_MAX. An OACK's options are read by the
 * same rules. Strings point into `data`. */
int tftp_parse(const void *data, size_t size, struct tftp_packet *ret_packet);

#define TFTP_DATA_HEADER 4
void tftp_write_data(uint8_t buf[static TFTP_DATA_HEADER], uint16_t block);
/* Both return the size. An ERROR's message is cut to fit. */
#define TFTP_SMALL_MAX 128
size_t tftp_write_error(uint8_t buf[static TFTP_SMALL_MAX], enum tftp_error code, const char *message);
size_t tftp_write_oack(uint8_t buf[static TFTP_SMALL_MAX], const struct tftp_options *options);

/* A client's packets. A read request, in octet mode: its size, or -ENAMETOOLONG when the name is longer than
 * TFTP_NAME_MAX. An ACK always fits. */
int tftp_write_request(uint8_t buf[static TFTP_REQUEST_MAX], const char *name,
                       const struct tftp_options *options);
#define TFTP_ACK_SIZE 4
void tftp_write_ack(uint8_t buf[static TFTP_ACK_SIZE], uint16_t block);
