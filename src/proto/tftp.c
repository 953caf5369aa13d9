/* TFTP packets; the contract is in proto/tftp.h. */
#include "proto/tftp.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

static void take_blksize(struct tftp_options *o, uint64_t value)
{
    o->blksize = (uint16_t)value;
}

static void take_tsize(struct tftp_options *o, uint64_t value)
{
    o->tsize = value;
}

static void take_timeout(struct tftp_options *o, uint64_t value)
{
    o->timeout = (uint8_t)value;
}

static void take_windowsize(struct tftp_options *o, uint64_t value)
{
    o->windowsize = (uint16_t)value;
}

static const struct {
    const char *name;
    enum tftp_option option;
    uint64_t min, max;
    void (*take)(struct tftp_options *o, uint64_t value);
} options_table[] = {
    {"blksize", TFTP_O_BLKSIZE, TFTP_BLKSIZE_MIN, TFTP_BLKSIZE_MAX, take_blksize}, /* RFC 2348 */
    {"tsize", TFTP_O_TSIZE, 0, UINT64_MAX, take_tsize},                            /* RFC 2349 */
    {"timeout", TFTP_O_TIMEOUT, 1, 255, take_timeout},                             /* RFC 2349 */
    {"windowsize", TFTP_O_WINDOWSIZE, 1, 65535, take_windowsize},                  /* RFC 7440 */
};

static void take_option(struct tftp_options *options, bool netascii, const char *name, const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(options_table); i++) {
        uint64_t value;
        if (strcasecmp(options_table[i].name, name) != 0)
            continue;
        if (options->has & options_table[i].option)
            return;
        if (options_table[i].option == TFTP_O_TSIZE && netascii)
            return;
        if (parse_u64(text, options_table[i].min, options_table[i].max, &value) < 0)
            return;
        options_table[i].take(options, value);
        options->has |= options_table[i].option;
        return;
    }
}

static int parse_options(struct reader *r, bool netascii, struct tftp_options *options)
{
    while (r->left) {
        /* Some loaders pad requests with zeroes: nothing but zeroes is no option. */
        if (*r->p == 0) {
            reader_u8(r);
            continue;
        }
        const char *option = reader_cstr(r), *value = reader_cstr(r);
        if (!option || !value)
            return -EINVAL;
        take_option(options, netascii, option, value);
    }
    return 0;
}

static int parse_request(struct reader *r, struct tftp_request *request)
{
    *request = (struct tftp_request){0};
    if (r->left > TFTP_REQUEST_MAX - 2)
        return -EINVAL;
    const char *name = reader_cstr(r), *mode = reader_cstr(r);
    if (!name || !mode || *name == '\0' || strlen(name) > TFTP_NAME_MAX)
        return -EINVAL;
    request->name = name;
    if (strcasecmp(mode, "octet") == 0)
        request->mode = TFTP_OCTET;
    else if (strcasecmp(mode, "netascii") == 0)
        request->mode = TFTP_NETASCII;
    else
        return -EINVAL;
    return parse_options(r, request->mode == TFTP_NETASCII, &request->options);
}

int tftp_parse(const void *data, size_t size, struct tftp_packet *ret_packet)
{
    struct reader r = reader_of(data, size);
    struct tftp_packet p = {.op = reader_u16(&r), .message = ""};
    switch (p.op) {
    case TFTP_RRQ:
    case TFTP_WRQ: {
        int error = r.failed ? -EINVAL : parse_request(&r, &p.request);
        if (error < 0)
            return error;
        break;
    }
    case TFTP_DATA:
    case TFTP_ACK:
        p.block = reader_u16(&r);
        break;
    case TFTP_ERROR:
        p.code = reader_u16(&r);
        if (!r.failed && r.left) {
            const char *message = reader_cstr(&r);
            if (message)
                p.message = message;
            r.failed = false; /* old ROMs leave the NUL away; the code is what counts */
        }
        break;
    case TFTP_OACK:
        p.options = (struct tftp_options){0};
        if (r.left > TFTP_REQUEST_MAX || parse_options(&r, false, &p.options) < 0)
            return -EINVAL;
        break;
    default:
        return -EINVAL;
    }
    if (r.failed)
        return -EINVAL;
    *ret_packet = p;
    return 0;
}

void tftp_write_data(uint8_t buf[static TFTP_DATA_HEADER], uint16_t block)
{
    struct writer w = writer_of(buf, TFTP_DATA_HEADER);
    writer_u16(&w, TFTP_DATA);
    writer_u16(&w, block);
}

size_t tftp_write_error(uint8_t buf[static TFTP_SMALL_MAX], enum tftp_error code, const char *message)
{
    struct writer w = writer_of(buf, TFTP_SMALL_MAX);
    writer_u16(&w, TFTP_ERROR);
    writer_u16(&w, (uint16_t)code);
    writer_put(&w, message, strnlen(message, TFTP_SMALL_MAX - 5));
    writer_u8(&w, 0);
    return w.used;
}

static void put_options(struct writer *w, const struct tftp_options *o)
{
    const struct {
        enum tftp_option option;
        const char *name;
        uint64_t value;
    } list[] = {
        {TFTP_O_BLKSIZE, "blksize", o->blksize},
        {TFTP_O_TSIZE, "tsize", o->tsize},
        {TFTP_O_TIMEOUT, "timeout", o->timeout},
        {TFTP_O_WINDOWSIZE, "windowsize", o->windowsize},
    };
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        char text[24];
        if (!(o->has & list[i].option))
            continue;
        snprintf(text, sizeof(text), "%" PRIu64, list[i].value);
        writer_cstr(w, list[i].name);
        writer_cstr(w, text);
    }
}

size_t tftp_write_oack(uint8_t buf[static TFTP_SMALL_MAX], const struct tftp_options *o)
{
    struct writer w = writer_of(buf, TFTP_SMALL_MAX);
    writer_u16(&w, TFTP_OACK);
    put_options(&w, o);
    return w.used;
}

int tftp_write_request(uint8_t buf[static TFTP_REQUEST_MAX], const char *name,
                       const struct tftp_options *options)
{
    struct writer w = writer_of(buf, TFTP_REQUEST_MAX);
    if (strlen(name) > TFTP_NAME_MAX)
        return -ENAMETOOLONG;
    writer_u16(&w, TFTP_RRQ);
    writer_cstr(&w, name);
    writer_cstr(&w, "octet");
    put_options(&w, options);
    return (int)w.used;
}

void tftp_write_ack(uint8_t buf[static TFTP_ACK_SIZE], uint16_t block)
{
    struct writer w = writer_of(buf, TFTP_ACK_SIZE);
    writer_u16(&w, TFTP_ACK);
    writer_u16(&w, block);
}
