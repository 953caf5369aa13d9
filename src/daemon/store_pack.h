/* Operations of the store while they wait: as many bytes as they have to say, and not the room of the longest
 * client id and host name there can be. With ten thousand clients at once that is one megabyte instead of
 * five. */
#pragma once

#include "store/store.h"

/* Bytes that store_pack writes. */
size_t store_packed_size(const struct store_op *op);
/* Writes the operation to `to`; returns behind it. What the operation owns goes along. */
uint8_t *store_pack(const struct store_op *op, uint8_t *to);
/* Reads it back; returns behind it. Of texts, nothing behind their end is set. */
const uint8_t *store_unpack(const uint8_t *from, struct store_op *ret_op);
