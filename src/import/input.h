/* What the readers of the formats share: the file that is read, saying what is lost, and the forms in which
 * machines are named. Internal to src/import: import.h is the door. */
#pragma once

#include "base/str.h"
#include "config/schema.h"
#include "import/import.h"

/* A file on its way in. */
struct input {
    const char *name; /* in positions; owned by `into` */
    const char *text; /* without NUL bytes, and with one behind it */
    size_t size;
    int root; /* PXELINUX: the folder that INCLUDE is relative to; -1: it is not followed */
    const char *root_path;
    struct import *into;
    struct diags *diags;
    unsigned said;              /* how often something was said: bounded, whatever the file holds */
    unsigned long long advised; /* the rows of a table of advice that were said, a bit each */
};

/* The readers: 0, or -EINVAL with an error said. */
int read_dnsmasq(struct input *s);
int read_isc(struct input *s);
int read_kea(struct input *s);
int read_pxelinux(struct input *s);

/* True when PXELINUX looks for files of this name; `default` too. */
bool is_pxelinux_name(const char *name);

/* Makes what was read fit to be shown: bytes that are no UTF-8 become `?`, so that no place moves. 0, or
 * -EINVAL when it holds a NUL and so is no text. */
int clean_text(char *text, size_t size);

/* Says one thing about a place. input_error returns -EINVAL. */
int input_say(struct input *s, enum severity severity, const struct pos *at, const char *fmt, ...)
    PRINTF(4, 5);
#define input_error(s, at, ...) (input_say(s, DIAG_ERROR, at, __VA_ARGS__), -EINVAL)
#define input_lost(s, at, ...)  input_say(s, DIAG_WARNING, at, __VA_ARGS__)

/* What to do instead of a keyword that is not about one machine. Said once a file. */
struct advice {
    const char *word, *text;
};
#define ADVICE_OPTIONS                                                                                       \
    "write it as `options` of rambox.yaml or of a subnet; `router`, `dns`, `ntp` and `domain` are keys of "  \
    "a "                                                                                                     \
    "subnet"
/* Says `WORD is not taken over: TEXT` when the table (at most 64 rows, ends with word NULL) has the word and
 * did not say it yet. True when it has it. */
bool input_advise(struct input *s, const struct advice *table, const char *word, const struct pos *at);

/* A host of this file, to be filled in. Valid until the next one. */
struct import_host *input_add(struct input *s, const struct pos *at);

/* The next line, without its end; the cursor is 0 at first. False at the end of the file. */
struct lines {
    size_t next;
    const char *text;
    size_t size;
    unsigned number; /* counts from 1 */
};
bool lines_next(const struct input *s, struct lines *lines);

/* Characters one after the other, for formats without lines. */
struct cursor {
    const char *p, *end;
    unsigned line, column;
};
struct cursor cursor_of(const struct input *s);
/* The character at the cursor or `n` behind it; -1 beyond the end. */
static inline int cursor_peek(const struct cursor *c, size_t n)
{
    return n < (size_t)(c->end - c->p) ? (unsigned char)c->p[n] : -1;
}
void cursor_skip(struct cursor *c, size_t n);
void cursor_skip_line(struct cursor *c);
struct pos cursor_pos(const struct input *s, const struct cursor *c);

/* Hexadecimal bytes of one or two digits each with `:` or `-` between them, or of two each with nothing
 * between them. The number of bytes, or -EINVAL (also when there are more than `max`). */
int hex_bytes(const char *text, uint8_t *bytes, size_t max);

/* Takes a MAC address of six such bytes. Without one in `text`, or with one that no card can have, it says
 * why and returns -EINVAL. */
int take_mac(struct input *s, const struct pos *at, const char *text, struct mac *ret_mac);

/* A DHCP client identifier (option 61): hardware type 1 and a MAC address, or type 0 and the UUID as PXE
 * firmware has it, name a machine and are taken over where the host has none yet. Of any other it is said
 * that it is lost. */
enum { CLIENT_ID_MAX = 255 };
void take_client_id(struct input *s, const struct pos *at, const uint8_t *id, size_t size,
                    struct import_host *host);

/* Says that a machine without a MAC address cannot be a node, and the command that makes it one. */
void say_without_mac(struct input *s, const struct pos *at, const char *why, const struct import_host *host);

/* Frees what the host owns. */
void host_clear(struct import_host *host);
