/* DHCP options between bytes and text. Input: a byte that is the code, a byte that is the kind (0: the
 * registered one), then the option's bytes, which are also tried as text.
 *
 * Held: what was formatted encodes to the same bytes (names to the same names, since a name can be written in
 * several ways); what encodes formats, and encodes again to the same bytes; nothing is refused without a
 * reason. */
#include "proto/dhcp_options.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

struct bytes {
    uint8_t b[DHCP_OPTION_DATA_MAX];
    int n;
};

/* Bytes to text to bytes; false: the text is too long. */
static bool there_and_back(struct dhcp_option_spec spec, const void *data, size_t size, struct bytes *ret,
                           enum dhcp_kind *ret_kind)
{
    struct dhcp_option_texts texts;
    struct dhcp_option_fault fault;
    enum dhcp_kind kind = dhcp_option_values(&spec, data, size, &texts);
    MUST(kind == spec.kind || kind == DHCP_KIND_HEX);
    spec.kind = *ret_kind = kind;
    ret->n = dhcp_option_encode(&spec, (const char *const *)texts.list.items, texts.list.n, ret->b,
                                sizeof(ret->b), &fault);
    dhcp_option_texts_clear(&texts);
    return ret->n >= 0;
}

static void from_bytes(const struct dhcp_option_spec *spec, const void *data, size_t size)
{
    static struct bytes first, second;
    enum dhcp_kind kind, again;
    cleanup_free char *line = dhcp_option_format(spec->code, data, size);
    MUST(line[0]);
    if (!there_and_back(*spec, data, size, &first, &kind)) {
        MUST(size > DHCP_OPTION_DATA_MAX || kind == DHCP_KIND_DOMAIN || kind == DHCP_KIND_SIP);
        return;
    }
    bool has_names = kind == DHCP_KIND_DOMAIN || kind == DHCP_KIND_SEARCH || kind == DHCP_KIND_SIP;
    MUST(has_names || ((size_t)first.n == size && (size == 0 || memcmp(first.b, data, size) == 0)));
    MUST(there_and_back(*spec, first.b, (size_t)first.n, &second, &again) && again == kind);
    MUST(first.n == second.n && memcmp(first.b, second.b, (size_t)first.n) == 0);
}

static void from_text(const struct dhcp_option_spec *spec, const char *text)
{
    static struct bytes bytes, again;
    struct dhcp_option_fault fault = {0};
    enum dhcp_kind kind;
    bytes.n = dhcp_option_encode(spec, &text, 1, bytes.b, sizeof(bytes.b), &fault);
    if (bytes.n < 0) {
        MUST(fault.reason[0] && fault.index <= 1);
        return;
    }
    MUST(there_and_back(*spec, bytes.b, (size_t)bytes.n, &again, &kind));
    MUST(kind == spec->kind && again.n == bytes.n && memcmp(again.b, bytes.b, (size_t)bytes.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct dhcp_option_spec spec = dhcp_option_by_code(data[0]);
    if (data[1] > 0 && data[1] <= DHCP_KINDS)
        spec = dhcp_option_as(data[0], (enum dhcp_kind)(data[1] - 1));
    data += 2;
    size -= 2;
    uint8_t *exact = size ? xmalloc(size) : NULL;
    if (size)
        memcpy(exact, data, size);
    from_bytes(&spec, exact, size);
    cleanup_free char *text = xstrndup(size ? (const char *)exact : "", size);
    from_text(&spec, text);
    free(exact);
    return 0;
}
