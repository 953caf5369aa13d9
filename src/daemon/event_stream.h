/* The stream of `rambox serve --events PATH`: one JSON object a line, for `rambox try` and whoever watches.
 *
 *     {"event":"dhcp-out","unix_us":1735689600123456,"mono_us":1234567,"mac":"52:54:00:12:34:56","node":"n1",
 *      "ip":"192.168.7.11","boot":"0123456789abcdef","detail":"ACK"}
 *
 *     event     event_name: dhcp-in, dhcp-out, dhcp-ignored, tftp-start, tftp-progress, tftp-end,
 *               tftp-refused, tftp-aborted, the same with http-, boot, stage, facts; and `serving`, the
 *               server's own (below)
 *     unix_us   microseconds of the calendar;  mono_us: of the clock that no one sets (CLOCK_BOOTTIME)
 *     mac, node, ip, boot, file, detail: text, as in struct event; absent when not known
 *     bytes, bytes_total, took_us, retransmissions: numbers of tftp-* and http-*; node_us: of stage; absent
 * when 0 json      object: the node's facts (H30), of `facts`
 *
 *     {"event":"serving","unix_us":..,"mono_us":..,"generation":12,"interfaces":["br0"]} whenever what is
 * served, or where, has changed; the first one says that the server is up. generation 0: none is published.
 *     {"event":"lost","count":3} the reader was too slow for 3 lines at this place
 *
 * Lines are written by a thread of their own, so a reader that stops never stops the server: up to
 * EVENTS_WAITING lines wait, further ones are lost and counted. */
#pragma once

#include "base/diag.h"
#include "serve/event.h"

#include <stddef.h>

enum { EVENTS_WAITING = 100000 };

struct event_stream;

/* PATH: a file (appended to), a FIFO, `-` for standard output, or the number of an open descriptor written
 * `fd:N`. 0 or -errno with `diags`. */
int event_stream_open(const char *path, struct diags *diags, struct event_stream **ret_stream);
/* Starts the thread that writes. 0 or -errno with `diags`. */
int event_stream_start(struct event_stream *stream, struct diags *diags);
/* Writes what waits, for at most a second. NULL is allowed. */
void event_stream_close(struct event_stream *stream);

/* Both: any thread; never wait; NULL stream: nothing happens. */
void event_stream_write(struct event_stream *stream, const struct event *event);
void event_stream_serving(struct event_stream *stream, const struct moment *now, unsigned generation,
                          const char *const *interfaces, size_t n);

/* The line of one event, without its newline; the caller's. NULL when memory is gone. */
char *event_to_json(const struct event *event);
