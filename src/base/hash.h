/* SHA-256, by libsodium: what artifacts are named after and what downloads are checked against. */
#pragma once

#include <sodium/crypto_hash_sha256.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_TEXT_MAX 65

struct digest {
    uint8_t b[32];
};

/* Incremental: hash_init, hash_add as often as needed, hash_end. */
struct hash {
    crypto_hash_sha256_state state;
};
void hash_init(struct hash *h);
void hash_add(struct hash *h, const void *data, size_t size);
/* Adds a field so that its end is unambiguous: the length, then the bytes. NULL differs from "". For cache
 * keys. */
void hash_field(struct hash *h, const char *text);
void hash_end(struct hash *h, struct digest *ret_digest);

/* Of a whole file, by streaming. 0 or -errno. */
int hash_file(const char *path, struct digest *ret_digest);

/* 64 lower-case hexadecimal digits. digest_parse takes either case; 0 or -EINVAL. */
const char *digest_format(const struct digest *d, char buf[static DIGEST_TEXT_MAX]);
int digest_parse(const char *s, struct digest *ret_digest);
bool digest_equal(const struct digest *a, const struct digest *b);
