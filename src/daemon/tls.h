/* What the server shows who asks for TLS: a certificate with its chain, and the key. Either the files that
 * the configuration names, or a self-signed certificate that is made in STATE/tls (cert.pem, key.pem) for the
 * server's addresses and its name. */
#pragma once

#include "base/addr.h"
#include "base/diag.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stddef.h>

struct tls_identity {
    gnutls_pcert_st *chain; /* the server's own first */
    unsigned chain_n;
    gnutls_privkey_t key;
    int64_t expires;      /* Unix time, seconds */
    char fingerprint[96]; /* SHA-256 of the certificate, `AB:CD:...` */
};
void tls_identity_free(struct tls_identity *identity); /* NULL is allowed */
DEFINE_CLEANUP(struct tls_identity *, tls_identity_free);

/* A new certificate is made this long before the end of the old one. */
enum { TLS_RENEW_S = 30 * 86400, TLS_VALID_S = 825 * 86400 };

/* Reads the two PEM files. -EACCES: the key can be read by others than its owner and group; -EKEYREJECTED:
 * the files are no certificate and key, or do not belong together, or the certificate has ended; other -errno
 * of the disk. With `diags`. */
int tls_identity_read(const char *certificate, const char *key, int64_t now, struct diags *diags,
                      struct tls_identity **ret_identity);

/* The server's own in `folder`, which is made when it is missing. A key is made once; a certificate when
 * there is none, when its end is near and when one of the addresses is not in it. *ret_made: it was. 0 or
 * -errno with `diags`. */
int tls_identity_own(const char *folder, const ipv4_t *addresses, size_t n, int64_t now, struct diags *diags,
                     struct tls_identity **ret_identity, bool *ret_made);

/* Whether one shows the same certificate as the other. */
bool tls_identity_equal(const struct tls_identity *a, const struct tls_identity *b);
