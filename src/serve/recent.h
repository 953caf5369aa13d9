/* What was answered a moment ago: tells a message that its client sent again before our answer could reach it
 * (it waited in a queue behind the first one, or the first one's lease is on its way to the disk) from one
 * that it sent because the answer was lost. A storm's retransmissions then cost a look-up each (D14).
 *
 * A fixed table: one place for each message by a hash of what makes it the same (hardware address, xid, type,
 * relay, interface); the newest takes the place. A message that is wrongly taken for another is as unlikely
 * as two equal 64-bit hashes, and costs that client one retransmission.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct recent;

struct recent *recent_new(uint64_t seed); /* NULL: memory is gone */
void recent_free(struct recent *recent);

/* The hash of a message; `data` is what it is known by. */
uint64_t recent_key(const struct recent *recent, const void *data, unsigned size);
/* Whether a message that came in at `received_us` (0: not known) needs no answer: one to the same is being
 * prepared (for at most RECENT_PENDING_US), or was sent after this one came in. */
#define RECENT_PENDING_US UINT64_C(1000000)
bool recent_is_repeat(const struct recent *recent, uint64_t key, uint64_t received_us, uint64_t now_us);
/* An answer is on its way; it was sent; it will not be sent. */
void recent_begin(struct recent *recent, uint64_t key, uint64_t now_us);
void recent_sent(struct recent *recent, uint64_t key, uint64_t now_us);
void recent_forget(struct recent *recent, uint64_t key);
