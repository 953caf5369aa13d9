/* See serve/tftp_quota.h. */
#include "serve/tftp_quota.h"

#define SECOND UINT64_C(1000000)

void tftp_quota_init(struct tftp_quota *q)
{
    *q = (struct tftp_quota){.lock = PTHREAD_MUTEX_INITIALIZER};
}

/* H7: so many a second, then a pause. */
static bool in_pace(struct tftp_quota *q, uint64_t now_us, unsigned cps, unsigned pause_s)
{
    if (!cps)
        return true;
    if (now_us < q->pause_until_us)
        return false;
    if (now_us - q->second_us >= SECOND) {
        q->second_us = now_us;
        q->started = 0;
    }
    if (q->started >= cps) {
        q->pause_until_us = now_us + pause_s * SECOND;
        return false;
    }
    q->started++;
    return true;
}

bool tftp_quota_has_room(struct tftp_quota *q, size_t max)
{
    pthread_mutex_lock(&q->lock);
    bool room = q->transfers < max;
    pthread_mutex_unlock(&q->lock);
    return room;
}

bool tftp_quota_begin(struct tftp_quota *q, uint64_t now_us, size_t max, unsigned cps, unsigned pause_s)
{
    pthread_mutex_lock(&q->lock);
    bool may = q->transfers < max && in_pace(q, now_us, cps, pause_s);
    q->transfers += may;
    pthread_mutex_unlock(&q->lock);
    return may;
}

void tftp_quota_end(struct tftp_quota *q)
{
    pthread_mutex_lock(&q->lock);
    q->transfers--;
    pthread_mutex_unlock(&q->lock);
}

bool tftp_quota_take_bytes(struct tftp_quota *q, uint64_t bytes)
{
    pthread_mutex_lock(&q->lock);
    bool may = bytes <= TFTP_NETASCII_MAX - q->netascii_bytes;
    if (may)
        q->netascii_bytes += bytes;
    pthread_mutex_unlock(&q->lock);
    return may;
}

void tftp_quota_give_bytes(struct tftp_quota *q, uint64_t bytes)
{
    pthread_mutex_lock(&q->lock);
    q->netascii_bytes -= bytes;
    pthread_mutex_unlock(&q->lock);
}
