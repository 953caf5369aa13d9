/* What the tables of all TFTP workers share, so that a limit holds for all of them together. Safe from any
 * thread; asked for once a request, never for a packet. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tftp_quota {
    pthread_mutex_t lock;
    size_t transfers;
    uint64_t netascii_bytes; /* of the copies that netascii needs */
    uint64_t second_us;      /* H7: when the second of `started` began */
    unsigned started;
    uint64_t pause_until_us;
};

void tftp_quota_init(struct tftp_quota *quota);

/* Whether fewer than `max` transfers run. */
bool tftp_quota_has_room(struct tftp_quota *quota, size_t max);
/* One transfer more (F12, H7): false when `max` run already, or when it would be more than `cps` new ones in
 * one second, after which there is a pause. cps 0: as many as come. now_us: monotonic. */
bool tftp_quota_begin(struct tftp_quota *quota, uint64_t now_us, size_t max, unsigned cps, unsigned pause_s);
void tftp_quota_end(struct tftp_quota *quota);

/* Bytes of a copy: false when there is no room for them. They are given back when it is freed. */
bool tftp_quota_take_bytes(struct tftp_quota *quota, uint64_t bytes);
void tftp_quota_give_bytes(struct tftp_quota *quota, uint64_t bytes);
#define TFTP_NETASCII_MAX (UINT64_C(16) << 20)
