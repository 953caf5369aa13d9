/* root= and its relatives; the contract is in rootspec.h. */
#include "init/rootspec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "init/fstab.h"
#include "init/text.h"

static int refuse(const char **ret_why, int error, const char *why)
{
    *ret_why = why;
    return error;
}

static bool is_ipv4(const char *text)
{
    struct in_addr address;

    return inet_pton(AF_INET, text, &address) == 1;
}

/* Where ":/" begins in `text`, or NULL. */
static const char *find_colon_slash(const char *text)
{
    while ((text = strchr(text, ':')) && text[1] != '/')
        text++;
    return text;
}

/* [SERVER:]/PATH[,OPTIONS] */
static int parse_nfs(const char *text, struct rootspec *ret, const char **ret_why)
{
    struct rootspec spec = {.kind = ROOT_NFS};
    const char *colon = find_colon_slash(text);

    if (text[0] != '/') {
        if (!colon)
            return refuse(ret_why, -EINVAL, "an NFS root is written SERVER:/PATH");
        if (text_copy(spec.server, sizeof(spec.server), text, (size_t)(colon - text)) < 0 ||
            !is_ipv4(spec.server))
            return refuse(ret_why, -EINVAL, "the NFS server must be given by its IPv4 address");
        text = colon + 1;
    }
    size_t path = strcspn(text, ",");
    if (text_copy(spec.name, sizeof(spec.name), text, path) < 0)
        return refuse(ret_why, -ENAMETOOLONG, "the NFS path is too long");
    if (text[path] &&
        text_copy(spec.options, sizeof(spec.options), text + path + 1, strlen(text + path + 1)) < 0)
        return refuse(ret_why, -ENAMETOOLONG, "the NFS options are too long");
    *ret = spec;
    return 0;
}

static int take_name(enum root_kind kind, const char *name, struct rootspec *ret, const char **ret_why)
{
    struct rootspec spec = {.kind = kind};

    if (!*name)
        return refuse(ret_why, -EINVAL, "nothing follows the equals sign of UUID= or LABEL=");
    if (text_copy(spec.name, sizeof(spec.name), name, strlen(name)) < 0)
        return refuse(ret_why, -ENAMETOOLONG, "root= is too long");
    *ret = spec;
    return 0;
}

int rootspec_parse(const char *root, const char *nfsroot, struct rootspec *ret, const char **ret_why)
{
    if (!*root)
        return refuse(ret_why, -ENOENT, "give root= or rambox on the kernel command line");
    if (strcmp(root, "/dev/nfs") == 0) {
        if (!*nfsroot)
            return refuse(ret_why, -EINVAL, "root=/dev/nfs needs nfsroot=SERVER:/PATH beside it");
        return parse_nfs(nfsroot, ret, ret_why);
    }
    if (strncmp(root, "nfs:", 4) == 0)
        return parse_nfs(root + 4, ret, ret_why);
    if (strncmp(root, "/dev/", 5) == 0 && root[5])
        return take_name(ROOT_DEVICE, root, ret, ret_why);
    if (strncmp(root, "UUID=", 5) == 0)
        return take_name(ROOT_UUID, root + 5, ret, ret_why);
    if (strncmp(root, "LABEL=", 6) == 0)
        return take_name(ROOT_LABEL, root + 6, ret, ret_why);
    if (find_colon_slash(root))
        return parse_nfs(root, ret, ret_why);
    return refuse(ret_why, -EINVAL, "root= takes /dev/NAME, UUID=, LABEL=, or SERVER:/PATH for NFS");
}

int rootspec_nfs_data(const char *options, const char *address, char *ret, size_t size)
{
    struct text text;

    text_start(&text, ret, size);
    text_add(&text, options);
    if (!fstab_has(options, "vers") && !fstab_has(options, "nfsvers"))
        text_addf(&text, "%svers=3", text.used ? "," : "");
    if (!fstab_has(options, "lock") && !fstab_has(options, "nolock"))
        text_add(&text, ",nolock");
    if (!fstab_has(options, "addr"))
        text_addf(&text, ",addr=%s", address);
    return text.cut ? -ENAMETOOLONG : 0;
}

/* Offsets of the ext2, ext3 and ext4 superblock, from the kernel's Documentation/filesystems/ext4/super.rst.
 */
#define EXT_MAGIC_AT   0x38
#define EXT_UUID_AT    0x68
#define EXT_LABEL_AT   0x78
#define EXT_LABEL_SIZE 16

static void format_uuid(const uint8_t *uuid, char ret[static 37])
{
    struct text text;

    text_start(&text, ret, 37);
    for (int i = 0; i < 16; i++)
        text_addf(&text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

bool rootspec_matches_ext(const struct rootspec *spec, const uint8_t *superblock)
{
    char uuid[37];
    size_t length = strlen(spec->name);

    if (superblock[EXT_MAGIC_AT] != 0x53 || superblock[EXT_MAGIC_AT + 1] != 0xef)
        return false;
    if (spec->kind == ROOT_UUID) {
        format_uuid(superblock + EXT_UUID_AT, uuid);
        return strcasecmp(uuid, spec->name) == 0;
    }
    return spec->kind == ROOT_LABEL && length <= EXT_LABEL_SIZE &&
           memcmp(superblock + EXT_LABEL_AT, spec->name, length) == 0 &&
           (length == EXT_LABEL_SIZE || superblock[EXT_LABEL_AT + length] == 0);
}

int rootspec_bootserver(const char *pnp, char ret[static 16])
{
    static const char key[] = "bootserver ";
    char server[16];

    for (const char *line = pnp; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, sizeof(key) - 1) != 0)
            continue;
        const char *value = line + sizeof(key) - 1;
        if (text_copy(server, sizeof(server), value, strcspn(value, " \n")) < 0 || !is_ipv4(server) ||
            strcmp(server, "0.0.0.0") == 0)
            return -ENOENT;
        memcpy(ret, server, sizeof(server));
        return 0;
    }
    return -ENOENT;
}
