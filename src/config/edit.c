/* See config/config.h: small edits of the configuration folder, checked as a whole before anything is
 * written. */
#include "base/file.h"
#include "base/str.h"
#include "config/config.h"
#include "config/load.h"
#include "proto/dhcp_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Text in double quotes, as YAML reads it back. The texts hold no control characters. */
static void add_quoted(struct str *out, const char *text)
{
    str_add(out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            str_add(out, "\\");
        str_add_n(out, text, 1);
    }
    str_add(out, "\"");
}

/* `name: ["a", "b"]`, or in full when it is not of its registered kind or sent unasked. */
static void add_option(struct str *out, const struct option_value *option)
{
    struct dhcp_option_spec spec = dhcp_option_by_code(option->code);
    struct dhcp_option_texts texts;
    enum dhcp_kind kind = dhcp_option_values(&spec, option->data, option->size, &texts);
    bool full = kind != spec.kind || option->always;
    if (spec.name)
        str_printf(out, "  %s: %s", spec.name, full ? "{" : "");
    else
        str_printf(out, "  %u: %s", option->code, full ? "{" : "");
    if (full)
        str_printf(out, "%s: ", dhcp_kind_name(kind));
    str_add(out, texts.list.n > 1 ? "[" : "");
    for (size_t i = 0; i < texts.list.n; i++) {
        str_add(out, i ? ", " : "");
        add_quoted(out, texts.list.items[i]);
    }
    str_printf(out, "%s%s%s\n", texts.list.n > 1 ? "]" : "", option->always ? ", always: yes" : "",
               full ? "}" : "");
    dhcp_option_texts_clear(&texts);
}

/* The node's document; the caller's. */
static char *node_to_yaml(const struct node *node)
{
    struct str out = {0};
    char mac[MAC_TEXT_MAX], guid[GUID_TEXT_MAX], ip[IPV4_TEXT_MAX], uuid[UUID_TEXT_MAX];
    char id[3 * CLIENT_ID_MAX];
    str_printf(&out, "node: %s\n", node->name);
    if (node->has_guid)
        str_printf(&out, "guid: \"%s\"\n", guid_format(&node->guid, guid));
    else if (node->client_id)
        str_printf(&out, "client_id: \"%s\"\n",
                   client_id_format(node->client_id, node->client_id_size, id, sizeof(id)));
    else
        str_printf(&out, "mac: %s\n", mac_format(&node->mac, mac));
    if (node->ip)
        str_printf(&out, "ip: %s\n", ipv4_format(node->ip, ip));
    if (node->has_profile || !str_eq(node->profile, "default"))
        str_printf(&out, "profile: %s\n", node->profile);
    if (node->has_uuid)
        str_printf(&out, "uuid: %s\n", uuid_format(node->uuid, uuid));
    if (node->cmdline) {
        str_add(&out, "cmdline: ");
        add_quoted(&out, node->cmdline);
        str_add(&out, "\n");
    }
    str_add(&out, node->options.list.n ? "options:\n" : "");
    VEC_EACH(option, &node->options.list)
        add_option(&out, option);
    return str_steal(&out);
}

static char *node_path(const char *dir, const char *name)
{
    return xasprintf("%s/nodes.d/%s.yaml", dir, name);
}

/* Reads the node's text as it will be read later, and puts it into the site with the place that it comes
 * from, since it is in no file yet. Where its values stand is not remembered: that is looked for in a list.
 */
static int try_node(struct loading *l, const char *dir, const struct node *node, const char *text)
{
    struct mapper mapper = {.diags = l->mapper.diags};
    cleanup_free char *path = node_path(dir, node->name);
    if (!node->name || !is_host_label(node->name))
        return diag_error(l->mapper.diags, &node->pos, "\"%s\" is no name of a node; expected %s",
                          node->name ? node->name : "", type_label.expected);
    if (file_exists(path)) {
        diag_error(l->mapper.diags, &node->pos,
                   "nodes.d/%s.yaml exists; choose another name, or remove that node first", node->name);
        return -EEXIST;
    }
    int r = parse_nodes_file(&mapper, "the new node", text, strlen(text), l->site);
    if (r == 0)
        l->site->nodes.items[l->site->nodes.n - 1].pos = node->pos;
    return r;
}

/* Under this name a node's file is written, before all of them get their names. Dot files are not read. */
static char *temp_path(const char *dir, const char *name)
{
    return xasprintf("%s/nodes.d/.%s.yaml.new", dir, name);
}

static int write_temp(const char *dir, const struct node *node, const char *text, bool sync)
{
    cleanup_free char *temp = temp_path(dir, node->name);
    cleanup_close int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
    return r == 0 && sync && fsync(fd) < 0 ? -errno : r;
}

/* Gives the files their names; takes back what was done when one fails. */
static int rename_all(const char *dir, const struct node *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *temp = temp_path(dir, nodes[i].name), *path = node_path(dir, nodes[i].name);
        if (rename(temp, path) == 0)
            continue;
        int r = -errno;
        while (i-- > 0) {
            cleanup_free char *done = node_path(dir, nodes[i].name);
            unlink(done);
        }
        return r;
    }
    return 0;
}

/* Writes them all, or none. Nothing has its name before everything is on the disk, file by file or, when they
 * are many, by one syncfs. */
static int write_nodes(const char *dir, const struct node *nodes, char *const *texts, size_t n,
                       struct diags *diags)
{
    enum { SYNC_EACH_MAX = 64 };
    cleanup_free char *folder = xasprintf("%s/nodes.d", dir);
    int r = dir_make(folder);
    cleanup_close int fd = r < 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0 && fd < 0)
        r = -errno;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = write_temp(dir, &nodes[i], texts[i], n <= SYNC_EACH_MAX);
    if (r == 0 && n > SYNC_EACH_MAX && syncfs(fd) < 0)
        r = -errno;
    if (r == 0)
        r = rename_all(dir, nodes, n);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *temp = temp_path(dir, nodes[i].name);
        unlink(temp);
    }
    return diag_errno(diags, r, "cannot write to %s; no node was added", folder);
}

/* Checks the whole site with the nodes in it. The texts of their files go to `texts`, n of them, each the
 * caller's. */
static int try_nodes(const char *dir, const char *share_dir, const struct node *nodes, size_t n, char **texts,
                     struct diags *diags)
{
    struct loading l;
    loading_begin(&l, diags);
    int r = loading_read(&l, dir, share_dir);
    bool readable = r == 0;
    for (size_t i = 0; readable && i < n; i++) {
        texts[i] = node_to_yaml(&nodes[i]);
        int failed = try_node(&l, dir, &nodes[i], texts[i]);
        r = r < 0 ? r : failed;
    }
    if (r == 0)
        r = check_site(&l.mapper, l.site, dir, share_dir);
    loading_end(&l);
    return r;
}

static void texts_free(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

int config_add_nodes(const char *dir, const char *share_dir, const struct node *nodes, size_t n,
                     struct diags *diags)
{
    char **texts = xcalloc(n, sizeof(*texts));
    int r = try_nodes(dir, share_dir, nodes, n, texts, diags);
    if (r == 0)
        r = write_nodes(dir, nodes, texts, n, diags);
    texts_free(texts, n);
    return r;
}

int config_try_nodes(const char *dir, const char *share_dir, const struct node *nodes, size_t n,
                     struct diags *diags)
{
    char **texts = xcalloc(n, sizeof(*texts));
    int r = try_nodes(dir, share_dir, nodes, n, texts, diags);
    texts_free(texts, n);
    return r;
}

static const struct node *find_node(const struct site *site, const char *name)
{
    VEC_EACH(node, &site->nodes)
        if (str_eq(node->name, name))
            return node;
    return NULL;
}

static bool is_listed(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (str_eq(*names, name))
            return true;
    return false;
}

/* Says why the node's file cannot go: it is not there, or holds nodes that shall stay. */
static int check_removable(const struct site *site, const char *const *names, const char *name,
                           struct diags *diags)
{
    const struct node *node = find_node(site, name);
    if (!node) {
        VEC(const char *) known = {0};
        VEC_EACH(it, &site->nodes)
            VEC_PUSH(&known, it->name);
        VEC_PUSH(&known, NULL);
        const char *nearest = nearest_word(name, known.items);
        diag_error(diags, NULL, "there is no node %s%s%s%s", name, nearest ? "; did you mean " : "",
                   nearest ? nearest : "", nearest ? "?" : "");
        VEC_FREE(&known);
        return -ENOENT;
    }
    VEC_EACH(other, &site->nodes) {
        if (!str_eq(other->pos.file, node->pos.file) || is_listed(names, other->name))
            continue;
        diag_error(diags, &node->pos, "the file of node %s also holds node %s; edit it by hand", name,
                   other->name);
        return -EBUSY;
    }
    return 0;
}

int config_remove_nodes(const char *dir, const char *const *names, struct diags *diags)
{
    struct loading l;
    cleanup_diags struct diags unused = {0};
    cleanup_free char *folder = xasprintf("%s/nodes.d", dir);
    loading_begin(&l, &unused);
    int r = loading_read(&l, dir, NULL) == -ENOENT ? -ENOENT : 0;
    if (r < 0)
        diag_error(diags, NULL, "%s has no rambox.yaml; it is no configuration folder", dir);
    for (const char *const *name = names; r == 0 && *name; name++)
        r = check_removable(l.site, names, *name, diags);
    for (const char *const *name = names; r == 0 && *name; name++) {
        cleanup_free char *path = xasprintf("%s/%s", dir, find_node(l.site, *name)->pos.file);
        if (unlink(path) < 0 && errno != ENOENT)
            r = diag_errno(diags, -errno, "cannot remove %s", path);
    }
    if (r == 0)
        r = dir_sync(folder);
    loading_end(&l);
    return r;
}
