/* `classes:` of rambox.yaml. */
#include "base/str.h"
#include "config/documents.h"
#include "proto/pxe.h"

#include <ctype.h>
#include <errno.h>

static int parse_glob(const struct type *type, const char *text, void *target)
{
    (void)type;
    return glob_parse(text, target);
}

/* As the address is compared with it: `52:54:00:*`. */
static int parse_mac_glob(const struct type *type, const char *text, void *target)
{
    cleanup_free char *lower = xstrdup(text);
    (void)type;
    for (char *p = lower; *p; p++) {
        *p = *p == '-' ? ':' : (char)tolower((unsigned char)*p);
        if (hex_value(*p) < 0 && !strchr(":*?", *p))
            return -EINVAL;
    }
    return glob_parse(lower, target);
}

static const struct type type_glob = {
    .what = "pattern",
    .expected = "text in which * is any run of bytes and ? any one, like PXEClient*, or bytes like 0x0104*",
    .parse = parse_glob,
    .size = sizeof(struct glob)};
static const struct type type_mac_glob = {.what = "pattern of MAC addresses",
                                          .expected = "bytes with colons, * and ?, like 52:54:00:*",
                                          .parse = parse_mac_glob,
                                          .size = sizeof(struct glob)};

/* P1: names for what firmware says in option 93, and the numbers that each stands for. */
static const char *const arch_words[] = {
    "bios",          "uefi-ia32",       "uefi-x64",  "uefi-arm32",   "uefi-arm64", "uefi-ia32-http",
    "uefi-x64-http", "uefi-arm64-http", "bios-http", "raspberry-pi", NULL};
static const uint16_t arch_numbers[][2] = {
    {PXE_ARCH_BIOS},         {PXE_ARCH_EFI_IA32},       {PXE_ARCH_EFI_BC, PXE_ARCH_EFI_X64},
    {PXE_ARCH_EFI_ARM32},    {PXE_ARCH_EFI_ARM64},      {PXE_ARCH_EFI_IA32_HTTP},
    {PXE_ARCH_EFI_X64_HTTP}, {PXE_ARCH_EFI_ARM64_HTTP}, {PXE_ARCH_BIOS_HTTP},
    {PXE_ARCH_RASPBERRY_PI},
};

static int parse_arch(const struct type *type, const char *text, void *target)
{
    uint16_t *archs = target; /* two; the second is 0 when there is one only */
    uint64_t number;
    unsigned word;
    if (parse_word(type, text, &word) == 0)
        memcpy(archs, arch_numbers[word], sizeof(arch_numbers[word]));
    else if (parse_u64(text, 0, UINT16_MAX, &number) == 0)
        archs[0] = (uint16_t)number;
    else
        return -EINVAL;
    return 0;
}

static const struct type type_arch = {
    .what = "architecture",
    .expected = "a number of option 93, or a name like bios, uefi-x64, uefi-arm64 or uefi-x64-http",
    .parse = parse_arch,
    .size = 2 * sizeof(uint16_t),
    .words = arch_words};

static int read_arch(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    struct client_class *class = object;
    size_t n = value->kind == YAML_SEQUENCE ? value->items.n : 1;
    int r = 0;
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = value->kind == YAML_SEQUENCE ? value->items.items[i] : value;
        uint16_t archs[2] = {0};
        if (map_value(m, key->text, &type_arch, item, archs) < 0) {
            r = -EINVAL;
            continue;
        }
        VEC_PUSH(&class->archs, archs[0]);
        if (archs[1])
            VEC_PUSH(&class->archs, archs[1]);
    }
    return r;
}

static int read_match(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *object)
{
    static const struct field fields[] = {
        FIELD("vendor_class", type_glob, struct client_class, match[CLASS_VENDOR_CLASS], .list = true),
        FIELD("user_class", type_glob, struct client_class, match[CLASS_USER_CLASS], .list = true),
        FIELD("host_name", type_glob, struct client_class, match[CLASS_HOST_NAME], .list = true),
        FIELD("circuit_id", type_glob, struct client_class, match[CLASS_CIRCUIT_ID], .list = true),
        FIELD("remote_id", type_glob, struct client_class, match[CLASS_REMOTE_ID], .list = true),
        FIELD("mac", type_mac_glob, struct client_class, match[CLASS_MAC], .list = true),
        {.key = "arch", .read = read_arch},
        {0},
    };
    struct client_class *class = object;
    int r = map_fields(m, value, fields, "match", &key->pos, class);
    size_t n = class->archs.n;
    for (size_t field = 0; field < CLASS_FIELDS; field++)
        n += class->match[field].n;
    if (r == 0 && n == 0)
        return map_error(
            m, &key->pos,
            "class %s matches nothing in particular, which is every client; expected vendor_class, "
            "user_class, host_name, circuit_id, remote_id, mac or arch",
            class->name);
    return r;
}

static int read_class(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *user)
{
    static const struct field fields[] = {
        {.key = "match",
         .read = read_match,
         .required = true,
         .expected = "what its clients say of themselves"},
        FIELD_READ("options", read_options, struct client_class, options),
        FIELD("profile", type_label, struct client_class, profile),
        FIELD("boot_file", type_boot_file, struct client_class, boot_file),
        {0},
    };
    struct site *site = user;
    if (site->classes.n == CLASSES_MAX)
        return map_error(m, &key->pos, "class %s is one too many; expected at most %d classes", key->text,
                         CLASSES_MAX);
    struct client_class *class = VEC_ADD(&site->classes);
    cleanup_free char *what = xasprintf("class %s", key->text);
    class->name = xstrdup(key->text);
    class->pos = key->pos;
    return map_fields(m, value, fields, what, &class->pos, class);
}

int read_classes(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object)
{
    return map_names(m, value, key->text, read_class, object);
}
