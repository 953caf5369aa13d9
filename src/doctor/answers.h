/* What the servers of one network answered, collected from frames and joined by server. Pure: it is handed
 * frames and moments. Bounded: whatever is sent, it holds ANSWERS_MAX servers and what each said to each
 * probe; what is beyond that is only counted. */
#pragma once

#include "doctor/finding.h"
#include "doctor/wire.h"

enum { PROBES_MAX = 24, SERVERS_MAX = 32 };

/* What one server answered to one probe, the first time. */
struct answer {
    bool heard;
    uint8_t type;       /* enum dhcp_type */
    ipv4_t ip;          /* offered; 0: none (proxyDHCP) */
    ipv4_t next_server; /* siaddr; 0: the server itself */
    char file[129];     /* the boot file: the `file` field, else option 67; empty: none */
    bool pxe;           /* option 60 is PXEClient or HTTPClient */
    bool boots_at_once; /* option 43 tells PXE to boot that file, without a menu or port 4011 (P5, P6) */
    bool raspberry;     /* option 43 has what a Raspberry Pi waits for; it knows no boot file */
    uint64_t after_us;  /* since the probe was last sent */
};

struct server_heard {
    struct mac mac;     /* the frames' source: of the server, or of the relay or router before it */
    ipv4_t source;      /* the packets' source address */
    ipv4_t id;          /* option 54; 0: it sent none */
    bool local;         /* this machine sent it */
    bool gives_address; /* it offered an address to somebody; else it is a proxyDHCP server */
    bool boots;         /* it named a boot file, or called itself a PXE server */
    bool asks_4011;     /* it called itself a PXE server, but not by option 43 which file to boot at once */
    unsigned to_others; /* answers to machines that are not our probes */
    ipv4_t other_ip;    /* of the last of those */
    struct mac other;   /* who it was for */
    struct answer to[PROBES_MAX];
};

/* A probe and when it was last sent. */
struct probe_sent {
    struct probe probe;
    uint64_t at_us; /* monotonic; 0: not yet */
};

struct answers {
    uint16_t server_port;
    size_t probes_n;
    struct probe_sent probes[PROBES_MAX];
    size_t servers_n;
    struct server_heard servers[SERVERS_MAX];
    unsigned malformed;      /* answers that are no DHCP messages */
    unsigned not_held;       /* answers of servers beyond SERVERS_MAX */
    struct wire_reply reply; /* the frame at hand */
};

/* Adds a probe; its number. At most PROBES_MAX; -ENOSPC beyond. */
int answers_probe(struct answers *a, const struct probe *probe);
/* Takes a frame, heard at `now_us`; `local`: this machine sent it. */
void answers_take(struct answers *a, uint64_t now_us, bool local, const void *frame, size_t size);
/* Whether any server, or (with `local`) this machine's, answered the probe. */
bool answers_has(const struct answers *a, size_t probe, bool local);

/* The boot file that a message names: `file`, else option 67 up to its NUL; empty when it names none. */
void answer_file(const struct dhcp_packet *p, char ret_file[static 129]);

/* `192.168.7.2 (02:00:00:00:00:02)`, with the server id where it differs from the source. */
#define SERVER_TEXT_MAX 80
const char *server_format(const struct server_heard *server, char buf[static SERVER_TEXT_MAX]);
