/* See daemon/tls.h. */
#include "daemon/tls.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* CHAIN_MAX: certificates in a file. KEY_BITS: iPXE's TLS knows RSA only. */
enum {
    CHAIN_MAX = 16,
    PEM_MAX = 1 << 20,
    KEY_BITS = 2048,
    FOLDER_MODE = 0700,
    KEY_MODE = 0600,
    CERT_MODE = 0644
};

DEFINE_CLEANUP(gnutls_x509_crt_t, gnutls_x509_crt_deinit);
DEFINE_CLEANUP(gnutls_x509_privkey_t, gnutls_x509_privkey_deinit);

void tls_identity_free(struct tls_identity *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < t->chain_n; i++)
        gnutls_pcert_deinit(&t->chain[i]);
    free(t->chain);
    if (t->key)
        gnutls_privkey_deinit(t->key);
    free(t);
}

bool tls_identity_equal(const struct tls_identity *a, const struct tls_identity *b)
{
    return str_eq(a->fingerprint, b->fingerprint);
}

static int refuse(struct diags *diags, const char *path, const char *what, int r)
{
    diag_error(diags, NULL, "%s: %s: %s", path, what, gnutls_strerror(r));
    return -EKEYREJECTED;
}

/* The text of a PEM file; a datum for GnuTLS that is as long as `*ret_text`. */
static int read_pem(const char *path, struct diags *diags, char **ret_text, gnutls_datum_t *ret_datum)
{
    size_t size;
    int r = file_read(path, PEM_MAX, ret_text, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read %s", path);
    *ret_datum = (gnutls_datum_t){(unsigned char *)*ret_text, (unsigned)size};
    return 0;
}

/* A key that everybody on the machine can read is no secret any more. */
static int check_key_mode(const char *path, struct diags *diags)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return diag_errno(diags, -errno, "cannot read %s", path);
    if (!(st.st_mode & S_IRWXO))
        return 0;
    diag_error(diags, NULL,
               "%s: the key can be read by everybody on this machine: chmod o= it, and consider it known",
               path);
    return -EACCES;
}

static int load_chain(struct tls_identity *t, const char *path, int64_t now, struct diags *diags)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t pem = {0};
    gnutls_x509_crt_t certs[CHAIN_MAX];
    unsigned n = CHAIN_MAX;
    uint8_t digest[32];
    size_t size = sizeof(digest);
    int r = read_pem(path, diags, &text, &pem);
    if (r < 0)
        return r;
    r = gnutls_x509_crt_list_import(certs, &n, &pem, GNUTLS_X509_FMT_PEM,
                                    GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (r < 0)
        return refuse(diags, path, "no certificate, or a chain that is not in order", r);
    t->expires = gnutls_x509_crt_get_expiration_time(certs[0]);
    (void)gnutls_x509_crt_get_fingerprint(certs[0], GNUTLS_DIG_SHA256, digest, &size);
    for (size_t i = 0; i < size; i++)
        snprintf(t->fingerprint + 3 * i, 4, "%02X%s", digest[i], i + 1 < size ? ":" : "");
    t->chain = calloc(n, sizeof(*t->chain));
    r = t->chain ? 0 : GNUTLS_E_MEMORY_ERROR;
    for (unsigned i = 0; i < n && r >= 0; i++) {
        r = gnutls_pcert_import_x509(&t->chain[i], certs[i], 0);
        t->chain_n += r >= 0;
    }
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(certs[i]);
    if (r < 0)
        return refuse(diags, path, "cannot use the certificate", r);
    if (t->expires <= now) {
        diag_error(diags, NULL, "%s: the certificate has ended: put a new one there", path);
        return -EKEYREJECTED;
    }
    return 0;
}

static int load_key(struct tls_identity *t, const char *path, struct diags *diags)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t pem = {0};
    int r = check_key_mode(path, diags);
    if (r == 0)
        r = read_pem(path, diags, &text, &pem);
    if (r < 0)
        return r;
    r = gnutls_privkey_init(&t->key);
    if (r >= 0)
        r = gnutls_privkey_import_x509_raw(t->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(text, 0, pem.size);
    return r < 0 ? refuse(diags, path, "no private key (a key with a password cannot be used)", r) : 0;
}

/* Whether the key is the certificate's: both have the same public half. */
static bool belong_together(const struct tls_identity *t)
{
    uint8_t ids[2][32];
    size_t sizes[2] = {sizeof(ids[0]), sizeof(ids[1])};
    gnutls_pubkey_t public;
    if (gnutls_pubkey_init(&public) < 0)
        return false;
    bool fits =
        gnutls_pubkey_import_privkey(public, t->key, 0, 0) >= 0 &&
        gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]) >= 0 &&
        gnutls_pubkey_get_key_id(t->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]) >= 0 &&
        sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
    gnutls_pubkey_deinit(public);
    return fits;
}

static int load(struct tls_identity *t, const char *certificate, const char *key, int64_t now,
                struct diags *diags)
{
    int r = load_key(t, key, diags);
    if (r == 0)
        r = load_chain(t, certificate, now, diags);
    if (r < 0 || belong_together(t))
        return r;
    diag_error(diags, NULL, "%s: this key is not the one of the certificate in %s", key, certificate);
    return -EKEYREJECTED;
}

int tls_identity_read(const char *certificate, const char *key, int64_t now, struct diags *diags,
                      struct tls_identity **ret_identity)
{
    struct tls_identity *t = calloc(1, sizeof(*t));
    int r = t ? load(t, certificate, key, now, diags) : -ENOMEM;
    if (r == 0)
        *ret_identity = t;
    else
        tls_identity_free(t);
    return r;
}

/* ---- our own ---- */

static int write_pem(const char *path, const gnutls_datum_t *pem, mode_t mode, struct diags *diags)
{
    int r = file_write_atomic(path, pem->data, pem->size, mode);
    return r < 0 ? diag_errno(diags, r, "cannot write %s", path) : 0;
}

static int make_key(const char *path, struct diags *diags, gnutls_x509_privkey_t key)
{
    gnutls_datum_t pem = {0};
    int r = gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, KEY_BITS, 0);
    if (r >= 0)
        r = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    if (r < 0)
        return refuse(diags, path, "cannot make a key", r);
    r = write_pem(path, &pem, KEY_MODE, diags);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return r;
}

static int read_or_make_key(const char *path, struct diags *diags, gnutls_x509_privkey_t key)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t pem = {0};
    if (!file_exists(path))
        return make_key(path, diags, key);
    int r = check_key_mode(path, diags);
    if (r == 0)
        r = read_pem(path, diags, &text, &pem);
    if (r < 0)
        return r;
    r = gnutls_x509_privkey_import(key, &pem, GNUTLS_X509_FMT_PEM);
    gnutls_memset(text, 0, pem.size);
    return r < 0 ? refuse(diags, path, "no private key; remove it, and a new one is made", r) : 0;
}

/* The names that the certificate is for. */
static int add_names(gnutls_x509_crt_t cert, const ipv4_t *addresses, size_t n)
{
    char host[256] = "";
    int r = 0;
    for (size_t i = 0; i < n && r >= 0; i++) {
        uint32_t wire = htonl(addresses[i]);
        r = gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, &wire, sizeof(wire),
                                                 GNUTLS_FSAN_APPEND);
    }
    if (r >= 0 && gethostname(host, sizeof(host) - 1) == 0 && host[0])
        r = gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host),
                                                 GNUTLS_FSAN_APPEND);
    return r;
}

static int fill(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, const ipv4_t *addresses, size_t n,
                int64_t now)
{
    static const char name[] = "rambox";
    uint8_t serial[16], id[32];
    size_t id_size = sizeof(id);
    int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] &= 0x7f; /* positive (RFC 5280 §4.1.2.2) */
    if (r >= 0)
        r = gnutls_x509_crt_set_version(cert, 3);
    if (r >= 0)
        r = gnutls_x509_crt_set_serial(cert, serial, sizeof(serial));
    if (r >= 0)
        r = gnutls_x509_crt_set_activation_time(cert, (time_t)now - 86400); /* nodes' clocks may be behind */
    if (r >= 0)
        r = gnutls_x509_crt_set_expiration_time(cert, (time_t)(now + TLS_VALID_S));
    if (r >= 0)
        r = gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, sizeof(name) - 1);
    if (r >= 0)
        r = gnutls_x509_crt_set_key(cert, key);
    if (r >= 0)
        r = gnutls_x509_crt_set_basic_constraints(cert, 1, 0); /* so that clients can take it as their root */
    if (r >= 0)
        r = gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_ENCIPHERMENT |
                                                    GNUTLS_KEY_KEY_CERT_SIGN);
    if (r >= 0)
        r = gnutls_x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA1, id, &id_size);
    if (r >= 0)
        r = gnutls_x509_crt_set_subject_key_id(cert, id, id_size);
    if (r >= 0)
        r = add_names(cert, addresses, n);
    return r >= 0 ? gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0) : r;
}

static int make_certificate(const char *path, const char *key_path, const ipv4_t *addresses, size_t n,
                            int64_t now, struct diags *diags)
{
    CLEANUP(gnutls_x509_privkey_deinit) gnutls_x509_privkey_t key = NULL;
    CLEANUP(gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
    gnutls_datum_t pem = {0};
    if (gnutls_x509_privkey_init(&key) < 0 || gnutls_x509_crt_init(&cert) < 0)
        return -ENOMEM;
    int r = read_or_make_key(key_path, diags, key);
    if (r < 0)
        return r;
    r = fill(cert, key, addresses, n, now);
    if (r >= 0)
        r = gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem);
    if (r < 0)
        return refuse(diags, path, "cannot make a certificate", r);
    r = write_pem(path, &pem, CERT_MODE, diags);
    gnutls_free(pem.data);
    return r;
}

static bool names_address(gnutls_x509_crt_t cert, ipv4_t address)
{
    const uint32_t wire = htonl(address);
    for (unsigned i = 0;; i++) {
        uint8_t name[256];
        size_t size = sizeof(name);
        int r = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &size, NULL);
        if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return false;
        if (r == GNUTLS_SAN_IPADDRESS && size == sizeof(wire) && memcmp(name, &wire, sizeof(wire)) == 0)
            return true;
    }
}

/* Whether what is in the file will do. */
static bool is_good(const char *path, const ipv4_t *addresses, size_t n, int64_t now)
{
    cleanup_free char *text = NULL;
    CLEANUP(gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
    size_t size;
    if (file_read(path, PEM_MAX, &text, &size) < 0 || gnutls_x509_crt_init(&cert) < 0)
        return false;
    const gnutls_datum_t pem = {(unsigned char *)text, (unsigned)size};
    if (gnutls_x509_crt_import(cert, &pem, GNUTLS_X509_FMT_PEM) < 0 ||
        gnutls_x509_crt_get_expiration_time(cert) - TLS_RENEW_S < now)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!names_address(cert, addresses[i]))
            return false;
    return true;
}

int tls_identity_own(const char *folder, const ipv4_t *addresses, size_t n, int64_t now, struct diags *diags,
                     struct tls_identity **ret_identity, bool *ret_made)
{
    cleanup_free char *cert = xasprintf("%s/cert.pem", folder), *key = xasprintf("%s/key.pem", folder);
    int r = dir_make(folder);
    if (r == 0 && chmod(folder, FOLDER_MODE) < 0)
        r = -errno;
    if (r < 0)
        return diag_errno(diags, r, "cannot use %s", folder);
    bool make = !file_exists(key) || !is_good(cert, addresses, n, now);
    if (make)
        r = make_certificate(cert, key, addresses, n, now, diags);
    if (r == 0)
        r = tls_identity_read(cert, key, now, diags, ret_identity);
    if (r == 0)
        *ret_made = make;
    return r;
}
