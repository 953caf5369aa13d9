/* See build/sign.h. */
#include "build/sign.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "build/pe.h"
#include "build/stamp.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <sys/stat.h>
#include <time.h>

/* Raised whenever the same inputs give something else. */
#define RECIPE "signed 1"

/* PEM_MAX: no such file is longer. KERNEL_MAX: nor is a kernel. KEY_BITS: firmware accepts no shorter ones.
 */
enum { PEM_MAX = 1 << 20, KERNEL_MAX = 1 << 28, KEY_BITS = 2048 };

/* Key and certificate, while they are looked at. */
struct pair {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};

static void pair_clear(struct pair *p)
{
    if (p->key)
        gnutls_x509_privkey_deinit(p->key);
    if (p->certificate)
        gnutls_x509_crt_deinit(p->certificate);
}
#define cleanup_pair __attribute__((cleanup(pair_clear)))

static int refuse(const struct secure_boot *s, struct diags *diags, const char *path, const char *what)
{
    diag_error(diags, &s->pos, "secure_boot: %s: %s", path, what);
    return -EKEYREJECTED;
}

/* The text of a PEM file, and a datum that is as long. */
static int read_pem(const struct secure_boot *s, const char *path, struct diags *diags, char **ret_text,
                    gnutls_datum_t *ret_datum)
{
    size_t size;
    int r = file_read(path, PEM_MAX, ret_text, &size);
    if (r < 0) {
        diag_error(diags, &s->pos, "secure_boot: %s cannot be read: %s", path, strerror(-r));
        return r;
    }
    *ret_datum = (gnutls_datum_t){(unsigned char *)*ret_text, (unsigned)size};
    return 0;
}

static int read_key(const struct secure_boot *s, struct diags *diags, struct pair *p)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t pem;
    struct stat st;
    if (stat(s->key, &st) == 0 && (st.st_mode & S_IRWXO)) {
        diag_error(diags, &s->pos,
                   "secure_boot: %s: the key can be read by everybody on this machine: chmod o= it, and "
                   "consider it known",
                   s->key);
        return -EACCES;
    }
    int r = read_pem(s, s->key, diags, &text, &pem);
    if (r < 0)
        return r;
    r = gnutls_x509_privkey_init(&p->key);
    if (r >= 0)
        r = gnutls_x509_privkey_import2(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
    gnutls_memset(text, 0, pem.size);
    if (r < 0)
        return refuse(s, diags, s->key, "no private key in PEM form (one with a password cannot be used)");
    unsigned bits = 0;
    if (gnutls_x509_privkey_get_pk_algorithm2(p->key, &bits) != GNUTLS_PK_RSA || bits < KEY_BITS)
        return refuse(s, diags, s->key, "firmware knows RSA keys of at least 2048 bits, and no others");
    return 0;
}

static int read_certificate(const struct secure_boot *s, int64_t now, struct diags *diags, struct pair *p)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t pem;
    int r = read_pem(s, s->certificate, diags, &text, &pem);
    if (r < 0)
        return r;
    r = gnutls_x509_crt_init(&p->certificate);
    if (r >= 0)
        r = gnutls_x509_crt_import(p->certificate, &pem, GNUTLS_X509_FMT_PEM);
    if (r < 0)
        return refuse(s, diags, s->certificate, "no certificate in PEM form");
    if (gnutls_x509_crt_get_expiration_time(p->certificate) <= now)
        return refuse(s, diags, s->certificate,
                      "the certificate has ended: make a new one, and enrol it in the nodes' firmware");
    if (gnutls_x509_crt_get_activation_time(p->certificate) > now)
        return refuse(s, diags, s->certificate, "the certificate is not valid yet: is the clock right?");
    return 0;
}

/* Both have the same public half. */
static bool belong_together(const struct pair *p)
{
    uint8_t ids[2][32];
    size_t sizes[2] = {sizeof(ids[0]), sizeof(ids[1])};
    return gnutls_x509_privkey_get_key_id(p->key, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]) >= 0 &&
           gnutls_x509_crt_get_key_id(p->certificate, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]) >= 0 &&
           sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
}

int sign_check(const struct secure_boot *s, int64_t now, struct diags *diags)
{
    cleanup_pair struct pair p = {0};
    if (!s->key)
        return 0;
    int key = read_key(s, diags, &p);
    int certificate = read_certificate(s, now, diags, &p);
    if (key < 0 || certificate < 0)
        return key < 0 ? key : certificate;
    if (belong_together(&p))
        return 0;
    diag_error(diags, &s->pos, "secure_boot: the key %s is not the one of the certificate %s", s->key,
               s->certificate);
    return -EKEYREJECTED;
}

int sign_ready(const struct secure_boot *s, const struct build_env *env)
{
    static const struct build_tool tools[] = {{"sbsign", "sbsigntool"}, {0}};
    int r = s->key ? build_need(env, "secure_boot", tools) : 0;
    return r < 0 ? r : sign_check(s, (int64_t)time(NULL), env->diags);
}

int sign_hash(const struct secure_boot *s, const struct build_env *env, struct hash *hash)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t pem;
    hash_field(hash, s->key ? RECIPE : NULL);
    if (!s->key)
        return 0;
    int r = read_pem(s, s->certificate, env->diags, &text, &pem);
    if (r == 0)
        hash_field(hash, text);
    return r;
}

void sign_hash_definition(const struct secure_boot *s, const struct build_env *env, struct hash *hash)
{
    if (!s->key)
        return;
    hash_field(hash, RECIPE);
    hash_field(hash, s->key);
    hash_field(hash, s->certificate);
    stamp_add(hash, env->config_dir, s->certificate);
}

/* ---- signing ---- */

static void keep_line(void *user, const char *line)
{
    struct str *said = user;
    if (said->len < 4096)
        str_printf(said, "%s%s", said->len ? "; " : "", line);
}

int sign_file(const struct secure_boot *s, const struct build_env *env, const char *label, const char *from,
              const char *to)
{
    cleanup_str struct str said = {0};
    const char *const argv[] = {"sbsign",   "--key", s->key, "--cert", s->certificate,
                                "--output", to,      from,   NULL};
    int r = process_run(&(struct process_spec){.argv = argv, .on_line = keep_line, .user = &said});
    if (r == 0)
        return 0;
    diag_error(env->diags, NULL, "%s: sbsign cannot sign it: %s", label, str_text(&said));
    return r < 0 ? r : -EIO;
}

/* Whether firmware starts it by itself, and nobody has signed it yet. 1, 0, or -errno with a diagnostic: what
 * cannot be read is not served unsigned. */
static int wants_signature(const struct build_env *env, const struct built *what)
{
    cleanup_free char *path = artifact_path(env->artifact_dir, &what->artifact);
    cleanup_free char *data = NULL;
    size_t size;
    struct pe pe;
    int r = file_read(path, KERNEL_MAX, &data, &size);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot read %s, which is to be signed", what->name, path);
    return pe_parse(data, size, &pe) == 0 && pe.signature_size == 0;
}

/* Signs into a folder of its own, from where the artifact store takes it. */
static int sign_into_store(const struct secure_boot *s, const struct build_env *env, const struct built *what,
                           struct built *built)
{
    char hex[DIGEST_TEXT_MAX];
    cleanup_free char *path = artifact_path(env->artifact_dir, &what->artifact);
    cleanup_free char *name = xasprintf("sign-%.16s", digest_format(&what->artifact, hex));
    cleanup_free char *folder = xasprintf("%s/work/%s", env->cache_dir, name);
    cleanup_free char *result = xasprintf("%s/signed", folder);
    cleanup_close int lock = build_lock(env, name);
    if (lock < 0)
        return lock;
    int r = dir_remove(folder); /* of one that was killed */
    if (r == 0)
        r = dir_make(folder);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot write to the cache folder %s", env->cache_dir);
    r = sign_file(s, env, what->name, path, result);
    if (r == 0)
        r = artifact_put_file(env->artifact_dir, result, env->diags, &built->artifact);
    (void)dir_remove(folder);
    return r;
}

/* Looks it up, or signs it now. */
static int find_signed(const struct secure_boot *s, const struct build_env *env, const struct built *what,
                       struct built *ret_signed)
{
    struct built built = {.seconds = what->seconds, .steps = what->steps};
    char hex[DIGEST_TEXT_MAX];
    struct digest key;
    struct hash hash;
    snprintf(built.name, sizeof(built.name), "%s", what->name);
    hash_init(&hash);
    hash_field(&hash, digest_format(&what->artifact, hex));
    int r = sign_hash(s, env, &hash);
    if (r < 0)
        return r;
    hash_end(&hash, &key);
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_signed) == 0)
        return SIGN_UNCHANGED;
    if (env->only_cached)
        return -ENOENT;
    r = sign_into_store(s, env, what, &built);
    if (r < 0)
        return r;
    r = built_put(env->cache_dir, env->artifact_dir, &key, &built);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot write to the cache folder %s", env->cache_dir);
    return built_get(env->cache_dir, env->artifact_dir, &key, ret_signed);
}

int sign_artifact(const struct secure_boot *s, const struct build_env *env, const struct built *what,
                  struct built *ret_signed)
{
    struct built built;
    int r = s->key ? wants_signature(env, what) : 0;
    if (r == 0) {
        *ret_signed = *what;
        return SIGN_NOT_NEEDED;
    }
    if (r > 0)
        r = find_signed(s, env, what, &built);
    if (r < 0)
        return r;
    memcpy(built.because, what->because, sizeof(built.because));
    *ret_signed = built;
    return r;
}
