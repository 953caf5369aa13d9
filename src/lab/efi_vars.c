/* See lab/efi_vars.h. */
#include "lab/efi_vars.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum {
    GUID_SIZE = 16,
    STORE_MAX = 16 << 20,
    PEM_MAX = 1 << 20,
    DER_MAX = 1 << 16,
    STORE_HEADER = 28,
    STORE_FORMATTED = 0x5a,
    STORE_HEALTHY = 0xfe,
    VARIABLE_START = 0x55aa,
    VARIABLE_ADDED = 0x3f,
    VARIABLE_HEADER = 60,
    ALIGNMENT = 4,
};

enum {
    NON_VOLATILE = 0x1,
    BOOT_SERVICE = 0x2,
    RUNTIME = 0x4,
    TIME_BASED_AUTHENTICATION = 0x20,
};

/* As they stand in memory: the first three fields have their lowest byte first. */
typedef const uint8_t guid[GUID_SIZE];
/* 8be4df61-93ca-11d2-aa0d-00e098032b8c */
static guid global_variable = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                               0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
/* d719b2cb-3d3a-4596-a3bc-dad00e67656f */
static guid image_security = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
                              0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};
/* f0a30bc7-af08-4556-99c4-001009c93a44 */
static guid secure_boot_enable = {0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45,
                                  0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44};
/* a5c059a1-94e4-4aa7-87b5-ab155c2bf072 */
static guid certificate_x509 = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
                                0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
/* aaf32c78-947b-439a-a180-2e144ec37792 */
static guid authenticated_store = {0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
                                   0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};
/* 605dab50-e046-4300-abb6-3dd810dd8b23: shim's */
static guid shim_lock = {0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43,
                         0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23};
/* fd2340d0-3dab-4349-a6c7-3b4f12b48eae: EDK2's TlsCaCertificate.h */
static guid tls_ca_certificate = {0xd0, 0x40, 0x23, 0xfd, 0xab, 0x3d, 0x49, 0x43,
                                  0xa6, 0xc7, 0x3b, 0x4f, 0x12, 0xb4, 0x8e, 0xae};
/* Whose signatures these are: ours, a name and nothing more. 9b1f7c52-0b0e-4b57-9d43-72616d626f78 */
static guid owner = {0x52, 0x7c, 0x1f, 0x9b, 0x0e, 0x0b, 0x57, 0x4b,
                     0x9d, 0x43, 0x72, 0x61, 0x6d, 0x62, 0x6f, 0x78};

/* Where variables are, in the flash volume. */
struct span {
    size_t first, end;
};

static size_t aligned(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The headers of the volume and of the store. */
static int find_span(const uint8_t *store, size_t size, struct span *ret_span)
{
    struct reader r = reader_of(store, size);
    reader_take(&r, 16 + GUID_SIZE + 8); /* zeros, the file system's GUID, length */
    const uint8_t *magic = reader_take(&r, 4);
    reader_le32(&r); /* attributes */
    uint16_t header = reader_le16(&r);
    if (!magic || memcmp(magic, "_FVH", 4) != 0 || header > size)
        return -EBADMSG;
    r = reader_of(store + header, size - header);
    const uint8_t *format = reader_take(&r, GUID_SIZE);
    uint32_t length = reader_le32(&r);
    uint8_t formatted = reader_u8(&r), healthy = reader_u8(&r);
    if (r.failed || memcmp(format, authenticated_store, GUID_SIZE) != 0 || formatted != STORE_FORMATTED ||
        healthy != STORE_HEALTHY || length < STORE_HEADER || length > size - header)
        return -EBADMSG;
    *ret_span = (struct span){.first = (size_t)header + STORE_HEADER, .end = (size_t)header + length};
    return 0;
}

/* The UTF-16 of a name of ASCII, with its NUL; bytes. */
static size_t widen(const char *name, uint8_t *buf, size_t size)
{
    struct writer w = writer_of(buf, size);
    for (const char *p = name; *p; p++)
        writer_le16(&w, (uint16_t)*p);
    writer_le16(&w, 0);
    return w.used;
}

/* Where the next variable goes, behind all that are there. -EBADMSG: they are odd, or nobody may own the
 * store and there is a platform key among them. */
static int find_end(const uint8_t *store, const struct span *span, bool unowned, size_t *ret_at)
{
    uint8_t pk[8];
    size_t pk_size = widen("PK", pk, sizeof(pk));
    size_t at = aligned(span->first);
    while (at < span->end && span->end - at >= VARIABLE_HEADER) {
        struct reader r = reader_of(store + at, span->end - at);
        if (reader_le16(&r) != VARIABLE_START)
            break;
        uint8_t state = reader_u8(&r);
        reader_take(&r, 1 + 4 + 8 + 16 + 4); /* attributes, counter, time, key */
        uint32_t name_size = reader_le32(&r), data_size = reader_le32(&r);
        reader_take(&r, GUID_SIZE);
        const uint8_t *name = reader_take(&r, name_size);
        if (!reader_take(&r, data_size))
            return -EBADMSG;
        if (unowned && state == VARIABLE_ADDED && name_size == pk_size && memcmp(name, pk, pk_size) == 0)
            return -EBADMSG;
        at = aligned((size_t)(r.p - store));
    }
    *ret_at = at;
    return 0;
}

static void put_variable(struct writer *w, guid vendor, const char *name, uint32_t attributes,
                         const void *data, size_t size)
{
    /* 1 January 2020: an update must be younger to be taken. Year, month, day; the rest is 0. */
    static const uint8_t time[16] = {0xe4, 0x07, 1, 1};
    static const uint8_t no_time[16];
    uint8_t wide[64];
    size_t name_size = widen(name, wide, sizeof(wide));
    writer_le16(w, VARIABLE_START);
    writer_u8(w, VARIABLE_ADDED);
    writer_u8(w, 0);
    writer_le32(w, attributes);
    writer_fill(w, 0, 8); /* a counter of another kind of authentication */
    writer_put(w, attributes & TIME_BASED_AUTHENTICATION ? time : no_time, sizeof(time));
    writer_le32(w, 0); /* index of a public key, of that kind too */
    writer_le32(w, (uint32_t)name_size);
    writer_le32(w, (uint32_t)size);
    writer_put(w, vendor, GUID_SIZE);
    writer_put(w, wide, name_size);
    writer_put(w, data, size);
    writer_fill(w, 0xff, aligned(w->used) - w->used); /* what flash memory is when nothing is written */
}

/* One certificate as a list of signatures (UEFI §32.4.1). */
static void put_signatures(struct writer *w, const void *der, size_t size)
{
    uint32_t signature = (uint32_t)(GUID_SIZE + size);
    writer_put(w, certificate_x509, GUID_SIZE);
    writer_le32(w, GUID_SIZE + 3 * 4 + signature);
    writer_le32(w, 0); /* no header */
    writer_le32(w, signature);
    writer_put(w, owner, GUID_SIZE);
    writer_put(w, der, size);
}

struct variable {
    guid *vendor;
    const char *name;
    uint32_t attributes;
};
enum {
    SIGNED = NON_VOLATILE | BOOT_SERVICE | RUNTIME | TIME_BASED_AUTHENTICATION,
    PRIVATE = NON_VOLATILE | BOOT_SERVICE, /* no operating system sees or changes it */
    VARIABLES_MAX = 3
};

/* Which variables hold the list; the owner's are written in an order that leaves setup mode last. */
static const struct {
    struct variable variables[VARIABLES_MAX]; /* ends early with name NULL */
    bool owns;                                /* a store that has an owner is refused */
} trusts[] = {
    [LAB_TRUST_OWNER] = {{{&image_security, "db", SIGNED},
                          {&global_variable, "KEK", SIGNED},
                          {&global_variable, "PK", SIGNED}},
                         true},
    [LAB_TRUST_SHIM] = {{{&shim_lock, "MokList", PRIVATE}}, false},
    [LAB_TRUST_TLS] = {{{&tls_ca_certificate, "TlsCaCertificate", PRIVATE}}, false},
};

int lab_vars_add(void *store, size_t size, enum lab_trust trust, const void *der, size_t der_size)
{
    static const uint8_t on = 1;
    uint8_t list[DER_MAX + 64];
    struct span span;
    size_t at;
    int r = der_size <= DER_MAX ? find_span(store, size, &span) : -ENOSPC;
    if (r == 0)
        r = find_end(store, &span, trusts[trust].owns, &at);
    if (r < 0)
        return r;
    struct writer signatures = writer_of(list, sizeof(list));
    put_signatures(&signatures, der, der_size);
    struct writer w = writer_of(store, span.end);
    w.used = at;
    const struct variable *variables = trusts[trust].variables;
    for (size_t i = 0; i < VARIABLES_MAX && variables[i].name; i++)
        put_variable(&w, *variables[i].vendor, variables[i].name, variables[i].attributes, list,
                     signatures.used);
    if (trusts[trust].owns)
        put_variable(&w, secure_boot_enable, "SecureBootEnable", PRIVATE, &on, sizeof(on));
    return w.failed || signatures.failed ? -ENOSPC : 0;
}

static int read_certificate(const char *path, struct diags *diags, gnutls_datum_t *ret_der)
{
    cleanup_free char *text = NULL;
    size_t size;
    gnutls_x509_crt_t certificate;
    int r = file_read(path, PEM_MAX, &text, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read the certificate %s", path);
    r = gnutls_x509_crt_init(&certificate);
    if (r < 0)
        return -ENOMEM;
    r = gnutls_x509_crt_import(certificate, &(gnutls_datum_t){(unsigned char *)text, (unsigned)size},
                               GNUTLS_X509_FMT_PEM);
    if (r >= 0)
        r = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, ret_der);
    gnutls_x509_crt_deinit(certificate);
    return r < 0 ? diag_error(diags, NULL, "%s: no certificate in PEM form: %s", path, gnutls_strerror(r))
                 : 0;
}

int lab_vars_enroll(const char *from, const char *to, enum lab_trust trust, const char *certificate,
                    struct diags *diags)
{
    cleanup_free char *store = NULL;
    gnutls_datum_t der = {0};
    size_t size;
    int r = file_read(from, STORE_MAX, &store, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read the firmware's variables %s", from);
    r = read_certificate(certificate, diags, &der);
    if (r < 0)
        return r;
    r = lab_vars_add(store, size, trust, der.data, der.size);
    gnutls_free(der.data);
    if (r == -EBADMSG)
        diag_error(diags, NULL, "%s is no %sstore of EDK2's authenticated variables", from,
                   trusts[trust].owns ? "empty " : "");
    else if (r < 0)
        diag_errno(diags, r, "cannot enrol %s in %s", certificate, from);
    if (r < 0)
        return r;
    r = file_write_atomic(to, store, size, 0600);
    return r < 0 ? diag_errno(diags, r, "cannot write %s", to) : 0;
}
