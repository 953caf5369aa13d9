/* `profiles:` of rambox.yaml. */
#include "base/str.h"
#include "config/documents.h"

#include <ctype.h>
#include <errno.h>

static const char *const ip_words[] = {
    [IP_STATIC] = "static", [IP_DHCP] = "dhcp", [IP_NONE] = "none", [IP_NONE + 1] = NULL};
static const struct type type_ip_mode = {.what = "way to get an address",
                                         .expected = "static, dhcp or none",
                                         .parse = parse_word,
                                         .size = sizeof(enum ip_mode),
                                         .words = ip_words};

/* H21..H24: `ram`, `shell`, or what stands behind root=. */
static int read_root(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct type type_root = {
        .what = "root",
        .expected = "ram, shell, or what the kernel's root= takes, like \"/dev/vda rootfstype=ext4\"",
        .parse = parse_text,
        .size = sizeof(char *)};
    struct profile *profile = object;
    cleanup_free char *text = NULL;
    int r = map_value(m, key->text, &type_root, value, &text);
    if (r < 0)
        return r;
    if (text[0] == '\0' || text[0] == ' ')
        return map_error(m, &value->pos, "\"root\" is empty; expected %s", type_root.expected);
    profile->root_mode = str_eq(text, "ram") ? ROOT_RAM : str_eq(text, "shell") ? ROOT_SHELL : ROOT_OTHER;
    if (profile->root_mode == ROOT_OTHER)
        profile->root = TAKE_PTR(text);
    return 0;
}

/* One architecture, or a list of them. */
static int parse_arch(const struct type *type, const char *text, void *target)
{
    (void)type;
    return arch_parse(text, target);
}

static int read_archs(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *object)
{
    static const struct type type_arch = {.what = "architecture",
                                          .expected = "x86_64 or arm64",
                                          .parse = parse_arch,
                                          .size = sizeof(enum cpu_arch)};
    struct profile *profile = object;
    size_t n = value->kind == YAML_SEQUENCE ? value->items.n : 1;
    int r = 0;
    if (n == 0)
        return map_error(m, &value->pos, "\"arch\" is empty; expected %s, or both", type_arch.expected);
    for (size_t i = 0; i < n; i++) {
        enum cpu_arch arch;
        if (map_value(m, key->text, &type_arch, value->kind == YAML_SEQUENCE ? value->items.items[i] : value,
                      &arch) < 0)
            r = -EINVAL;
        else
            profile->archs |= (arch_set)(1 << arch);
    }
    return r;
}

static int parse_console(const struct type *type, const char *text, void *target)
{
    return text[0] && !strchr(text, ' ') ? parse_text(type, text, target) : -EINVAL;
}

static const struct type type_console = {.what = "console",
                                         .expected = "what the kernel's console= takes, like ttyS0,115200",
                                         .parse = parse_console,
                                         .size = sizeof(char *)};

/* What fits the field `file` of a message with its NUL (RFC 2131 §2), and what option 67 carries of a URL. */
enum { BOOT_FILE_MAX = 127, BOOT_URL_MAX = 1024 };

/* A path beneath the loader folders: every part of it is a name. */
static bool is_boot_path(const char *text)
{
    for (const char *part = text;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += n;
        if (!*part)
            return strlen(text) <= BOOT_FILE_MAX;
    }
}

static int parse_boot_file(const struct type *type, const char *text, void *target)
{
    for (const char *p = text; *p; p++)
        if (!isgraph((unsigned char)*p) || *p == '\\')
            return -EINVAL;
    bool url = is_url(text);
    const char *host = url ? strstr(text, "://") + 3 : NULL;
    if (url ? !isalnum((unsigned char)*host) || strlen(text) > BOOT_URL_MAX : !is_boot_path(text))
        return -EINVAL;
    return parse_text(type, text, target);
}

const struct type type_boot_file = {
    .what = "boot file",
    .expected =
        "a file of the loader folders like ipxe.efi (at most 127 characters, no leading / and no ..), or a "
        "URL for UEFI HTTP boot (at most 1024)",
    .parse = parse_boot_file,
    .size = sizeof(char *)};

static const struct type type_loader = {
    .what = "loader",
    .expected =
        "auto, pxelinux, lpxelinux, ipxe, grub, unified or shim; `rambox boot paths` says what each is",
    .parse = parse_word,
    .size = sizeof(enum loader),
    .words = loader_words};

/* Shorter than the quickest machine's way from its loader to ready, and nothing would ever prove itself. */
enum { READY_WITHIN_MIN = 10, READY_WITHIN_MAX = 86400 };

static int parse_ready_within(const struct type *type, const char *text, void *target)
{
    uint32_t seconds;
    (void)type;
    if (parse_seconds(text, &seconds) < 0 || seconds < READY_WITHIN_MIN || seconds > READY_WITHIN_MAX)
        return -EINVAL;
    *(uint32_t *)target = seconds;
    return 0;
}

static const struct type type_ready_within = {.what = "time to ready",
                                              .expected = "10 s to a day, like 90s, 5m or 1h",
                                              .parse = parse_ready_within,
                                              .size = sizeof(uint32_t)};

/* `kernel: fitted` names no definition; what is wrong with what stands beside it is said in check.c. */
static void use_fitted(struct profile *profile)
{
    profile->fitted = str_eq(profile->kernel, KERNEL_FITTED);
    if (!profile->fitted)
        return;
    free(profile->kernel);
    profile->kernel = xstrdup(profile->discovery ? profile->discovery : DISCOVERY_DEFAULT);
    if (!profile->ready_within_s)
        profile->ready_within_s = READY_WITHIN_DEFAULT;
}

static int read_profile(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                        void *user)
{
    static const struct field fields[] = {
        FIELD("kernel", type_label, struct profile, kernel, .required = true),
        FIELD("discovery", type_label, struct profile, discovery),
        FIELD("ready_within", type_ready_within, struct profile, ready_within_s),
        FIELD("image", type_label, struct profile, image),
        {.key = "arch", .read = read_archs},
        FIELD("console", type_console, struct profile, console),
        FIELD("ip", type_ip_mode, struct profile, ip),
        {.key = "root", .read = read_root},
        FIELD("cmdline", type_text, struct profile, cmdline),
        FIELD("loader", type_loader, struct profile, loader),
        FIELD("boot_file", type_boot_file, struct profile, boot_file),
        FIELD("unified", type_bool, struct profile, unified),
        {.key = "menu", .read = read_menu},
        FIELD_READ("options", read_options, struct profile, options),
        FIELD("memory", type_size, struct profile, memory),
        {0},
    };
    struct site *site = user;
    struct profile *profile = VEC_ADD(&site->profiles);
    cleanup_free char *what = xasprintf("profile %s", key->text);
    profile->name = xstrdup(key->text);
    profile->cmdline = xstrdup("");
    profile->pos = key->pos;
    int r = map_fields(m, value, fields, what, &profile->pos, profile);
    profile->unified |= profile->loader == LOADER_UNIFIED;
    use_fitted(profile);
    return r;
}

int read_profiles(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object)
{
    return map_names(m, value, key->text, read_profile, object);
}
