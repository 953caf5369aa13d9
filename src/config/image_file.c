/* images/NAME.yaml: one image definition. */
#include "base/str.h"
#include "config/documents.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>

/* An absolute path in the image, written in one way only: no empty, `.` or `..` parts, no slash at the end.
 * `/` itself is allowed here and refused where it makes no sense. */
static int parse_image_path(const struct type *type, const char *text, void *target)
{
    cleanup_str struct str path = {0};
    if (text[0] != '/' || strlen(text) >= PATH_MAX)
        return -EINVAL;
    for (const char *part = text; *part;) {
        part += strspn(part, "/");
        size_t n = strcspn(part, "/");
        if ((n == 2 && memcmp(part, "..", 2) == 0) || n > NAME_MAX)
            return -EINVAL;
        if (n > 0 && !(n == 1 && part[0] == '.')) {
            str_add(&path, "/");
            str_add_n(&path, part, n);
        }
        part += n;
    }
    if (path.len == 0)
        str_add(&path, "/");
    return parse_text(type, str_text(&path), target);
}

static const struct type type_image_path = {.what = "path in an image",
                                            .expected = "an absolute path without .., like /etc/motd",
                                            .parse = parse_image_path,
                                            .size = sizeof(char *)};

/* What a mapping of `files:` says, before it is known what it is. */
struct entry_keys {
    struct image_entry entry;
    char *content, *from, *symlink, *hardlink, *tree;
    bool directory, has_device, has_sha256, has_owner;
};

static int parse_mode(const struct type *type, const char *text, void *target)
{
    size_t n = strlen(text);
    (void)type;
    if (n < 3 || n > 5 || strspn(text, "01234567") != n)
        return -EINVAL;
    unsigned long mode = strtoul(text, NULL, 8);
    if (mode > 07777)
        return -EINVAL;
    *(mode_t *)target = (mode_t)mode;
    return 0;
}

static int read_mode(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct type type_mode = {.what = "file mode",
                                          .expected = "octal digits like 0644 or 1777",
                                          .parse = parse_mode,
                                          .size = sizeof(mode_t)};
    struct entry_keys *keys = object;
    keys->entry.has_mode = true;
    return map_value(m, key->text, &type_mode, value, &keys->entry.mode);
}

/* The next decimal number of `*p` up to `end` (a character, or NUL), and behind it. */
static int take_number(const char **p, char end, uint64_t max, uint64_t *ret_value)
{
    const char *stop = end ? strchr(*p, end) : *p + strlen(*p);
    if (!stop)
        return -EINVAL;
    cleanup_free char *digits = xstrndup(*p, (size_t)(stop - *p));
    *p = stop + (end != '\0');
    return parse_u64(digits, 0, max, ret_value);
}

static int parse_owner(const struct type *type, const char *text, void *target)
{
    struct image_entry *entry = target;
    uint64_t uid, gid;
    (void)type;
    if (take_number(&text, ':', UINT32_MAX - 1, &uid) < 0 ||
        take_number(&text, '\0', UINT32_MAX - 1, &gid) < 0)
        return -EINVAL;
    entry->uid = (uid_t)uid;
    entry->gid = (gid_t)gid;
    return 0;
}

static int read_owner(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *object)
{
    static const struct type type_owner = {.what = "owner",
                                           .expected = "the numbers of user and group like \"0:0\"",
                                           .parse = parse_owner,
                                           .size = sizeof(struct image_entry)};
    struct entry_keys *keys = object;
    keys->has_owner = true;
    return map_value(m, key->text, &type_owner, value, &keys->entry);
}

static int parse_device(const struct type *type, const char *text, void *target)
{
    struct image_entry *entry = target;
    uint64_t major, minor;
    char kind = text[0];
    (void)type;
    if ((kind != 'c' && kind != 'b') || text[1] != ' ')
        return -EINVAL;
    text += 2;
    /* The kernel's 12 and 20 bits (include/linux/kdev_t.h). */
    if (take_number(&text, ' ', 0xfff, &major) < 0 || take_number(&text, '\0', 0xfffff, &minor) < 0)
        return -EINVAL;
    entry->device = kind;
    entry->major = (unsigned)major;
    entry->minor = (unsigned)minor;
    return 0;
}

static int read_device(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *object)
{
    static const struct type type_device = {.what = "device",
                                            .expected = "c or b, major and minor number like \"c 5 1\"",
                                            .parse = parse_device,
                                            .size = sizeof(struct image_entry)};
    struct entry_keys *keys = object;
    keys->has_device = true;
    return map_value(m, key->text, &type_device, value, &keys->entry);
}

static int read_entry_sha256(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                             void *object)
{
    struct entry_keys *keys = object;
    keys->has_sha256 = true;
    return map_value(m, key->text, &type_sha256, value, &keys->entry.sha256);
}

/* Finds out what the entry is, from the one key that says so. Returns how many did. */
static int settle_kind(struct entry_keys *keys)
{
    const struct {
        bool present;
        enum entry_kind kind;
        char **text; /* becomes `from` or `content` */
    } kinds[] = {
        {keys->content != NULL, ENTRY_FILE_INLINE, &keys->content},
        {keys->from != NULL, is_url(keys->from) ? ENTRY_FILE_URL : ENTRY_FILE_COPY, &keys->from},
        {keys->symlink != NULL, ENTRY_SYMLINK, &keys->symlink},
        {keys->hardlink != NULL, ENTRY_HARDLINK, &keys->hardlink},
        {keys->tree != NULL, ENTRY_TREE, &keys->tree},
        {keys->directory, ENTRY_DIRECTORY, NULL},
        {keys->has_device, ENTRY_DEVICE, NULL},
    };
    int n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!kinds[i].present)
            continue;
        n++;
        keys->entry.kind = kinds[i].kind;
        if (n == 1 && kinds[i].text && kinds[i].kind == ENTRY_FILE_INLINE)
            keys->entry.content = TAKE_PTR(*kinds[i].text);
        else if (n == 1 && kinds[i].text)
            keys->entry.from = TAKE_PTR(*kinds[i].text);
    }
    return n;
}

/* What does not go together. */
static int check_entry(struct mapper *m, const struct entry_keys *keys, int kinds)
{
    const struct image_entry *entry = &keys->entry;
    bool link = entry->kind == ENTRY_SYMLINK || entry->kind == ENTRY_HARDLINK;
    if (kinds != 1)
        return map_error(
            m, &entry->pos,
            "a file needs exactly one of content, from, symlink, hardlink, directory, device and "
            "tree; it has %s",
            kinds ? "several" : "none");
    if (entry->kind == ENTRY_FILE_URL && !keys->has_sha256)
        return map_error(m, &entry->pos,
                         "a file from a URL needs its \"sha256\": it would be taken unchecked");
    if (entry->kind != ENTRY_FILE_URL && keys->has_sha256)
        return map_error(m, &entry->pos, "\"sha256\" belongs to a file from a URL only");
    if (str_eq(entry->path, "/") && entry->kind != ENTRY_TREE && entry->kind != ENTRY_DIRECTORY)
        return map_error(m, &entry->pos, "/ is the root folder; only a tree or a directory can be there");
    if ((link || entry->kind == ENTRY_TREE) && entry->has_mode)
        return map_error(m, &entry->pos, "a link or a tree has no mode of its own");
    if (entry->kind == ENTRY_HARDLINK && keys->has_owner)
        return map_error(m, &entry->pos, "a hard link has the owner of the file it names");
    return 0;
}

static int read_entry(struct mapper *m, const struct yaml_node *value, struct image_def *image)
{
    static const struct type type_content = {
        .what = "content", .expected = "text", .parse = parse_any_text, .size = sizeof(char *)};
    static const struct field fields[] = {
        FIELD("path", type_image_path, struct entry_keys, entry.path, .required = true),
        FIELD("content", type_content, struct entry_keys, content),
        FIELD("from", type_text, struct entry_keys, from),
        FIELD("symlink", type_text, struct entry_keys, symlink),
        FIELD("hardlink", type_image_path, struct entry_keys, hardlink),
        FIELD("directory", type_bool, struct entry_keys, directory),
        FIELD("tree", type_text, struct entry_keys, tree),
        {.key = "device", .read = read_device},
        {.key = "sha256", .read = read_entry_sha256},
        {.key = "mode", .read = read_mode},
        {.key = "owner", .read = read_owner},
        {0},
    };
    struct entry_keys keys = {.entry.mode = 0644, .entry.pos = value->pos};
    int r = map_fields(m, value, fields, "this file", &value->pos, &keys);
    if (r == 0)
        r = check_entry(m, &keys, settle_kind(&keys));
    if (r == 0 && keys.entry.kind == ENTRY_DIRECTORY && !keys.entry.has_mode)
        keys.entry.mode = 0755;
    *VEC_ADD(&image->entries) = keys.entry;
    free(keys.content);
    free(keys.from);
    free(keys.symlink);
    free(keys.hardlink);
    free(keys.tree);
    return r;
}

static int read_files(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *object)
{
    int r = 0;
    if (value->kind != YAML_SEQUENCE)
        return wrong_shape(m, key->text, value, "a list, each item a mapping with a \"path\"");
    VEC_EACH(item, &value->items)
        if (read_entry(m, *item, object) < 0)
            r = -EINVAL;
    return r;
}

static int read_busybox(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                        void *object)
{
    static const char *const words[] = {"distribution", "smallest", "none", NULL};
    static const enum busybox_kind kinds[] = {BUSYBOX_DISTRIBUTION, BUSYBOX_SMALLEST, BUSYBOX_NONE};
    static const struct type type_word = {.what = "BusyBox",
                                          .expected = "distribution, smallest, none, or the path of a binary",
                                          .parse = parse_word,
                                          .size = sizeof(unsigned),
                                          .words = words};
    struct image_def *image = object;
    unsigned kind;
    if (value->kind == YAML_SCALAR && value->text[0] == '/') {
        image->busybox = BUSYBOX_FILE;
        return map_value(m, key->text, &type_folder, value, &image->busybox_path);
    }
    int r = map_value(m, key->text, &type_word, value, &kind);
    if (r == 0)
        image->busybox = kinds[kind];
    return r;
}

static int parse_timezone(const struct type *type, const char *text, void *target)
{
    size_t n = strlen(text);
    if (n == 0 || n > 64 || text[0] == '/' || strstr(text, ".."))
        return -EINVAL;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_+-/", *p))
            return -EINVAL;
    return parse_text(type, text, target);
}

static int parse_level(const struct type *type, const char *text, void *target)
{
    uint64_t level;
    int r = parse_u64(text, type->min, type->max, &level);
    if (r == 0)
        *(int *)target = (int)level;
    return r;
}

static const char *const compression_words[] = {
    [COMPRESSION_NONE] = "none", [COMPRESSION_GZIP] = "gzip", [COMPRESSION_XZ] = "xz",
    [COMPRESSION_ZSTD] = "zstd", [COMPRESSION_LZ4] = "lz4",   [COMPRESSION_LZ4 + 1] = NULL};
static const int level_max[] = {
    [COMPRESSION_GZIP] = 9, [COMPRESSION_XZ] = 9, [COMPRESSION_ZSTD] = 22, [COMPRESSION_LZ4] = 12};
static const char *const devices_words[] = {"devtmpfs", "mdev", "hotplug", NULL};

static const struct type type_timezone = {.what = "time zone",
                                          .expected = "a name like Europe/Berlin or UTC",
                                          .parse = parse_timezone,
                                          .size = sizeof(char *)};
static const struct type type_devices = {.what = "device manager",
                                         .expected = "devtmpfs, mdev or hotplug",
                                         .parse = parse_word_text,
                                         .size = sizeof(char *),
                                         .words = devices_words};
static const struct type type_compression = {.what = "compression",
                                             .expected = "none, gzip, xz, zstd or lz4",
                                             .parse = parse_word,
                                             .size = sizeof(enum compression),
                                             .words = compression_words};
static const struct type type_level = {.what = "level",
                                       .expected = "a number from 1 to 22",
                                       .parse = parse_level,
                                       .size = sizeof(int),
                                       .min = 1,
                                       .max = 22};

int read_image(struct mapper *m, const struct yaml_node *root, struct image_def *image)
{
    static const struct field fields[] = {
        FIELD("name", type_label, struct image_def, name),
        FIELD("base", type_bool, struct image_def, base),
        {.key = "busybox", .read = read_busybox},
        FIELD("init", type_text, struct image_def, init),
        FIELD("hostname", type_label, struct image_def, hostname),
        FIELD("timezone", type_timezone, struct image_def, timezone),
        FIELD("devices", type_devices, struct image_def, devices),
        FIELD("compression", type_compression, struct image_def, compression),
        FIELD("level", type_level, struct image_def, level),
        FIELD("memory", type_size, struct image_def, memory),
        {.key = "files", .read = read_files},
        {0},
    };
    image->base = true;
    image->compression = COMPRESSION_GZIP;
    image->hostname = xstrdup("rambox");
    image->timezone = xstrdup("UTC");
    image->devices = xstrdup("devtmpfs");
    image->pos = root->pos;
    int r = map_fields(m, root, fields, "this image", &image->pos, image);
    if (image->level && !level_max[image->compression])
        return map_error(m, &root->pos, "without compression there is no \"level\"");
    if (image->level > level_max[image->compression])
        r = map_error(m, &root->pos, "level %d is more than %s has; expected 1 to %d", image->level,
                      compression_words[image->compression], level_max[image->compression]);
    return r;
}
