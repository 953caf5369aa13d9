/* How the benchmark's packets travel: hundreds with one call of the kernel, none allocated.
 *
 * Two ways to be a DHCP client. As a relay agent, over a UDP socket on port 67 that is connected to the
 * server; or on the link itself, as frames of many machines, each with its own hardware address, over a
 * packet socket whose filter lets only replies to port 68 through, whether they were broadcast or sent to one
 * machine. One way to be a server: a UDP socket on port 67 that takes requests, and a packet socket for
 * replies to machines that have no address. A packet here is what the socket takes: a DHCP message, or a
 * frame that has one. */
#pragma once

#include "base/addr.h"
#include "base/diag.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
    LINK_BATCH = 128,
    LINK_PACKET = 1600,    /* room of one packet */
    LINK_HEADERS = 14 + 28 /* Ethernet, IPv4 and UDP before the message of a frame */
};

struct link_batch {
    unsigned n;
    struct mmsghdr messages[LINK_BATCH];
    struct iovec parts[LINK_BATCH];
    struct sockaddr_in peers[LINK_BATCH]; /* only of a socket that is not connected */
    uint8_t data[LINK_BATCH][LINK_PACKET];
};

struct link {
    int fd;
    size_t headers; /* bytes before the DHCP message: LINK_HEADERS or 0 */
    bool connected;
    struct mac mac;  /* the interface's, for a packet socket */
    ipv4_t address;  /* ours, for a UDP socket */
    uint64_t unsent; /* packets that the kernel refused */
    struct link_batch in, out;
};

/* As a relay agent with our `address` (0: the one from which the server is reached). 0 or -errno. */
int link_open_relay(struct link *link, ipv4_t server, ipv4_t address, struct diags *diags);
/* As machines on the link. 0 or -errno. */
int link_open_direct(struct link *link, const char *interface, struct diags *diags);
/* As a server on the interface. 0 or -errno. */
int link_open_server(struct link *link, const char *interface, struct diags *diags);
void link_close(struct link *link);

/* Room for one more packet of `size` bytes, at most LINK_PACKET, which leaves with the next flush, or before
 * when the batch is full. `to` is for a socket that is not connected, else NULL. */
uint8_t *link_add(struct link *link, size_t size, const struct sockaddr_in *to);
void link_flush(struct link *link);

/* Takes what has arrived, a batch at most, without waiting. Returns how many packets, 0 for none. */
unsigned link_receive(struct link *link);
/* The DHCP message in the i-th of them; NULL when there is none. */
const uint8_t *link_message(const struct link *link, unsigned i, size_t *ret_size);

/* Writes the headers of a frame from one machine to another before a message of `size` bytes. The UDP
 * checksum is 0, "not computed" (RFC 768), so that the message may be changed after. */
void link_write_headers(uint8_t frame[static LINK_HEADERS], const struct mac *from, const struct mac *to,
                        const struct sockaddr_in *source, const struct sockaddr_in *destination, size_t size);
